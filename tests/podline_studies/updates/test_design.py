"""Which batches a study makes, and in which order."""

from collections import Counter
from typing import Any

import pytest

from podline.exceptions import PodlineError
from podline_studies.updates.design import FORMS, KB, MB, Design, from_params
from podline_studies.updates.nodes import WAYS

PARAMS: dict[str, Any] = {"preset": "quick", "forms": [*FORMS], "ways": [*WAYS]}
PARAMS |= {"batch": 2, "seed": 1}
STORES = ("podline_store", "vm_store")


def design(**changes: Any) -> Design:
    return from_params(PARAMS | changes, STORES)


def test_each_point_has_its_repeats_from_both_stores() -> None:
    repeats = Counter[tuple[Any, ...]]()
    found = design().items()
    assert [batch.index for batch in found] == list(range(len(found)))
    for batch in found:
        for cell in batch.cells:
            repeats[batch.store, batch.rtt, cell.size, cell.form] += cell.repeats
    assert set(repeats.values()) == {8}
    assert len(repeats) == 3 * 2 * 2  # sizes and links, forms, stores


def test_the_stores_of_a_link_come_one_after_the_other_and_in_the_same_order_within() -> None:
    found = design().items()
    for one, other in zip(found[::2], found[1::2], strict=True):
        assert {one.store, other.store} == set(STORES)
        assert (one.rtt, one.rate, one.round) == (other.rtt, other.rate, other.round)
        assert list(one.updates([*WAYS], 1)) == list(other.updates([*WAYS], 1))
    first = {batch.store for batch in design(repeats=40).items()[::2]}
    assert first == set(STORES)  # which comes first is chance


def test_updates_by_all_ways_are_neighbours_in_an_order_of_chance() -> None:
    updates = list(design().items()[0].updates([*WAYS], 1))
    groups = [updates[at : at + len(WAYS)] for at in range(0, len(updates), len(WAYS))]
    for group in groups:
        assert len({(one.cell, one.repeat) for one in group}) == 1
        assert {one.way for one in group} == set(WAYS)
    assert len({tuple(one.way for one in group) for group in groups}) > 1
    assert len(groups) in (2 * 2, 2 * 2 * 2)  # one size or two, forms, repeats


def test_the_seed_makes_the_order() -> None:
    assert design().items() == design().items()
    assert design(repeats=40).items() != design(repeats=40, seed=2).items()
    batch = design().items()[0]
    assert list(batch.updates([*WAYS], 1)) == list(batch.updates([*WAYS], 1))
    assert list(batch.updates([*WAYS], 1)) != list(batch.updates([*WAYS], 2))


def test_more_repeats_add_rounds_to_a_design() -> None:
    assert design(repeats=10).adds_to(design())
    assert not design(repeats=9, batch=3).adds_to(design(batch=3))  # round 2 had two repeats
    assert not design(repeats=10, forms=["int8"]).adds_to(design())
    assert not design().adds_to(design())


def test_the_full_preset_is_the_one_that_was_planned() -> None:
    repeats = Counter[int]()
    for batch in design(preset="full").items():
        for cell in batch.cells:
            repeats[cell.size] += cell.repeats
    stores_and_forms = 4
    many = dict.fromkeys((100 * KB, MB, 10 * MB), 5 * 2 * 8 * stores_and_forms)
    assert repeats == many | {100 * MB: (2 * 8 + 4) * stores_and_forms}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "huge"}, "preset = 'huge': give one of quick, full"),
        ({"ways": ["carrier pigeon"]}, "give some of podline, podline-told, polling, mlserver"),
        ({"forms": []}, r"forms = \[\]: give some of float32, int8"),
        ({"sizes": [0]}, "sizes = 0: give a whole number of 1 or more"),
        ({"rates": [0]}, "rates = 0: give a whole number of 1 or more"),
        ({"batch": 0}, "batch = 0: give a whole number of 1 or more"),
        ({"rtts_ms": [20_000]}, "rtt = 20.0 of a link: give 0 to 10"),
        ({"repeats": 3000}, "this makes 6,000 batches, and Airflow maps a task 1,000"),
    ],
)
def test_what_makes_no_design(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(PodlineError, match=said):
        design(**changes)
