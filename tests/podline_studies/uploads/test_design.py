"""Which batches a study makes, and in which order."""

import json
from collections import Counter
from dataclasses import fields
from typing import Any

import pytest

from podline.models.manifest import Lineage, Manifest, ModelFile
from podline_studies.reports.equivalence import LEAST
from podline_studies.uploads.delay_link import LinkError, LinkSpec
from podline_studies.uploads.design import MB, PRESETS, Arm, Design, from_params
from podline_studies.validation import DesignError

PARAMS: dict[str, Any] = {"preset": "quick", "clients": ["podline", "boto3"], "place": "process"}
PARAMS |= {"rate": 100, "loss": 0.0, "jitter_ms": 0.0, "pairs": None, "seed": 1}
SECONDS = {"serialise": 0.5}
ARM = [field.name for field in fields(Arm)]
STORES = ("podline_store", "vm_store", "bare_store")


def design(**changes: Any) -> Design:
    return from_params(PARAMS | changes, {}, STORES)


def test_each_point_has_its_pairs() -> None:
    found = design().items()
    assert [batch.index for batch in found] == list(range(len(found)))
    pairs = Counter[tuple[Any, ...]]()
    for batch in found:
        pairs[batch.size, batch.rtt, batch.client] += batch.pairs
    assert set(pairs.values()) == {10}
    assert len(pairs) == 2 * 2 * 2


def test_a_round_has_each_point_once_in_an_order_of_chance() -> None:
    found = design().items()
    first = [batch for batch in found if batch.round == 0]
    assert len({(v.size, v.rtt, v.client) for v in first}) == len(first) == 8
    assert found[:8] == first
    assert design().items() == found
    assert design(seed=2).items() != found


def test_more_pairs_add_rounds_to_a_design() -> None:
    assert design(repeats=14).adds_to(design())
    assert not design(repeats=13, pairs=3).adds_to(design(pairs=3))  # round 3 was of one pair
    assert not design(repeats=14, loss=0.1).adds_to(design())
    assert not design().adds_to(design())


def test_the_full_preset_is_the_one_that_was_planned() -> None:
    found = design(preset="full").items()
    pairs = Counter[int]()
    for batch in found:
        pairs[batch.size] += 0 if batch.arm else batch.pairs
    many = dict.fromkeys((1000, 64_000, MB, 8 * MB), 192)
    assert pairs == many | {64 * MB: 32, 500 * MB: 8}
    arms = Counter(batch.arm for batch in found if batch.arm)
    assert set(arms.values()) == {16}
    assert len(arms) == 9


def test_each_point_of_a_preset_is_visited_often_enough_for_an_interval() -> None:
    """But those of the largest size, which takes minutes: it has the mean over its points."""
    for preset in PRESETS:
        visits = Counter[tuple[Any, ...]]()
        for batch in design(preset=preset).items():
            visits[batch.arm, batch.size, batch.rtt, batch.client] += 1
        assert min(n for point, n in visits.items() if point[1] < 500 * MB) >= LEAST


def test_each_size_of_a_preset_has_points_enough_for_an_interval() -> None:
    for preset in PRESETS:
        found = {(b.arm, b.size, b.rtt, b.client) for b in design(preset=preset).items()}
        assert min(Counter(point[:2] for point in found).values()) >= LEAST


def test_the_full_preset_takes_less_than_six_hours() -> None:
    assert design(preset="full").seconds < 6 * 3600
    assert design().seconds < 3600


def test_other_links_differ_from_the_usual_one_in_one_thing() -> None:
    found = design(preset="full", loss=0.001)
    usual = found.arm("")
    for arm in found.arms:
        changed = [f for f in ARM if f != "name" and getattr(arm, f) != getattr(usual, f)]
        assert len(changed) == 1, arm
    batch = next(batch for batch in found.items() if batch.arm == "queue of 4")
    assert found.link(batch) == LinkSpec(batch.rtt, 1e8, 0.001, 0.0, 4.0)
    assert str(batch).startswith(f"8 MB, {batch.rtt * 1000:g} ms, queue of 4, ")


def test_a_design_that_was_stored_before_there_were_other_links_is_read() -> None:
    """And makes the batches that it made."""
    point = {"model": "", "pairs": 30, "rtts": [0.02], "serialise": None, "size": 1000}
    about = {"loss": 0.0, "jitter": 0.0, "rate": 1e8, "place": "pod", "seed": 1, "pairs": 15}
    stored = about | {"points": [point], "clients": ["boto3"], "stores": ["a", "b"]}
    found = Design.from_json(json.dumps(stored))
    assert found.accelerated is None
    assert [batch.pairs for batch in found.items()] == [15, 15]


def test_the_usual_link_goes_by_the_algorithm_that_the_machine_had() -> None:
    found = design(preset="full", congestion="bbr")
    assert found.arm("").congestion == found.arm("TLS").congestion == "bbr"
    assert found.arm("reno").congestion == "reno"


def test_a_link_that_cannot_be() -> None:
    with pytest.raises(LinkError, match=r"rtt = -0\.02 of a link: give 0 to 10"):
        design(rtts_ms=[-20])


def test_sizes_of_ones_own_and_models() -> None:
    file = ModelFile("model.tflite", 123_456, "ab12")
    formats = {"tflite": file.path}
    model = Manifest("power", 3, "", "a.Model", formats, (file,), {}, {}, Lineage(), {}, SECONDS)
    found = from_params(
        PARAMS | {"sizes": [5000], "rtts_ms": [20], "repeats": 7}, {"power/3": model}, STORES
    )
    assert [point.serialise for point in found.points] == [None, 0.5]
    expected = {(5000, "", 0.02), (123_456, "power/3", 0.02)}
    assert {(batch.size, batch.model, batch.rtt) for batch in found.items()} == expected
    assert sum(batch.pairs for batch in found.items() if batch.model) == 14
    alone = from_params(PARAMS | {"sizes": []}, {"power/3": model}, STORES)
    assert [point.model for point in alone.points] == ["power/3"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "huge"}, "preset = 'huge': give one of quick, full"),
        ({"clients": ["scp"]}, r"clients = \['scp'\]: give some of podline, boto3"),
        ({"clients": []}, r"clients = \[\]: give some of"),
        ({"place": "moon"}, "place = 'moon': give one of pod, process"),
        ({"sizes": []}, "nothing is to be uploaded: give `sizes`, or `models`"),
        ({"sizes": [0]}, "sizes = 0: give a whole number of 1 or more"),
        (
            {"preset": "full", "repeats": 30, "pairs": 1},
            "this makes [0-9,]+ batches, and Airflow maps a task 1,000",
        ),
    ],
)
def test_what_makes_no_design(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        design(**changes)
