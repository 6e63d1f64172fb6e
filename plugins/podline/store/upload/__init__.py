"""Uploads to an S3 store that come near to what the network allows; `uploader` does them."""

from collections.abc import Callable

Progress = Callable[[int], object]  # gets the bytes that were sent since it was called before
