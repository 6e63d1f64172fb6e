"""The collector rests while libraries are imported, and then does what it was told to."""

import gc
from collections.abc import Callable, Iterator

import pytest

from podline.runner.garbage import resting


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.enable()


def collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats())


def make_objects() -> list[list[int]]:
    return [[number] for number in range(20 * gc.get_threshold()[0] or 20_000)]


def test_no_collection_begins_in_the_block() -> None:
    gc.set_threshold(700, 10, 10)
    before = collections()
    with resting():
        kept = make_objects()
        assert collections() == before
    kept += make_objects()
    assert collections() > before
    assert gc.get_threshold()[0] == 700


@pytest.mark.parametrize(
    ("ask", "asked"),
    [
        (lambda: gc.set_threshold(9_000, 5, 5), (True, 9_000)),
        (gc.disable, (False, 700)),
    ],
)
def test_a_library_has_what_it_asked_for(ask: Callable[[], None], asked: tuple[bool, int]) -> None:
    gc.set_threshold(700, 10, 10)
    with resting():
        ask()
    assert (gc.isenabled(), gc.get_threshold()[0]) == asked


def test_an_import_that_fails_leaves_the_thresholds() -> None:
    gc.set_threshold(700, 10, 10)
    with pytest.raises(ImportError), resting():
        raise ImportError
    assert gc.get_threshold()[0] == 700
