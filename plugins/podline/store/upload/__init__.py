"""Uploads to an S3 store that come near to what the network allows."""
