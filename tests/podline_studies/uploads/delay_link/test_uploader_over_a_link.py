"""Uploads over a real delay link: what the client makes of it, and of its being cut."""

import itertools
import random
import threading

import pytest

from podline.store import Store, StoreConnection
from podline.store.upload.part_planner import MIB, Network
from podline.store.upload.uploader import Uploader
from podline_studies.uploads.delay_link import LinkSpec
from podline_studies.uploads.delay_link.control import Link
from tests.support import delay_link

pytestmark = [*delay_link.MARKS, pytest.mark.timeout(180)]

BY_LOSS = ("cubic", "reno")
DATA = random.Random(1).randbytes(16 * MIB)


def test_the_way_is_learnt(far: tuple[StoreConnection, Link]) -> None:
    store, link = far
    link.set(LinkSpec(0.05, rate=1e8))
    numbers = itertools.count()

    def learn() -> Network:
        with Uploader(store) as uploader:
            for _ in range(3):
                uploader.put(f"learnt-{next(numbers)}", DATA)
            return uploader.network

    def is_right(found: Network) -> bool:
        near = found.rtt == pytest.approx(0.05, abs=0.01)
        return bool(near and found.throughput == pytest.approx(12e6, rel=0.3))

    found = delay_link.undisturbed(learn, is_right)
    assert is_right(found), found
    if found.congestion in BY_LOSS:  # others may overrun the queue all the time
        assert found.loss < 0.01


def test_a_link_that_is_cut_for_ten_seconds(far: tuple[StoreConnection, Link]) -> None:
    """In the middle of the body; TCP, or another attempt, brings the rest."""
    store, link = far
    link.set(LinkSpec(0.02, rate=1e8))
    cut = threading.Event()
    total = 0

    def sent(part: int) -> None:
        nonlocal total
        total += part
        if total > 8 * MIB and not cut.is_set():
            cut.set()
            link.cut(10)

    with Uploader(store) as uploader:
        done = uploader.put("cut", DATA, sent)
    assert cut.is_set()
    assert 10 < done.ended - done.began < 60
    assert total == len(DATA)
    assert bytes(Store(store).get("cut")) == DATA


def test_parts_over_a_lossy_link(far: tuple[StoreConnection, Link]) -> None:
    store, link = far
    link.set(LinkSpec(0.02, rate=1e8, loss=0.01))
    with Uploader(store) as uploader:
        for number in range(2):
            uploader.put(f"lossy-{number}", DATA)
        assert uploader.network.loss > 0.001
        done = uploader.put("lossy-2", DATA)
    if uploader.network.congestion in BY_LOSS:
        assert done.plan.parts > 1
    assert bytes(Store(store).get("lossy-2")) == DATA
