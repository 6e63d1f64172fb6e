"""The object store: any S3 server, named by an Airflow connection; a local one by default."""

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
from podline.store.objects import ObjectInfo, Store, open_store

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
