"""The object store: any S3 server, named by an Airflow connection; a local one by default."""

from typing import TYPE_CHECKING, Any

from podline.store.connection import StoreConnection
from podline.store.errors import (
    AccessDenied,
    AlreadyExists,
    BucketMissing,
    Conflict,
    EmbeddedStoreError,
    ObjectMissing,
    StoreConnectionError,
    StoreError,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from podline.store.client import ObjectInfo, Store, open_store

__all__ = [
    "AccessDenied",
    "AlreadyExists",
    "BucketMissing",
    "Conflict",
    "EmbeddedStoreError",
    "ObjectInfo",
    "ObjectMissing",
    "Store",
    "StoreConnection",
    "StoreConnectionError",
    "StoreError",
    "StoreUnavailable",
    "open_store",
]


def __getattr__(name: str) -> Any:
    # The client is loaded where a store is opened, not where a DAG file names its keys.
    if name in ("ObjectInfo", "Store", "open_store"):
        from podline.store import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
