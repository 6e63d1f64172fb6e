"""What obstore's errors say, in ours."""

import re

from obstore import exceptions

from podline.store import errors
from podline.store.connection import StoreConnection
from podline.store.errors import (
    DENIALS,
    DENYING,
    AccessDenied,
    AlreadyExists,
    BucketMissing,
    ObjectMissing,
    StoreConnectionError,
    StoreError,
    StoreUnavailable,
)

# Statuses that pass: of a store that fails, or has too much to do; 501 is that it never does.
_PASSING = {408, 429, *range(500, 600)} - {501}


def explanation(connection: StoreConnection, key: str, error: Exception) -> StoreError:
    """Our error for one of obstore's.

    Args:
        connection: of the store that was asked.
        key: the object's that was asked for.
        error: what obstore raised.
    """
    text, store = str(error), str(connection)
    if isinstance(error, exceptions.AlreadyExistsError):
        return AlreadyExists(key)
    if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)):
        return AccessDenied.by(store, errors.reason(error))
    if "NoSuchBucket" in text:
        return BucketMissing.of(connection.bucket, store)
    if isinstance(error, FileNotFoundError):
        return ObjectMissing(key)
    found = re.search(r"non-2xx status code: (\d+)", text)
    status = int(found[1]) if found else 0
    # obstore has an error of its own for these statuses, but not of a list.
    if status in DENYING or any(code in text for code in DENIALS):
        return AccessDenied.by(store, errors.reason(error))
    if status in _PASSING:
        return StoreUnavailable.failing(store, errors.reason(error))
    if tls := re.search("InvalidCertificate|InvalidContentType", text):
        return StoreConnectionError.by_tls(store, tls[0])
    if "HTTP error" in text:
        return StoreUnavailable.silent(store, errors.cause(error))
    return StoreError(f"The store at {store} failed: {errors.reason(error)}")
