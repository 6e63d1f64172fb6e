"""Old runs and broken uploads go; what a model refers to stays."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from podline.store import Store, StoreError, keys
from podline.store.boto3_client import boto3_client
from podline.store.keys import TryKey
from podline.store.retention import break_off, clean

TICK = 1.1  # seconds, and a little: the store's times are whole seconds
ANY = timedelta(seconds=-5)  # even what was written just now is older


@pytest.fixture
def old(store: Store) -> dict[str, str]:
    """Two runs of one DAG."""
    found = {}
    for run in ("r1", "r 2"):
        for name in ("model.keras", "data.parquet"):
            key = TryKey("power", run, "train", -1, 1, "ab12").key(name)
            store.put(key, b"12345")
            found[f"{run}/{name}"] = key
        found[run] = keys.file_key(keys.run_prefix("power", run), "ab12")
        store.put(found[run], b"1")
    return found


def publish(store: Store, references: object) -> None:
    store.put(keys.manifest_key("power", 1), json.dumps({"references": references}).encode())
    store.put(keys.version_key("power", 1, "model.keras"), b"1")


def everything(store: Store) -> set[str]:
    return {item.key for item in store.list("runs")}


def test_old_runs_go(store: Store, old: dict[str, str]) -> None:
    time.sleep(TICK)
    between = datetime.now(UTC)
    time.sleep(TICK)
    young = TryKey("power", "r3", "train", -1, 1, "ab12").key("model.keras")
    again = TryKey("power", "r 2", "evaluate", -1, 1, "ab12").key("metrics.json")
    store.put(young, b"1")
    store.put(again, b"1")

    def age() -> timedelta:
        """Of what was written at that moment, however long this takes."""
        return datetime.now(UTC) - between

    planned = clean(store, age(), dry_run=True)
    assert everything(store) == {*old.values(), young, again}
    assert clean(store, age()) == planned
    assert everything(store) == {*(old[n] for n in old if n.startswith("r 2")), young, again}
    (run,) = planned
    assert (run.dag_id, run.run_id, run.size, run.kept) == ("power", "r1", 11, 0)
    assert clean(store, age()) == []


def test_what_a_model_refers_to_stays(store: Store, old: dict[str, str]) -> None:
    publish(store, [old["r1/model.keras"]])
    removed = {run.run_id: run for run in clean(store, ANY)}
    assert everything(store) == {old["r1/model.keras"]}
    assert removed["r1"].kept == 1
    assert removed["r 2"].kept == 0
    assert store.exists(keys.version_key("power", 1, "model.keras"))
    assert clean(store, ANY) == []


@pytest.mark.parametrize("manifest", [b"{", b"{}", b'{"references": 1}', b"[]"])
def test_a_manifest_that_cannot_be_read_stops_it(
    store: Store, old: dict[str, str], manifest: bytes
) -> None:
    store.put(keys.manifest_key("power", 1), manifest)
    with pytest.raises(StoreError, match=r"models/power/versions/1/manifest\.json cannot be read"):
        clean(store, ANY)
    assert everything(store) == set(old.values())


def test_the_records_of_tries_stay(store: Store, old: dict[str, str]) -> None:
    record = TryKey("power", "r1", "train", -1, 1, "ab12").key(keys.LATENCY)
    store.put(record, b"{}")
    (first, _) = sorted(clean(store, ANY), key=lambda run: run.run_id != "r1")
    assert first.kept == 0
    assert everything(store) == {record}
    assert clean(store, ANY) == []


@pytest.fixture
def begun(store: Store) -> str:
    """The key of an upload in parts that was broken off after its first one."""
    key = TryKey("power", "r1", "train", -1, 1, "ab12").key("model.keras")
    client, bucket = boto3_client(store.connection, {}), store.connection.bucket
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")
    return key


def test_uploads_that_came_to_no_end_go(store: Store, begun: str) -> None:
    assert break_off(store, timedelta(hours=1)) == []
    assert break_off(store, ANY, dry_run=True) == [begun]
    assert break_off(store, ANY) == [begun]
    assert break_off(store, ANY) == []
    assert not store.exists(begun)


def test_uploads_cannot_be_listed(store: Store) -> None:
    wrong = Store(replace(store.connection, secret_key="wrong"))
    with pytest.raises(StoreError, match="failed: .*SignatureDoesNotMatch"):
        break_off(wrong, ANY)
