"""Removing what old runs left in the store."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from podline.store import keys
from podline.store.client import ObjectInfo, Store
from podline.store.errors import StoreError


@dataclass(frozen=True)
class Removed:
    """What was (or would be) removed of one run; `kept` counts objects that a model refers to."""

    dag_id: str
    run_id: str
    newest: datetime
    keys: list[str] = field(repr=False)
    size: int
    kept: int


def clean(store: Store, older_than: timedelta, dry_run: bool = False) -> list[Removed]:
    """Remove the objects of runs that wrote nothing for `older_than`.

    An object that the manifest of a published model refers to stays, and so do the records of
    tries, which are small and all that is left of an old run. Choose `older_than` longer than any
    stage takes: a run is as old as its newest object.

    Args:
        store: where.
        older_than: the age of a run that goes.
        dry_run: whether to remove nothing, and only say what would go.

    Returns:
        One entry a run, the oldest first.

    Raises:
        StoreError: a manifest cannot be read; nothing is removed then.
    """
    limit = datetime.now(UTC) - older_than
    old = [run for run in _runs(store) if run[0].modified < limit]
    if not old:
        return []
    references = _references(store)
    removed = [_removed(run, references) for run in sorted(old, key=lambda run: run[0].modified)]
    removed = [entry for entry in removed if entry.keys]
    if not dry_run:
        store.delete(key for entry in removed for key in entry.keys)
    return removed


def break_off(store: Store, older_than: timedelta, dry_run: bool = False) -> list[str]:
    """Remove the parts of uploads that were begun before `older_than` and came to no end.

    Nobody sees them, but they take room: those of an uploader that was killed, or lost its store.

    Args:
        store: where.
        older_than: the age of an upload that goes.
        dry_run: whether to remove nothing, and only say what would go.

    Returns:
        The objects' keys, in order.

    Raises:
        StoreError: the store refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from podline.store.boto3_client import boto3_client

    limit = datetime.now(UTC) - older_than
    client, bucket = boto3_client(store.connection, {}), store.connection.bucket
    pages = client.get_paginator("list_multipart_uploads")
    try:
        old = [
            begun
            for prefix in (keys.RUNS, keys.MODELS)
            for page in pages.paginate(Bucket=bucket, Prefix=f"{prefix}/")
            for begun in page.get("Uploads", [])
            if begun["Initiated"] < limit
        ]
        for begun in [] if dry_run else old:
            with suppress(client.exceptions.NoSuchUpload):  # it has come to its end meanwhile
                client.abort_multipart_upload(
                    Bucket=bucket, Key=begun["Key"], UploadId=begun["UploadId"]
                )
    except (BotoCoreError, ClientError) as error:
        raise StoreError(f"The store at {store.connection} failed: {error}") from None
    return sorted(begun["Key"] for begun in old)


def _runs(store: Store) -> Iterator[list[ObjectInfo]]:
    """The objects of each run, the newest first."""
    for dag in store.list_folders(keys.RUNS):
        for run in store.list_folders(dag):
            objects = sorted(store.list(run), key=lambda item: item.modified, reverse=True)
            if objects:
                yield objects


def _removed(objects: list[ObjectInfo], references: set[str]) -> Removed:
    records = {item.key for item in objects if item.key.endswith(f"/{keys.LATENCY}")}
    going = [item for item in objects if item.key not in references | records]
    dag_id, run_id = keys.split(objects[0].key)[1:3]
    return Removed(
        dag_id=dag_id,
        run_id=run_id,
        newest=objects[0].modified,
        keys=[item.key for item in going],
        size=sum(item.size for item in going),
        kept=len(objects) - len(records) - len(going),
    )


def _references(store: Store) -> set[str]:
    """The keys that the manifests of all published versions name."""
    found: set[str] = set()
    for item in store.list(keys.MODELS):
        if not item.key.endswith("/" + keys.MANIFEST):
            continue
        try:
            manifest = json.loads(bytes(store.get(item.key)))
            found.update(str(key) for key in manifest["references"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"The manifest {item.key} cannot be read ({error!r}), so what it refers to is "
                "unknown: nothing was removed."
            ) from None
    return found
