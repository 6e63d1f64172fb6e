"""What can go wrong with the store, each named so that a caller can tell it from the others."""

from podline.exceptions import PodlineError


class StoreError(PodlineError):
    """The store refused or failed; the base of the errors below."""


class StoreConnectionError(StoreError):
    """The Airflow connection of the store is missing or cannot be read."""


class StoreUnavailable(StoreError):
    """Nothing answers at the store's address."""


class BucketMissing(StoreError):
    """The bucket does not exist."""


class AccessDenied(StoreError):
    """The store does not accept the credentials, or they do not allow this."""


class ObjectMissing(StoreError):
    """There is no object under this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no object {key!r} in the store.")
        self.key = key


class AlreadyExists(StoreError):
    """The key is taken: objects are written once."""

    def __init__(self, key: str) -> None:
        super().__init__(f"Object {key!r} exists already and is written only once: use a new key.")
        self.key = key


class Conflict(StoreError):
    """The object is no longer the version that the change was based on."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Object {key!r} was changed by someone else meanwhile: read it again, then retry."
        )
        self.key = key


class EmbeddedStoreError(StoreError):
    """The embedded server does not start, stop or answer."""
