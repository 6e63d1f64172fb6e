"""What can go wrong with the store, each named so that a caller can tell it from the others.

A store is named as `str` gives its connection.
"""

import re
from typing import Self

from podline.exceptions import PodlineError

# What S3 calls a refusal of who asks, and what helps.
DENIALS = {
    "RequestTimeTooSkewed": "The clocks of this machine and of the store differ: set them",
    "ExpiredToken": "The connection's aws_session_token is no longer valid: get a new one",
}
DENYING = {401, 403}  # statuses


class StoreError(PodlineError):
    """The store refused or failed; the base of the errors below."""


class StoreConnectionError(StoreError):
    """The Airflow connection of the store is missing, cannot be read, or says what is not so."""

    final = True

    @classmethod
    def by_tls(cls, store: str, why: str) -> Self:
        """There is no TLS with what answers."""
        return cls(
            f"The store at {store} answers, but TLS with it fails: {why}. Correct the connection's "
            "endpoint_url (http:// or https://), or have this machine trust its certificate."
        )


class StoreUnavailable(StoreError):
    """Nothing answers at the store's address, or only that the store itself fails."""

    @classmethod
    def silent(cls, store: str, why: str) -> Self:
        """Nothing answers."""
        return cls(
            f"The store at {store} does not answer: {why}. Start it (`podline store start` for the "
            "embedded one), or correct the connection's endpoint_url, then try again."
        )

    @classmethod
    def failing(cls, store: str, why: str) -> Self:
        """It answers that it cannot do what is asked, with a status of 500 or more."""
        return cls(
            f"The store at {store} fails: {why}. Look into its log, and whether its disk is full, "
            "then try again."
        )


class BucketMissing(StoreError):
    """The bucket does not exist."""

    final = True

    @classmethod
    def of(cls, bucket: str, store: str) -> Self:
        """The bucket of that name."""
        return cls(
            f"The bucket {bucket!r} does not exist at {store}: make it, or name another in "
            "the connection's extra service_config.s3.bucket_name."
        )


class AccessDenied(StoreError):
    """The store does not accept the credentials, or they do not allow this."""

    final = True

    @classmethod
    def by(cls, store: str, why: str) -> Self:
        """It was refused for `why`, in the store's words."""
        keys = "Check the connection's login (access key) and password (secret key)"
        fix = next((fix for code, fix in DENIALS.items() if code in why), keys)
        return cls(f"The store at {store} does not allow this: {why}. {fix}, then try again.")


class ObjectMissing(StoreError):
    """There is no object under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no object {key!r} in the store.")


class AlreadyExists(StoreError):
    """The key is taken: objects are written once."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Object {key!r} exists already and is written only once: use a new key.")


class Conflict(StoreError):
    """The object is no longer the version that the change was based on."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Object {key!r} was changed by someone else meanwhile: read it again, then retry."
        )


class EmbeddedStoreError(StoreError):
    """The embedded server does not start, stop or answer."""


def reason(error: Exception) -> str:
    """The first part of obstore's message; the rest is Rust's debug output."""
    return " ".join(str(error).split("\n\nDebug source")[0].split())


def cause(error: Exception) -> str:
    """What the system said ("Connection refused"), which is deep in the debug output."""
    said = re.findall(r'(?:message|error): "([^"]+)"', str(error))
    if said:
        return str(said[-1])
    return "timed out" if "TimedOut" in str(error) else reason(error)
