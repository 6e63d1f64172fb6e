"""A batch of two real stores: what is uploaded, timed and verified."""

import hashlib
import itertools
import math
from dataclasses import replace

import pytest

from podline.store import Store
from podline_studies.machine import code_digest
from podline_studies.uploads.batch import BatchTask, Target, orders_of, upload_batch
from podline_studies.uploads.clients import CLIENTS

pytestmark = pytest.mark.xdist_group("link")  # the sink's port is fixed


@pytest.fixture
def task(store: Store, sinking: str, monkeypatch: pytest.MonkeyPatch) -> BatchTask:
    """Two pairs of 100 kB; both stores are one server here, by two connections."""
    other = replace(store.connection, conn_id="vm_store")
    for name, value in other.to_env().items():
        monkeypatch.setenv(name, value)
    address = store.connection.endpoint_url or ""
    targets = (Target("podline_store", address, address), Target("vm_store", address, address))
    return BatchTask(targets, "podline", 100_000, "", 2, "uploads/s/0001", True, sinking, seed=7)


def test_each_store_gets_each_pair_cold_and_warm(store: Store, task: BatchTask) -> None:
    found = upload_batch(task)
    over = [upload for upload in found.uploads if not upload.direct]
    stores = ("podline_store", "vm_store")
    expected = list(itertools.product(stores, (0, 1), (False, True)))
    assert sorted((u.store, u.pair, u.warm) for u in over) == expected
    assert {upload.store for upload in found.uploads if upload.direct} == set(stores)
    for upload in found.uploads:
        assert hashlib.sha256(store.get(upload.key)).hexdigest() == found.sha256
        assert upload.exact
        assert upload.transfer is not None
        assert upload.commit is not None
        assert 0 < upload.transfer + upload.commit <= upload.seconds
    assert found.before.rtt < 0.1
    assert found.before.goodput > 1e6


def test_what_is_not_asked_for_is_not_uploaded(task: BatchTask) -> None:
    assert {u.direct for u in upload_batch(replace(task, pairs=0)).uploads} == {True}
    assert {u.direct for u in upload_batch(replace(task, around=False)).uploads} == {False}


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "rclone"])
def test_every_client_stores_the_same(store: Store, task: BatchTask, client: str) -> None:
    found = upload_batch(replace(task, client=client, pairs=1))
    assert {hashlib.sha256(store.get(u.key)).hexdigest() for u in found.uploads} == {found.sha256}


def test_the_seed_makes_bytes_and_order(task: BatchTask) -> None:
    first, again = upload_batch(task), upload_batch(replace(task, prefix="uploads/s/0002"))
    other = upload_batch(replace(task, prefix="uploads/s/0003", seed=8))
    assert first.sha256 == again.sha256 != other.sha256
    order = [[(u.store, u.pair, u.warm) for u in found.uploads] for found in (first, again)]
    assert order[0] == order[1]


@pytest.mark.parametrize("stores", [2, 3])
def test_each_store_is_before_each_other_one_as_often_as_after_it(stores: int) -> None:
    targets = tuple(Target(name, "", "") for name in "abc"[:stores])
    orders = orders_of(targets, "8 MB, 20 ms")
    assert len(set(orders)) == math.factorial(stores)
    for first in range(0, len(orders), 2):  # of any even number
        some = orders[first : first + 2]
        for one, other in itertools.permutations(targets, 2):
            assert sum(order.index(one) < order.index(other) for order in some) == 1
    assert orders == orders_of(targets, "8 MB, 20 ms")


def test_a_visit_goes_on_with_the_orders_of_the_one_before(task: BatchTask) -> None:
    def order(first: int) -> list[str]:
        found = upload_batch(replace(task, first=first, prefix=f"uploads/s/{first}", pairs=1))
        return [u.store for u in found.uploads if not u.direct and not u.warm]

    assert order(0) == order(1)[::-1] == order(2)


def test_what_it_ran_by_is_told(task: BatchTask) -> None:
    found = upload_batch(replace(task, pairs=0))
    assert found.versions.keys() == {"python", "boto3", "code"}
    assert found.versions["code"] == code_digest()


def test_a_published_model_is_uploaded(store: Store, task: BatchTask) -> None:
    store.put("models/power/versions/1/model.tflite", b"weights" * 1000)
    found = upload_batch(replace(task, model="models/power/versions/1/model.tflite"))
    assert found.sha256 == hashlib.sha256(b"weights" * 1000).hexdigest()
