"""A study's combinations, and their order."""

import json
from collections import Counter
from typing import Any

import pytest

from podline_studies.overhead.design import BACKENDS, Design, from_params
from podline_studies.validation import DesignError

OWN = dict.fromkeys(["data", "models", "repeats"])
PARAMS = {"preset": "quick", "notebooks": ["n"], "backends": ["notebook", "process"], "seed": 1}
PARAMS |= OWN


def test_each_repeat_has_each_combination_once() -> None:
    design = Design(("n", "m"), ("notebook", "process"), ((10, 1), (20, 1)), repeats=3, seed=7)
    found = design.items()
    assert [combination.index for combination in found] == list(range(24))
    blocks = [found[place : place + 8] for place in (0, 8, 16)]
    for repeat, block in enumerate(blocks):
        assert {combination.repeat for combination in block} == {repeat}
        assert Counter((c.notebook, c.backend, c.data) for c in block).most_common(1)[0][1] == 1


def test_a_seed_makes_the_order() -> None:
    design = from_params(PARAMS | {"repeats": 4})
    other = from_params(PARAMS | {"repeats": 4, "seed": 2})
    assert design.items() == from_params(PARAMS | {"repeats": 4}).items()
    assert [str(c) for c in design.items()] != [str(c) for c in other.items()]
    # No backend comes first in each repeat.
    assert len({c.backend for c in design.items()[:: len(design.items()) // 4]}) > 1


def test_more_repeats_leave_the_order_of_those_before() -> None:
    few, many = (from_params(PARAMS | {"repeats": n}).items() for n in (2, 5))
    assert many[: len(few)] == few


def test_sizes_of_ones_own_are_crossed() -> None:
    design = from_params(PARAMS | {"data": [5, 6], "models": [1, 2]})
    assert design.sizes == ((5, 1), (5, 2), (6, 1), (6, 2))
    assert design.warm_up == (5, 1)
    assert from_params(PARAMS | {"data": [5]}).sizes == ((5, 10_000),)


def test_the_full_preset_is_crossed_but_for_the_largest_data() -> None:
    design = from_params(PARAMS | {"preset": "full", "backends": list(BACKENDS)})
    assert len(design.sizes) == 7
    assert len(design.items()) == 7 * 9 * 6
    assert [model for data, model in design.sizes if data == 10_000_000] == [10_000]


def test_training_steps_are_crossed_with_the_rest() -> None:
    design = from_params(PARAMS | {"data": [5], "models": [1], "steps": [10, 20]})
    assert Counter(c.steps for c in design.items()) == {10: 6, 20: 6}
    assert "20 steps" in str(next(c for c in design.items() if c.steps == 20))
    assert {c.steps for c in from_params(PARAMS).items()} == {0}


def test_no_size_is_the_notebooks_own() -> None:
    design = from_params(PARAMS | {"data": [], "models": [7]})
    assert design.sizes == ((None, 7),)


def test_a_study_without_steps_is_read_as_one_of_the_notebooks_own() -> None:
    kept = json.loads(from_params(PARAMS).to_json())
    assert kept.pop("steps") == [0]
    assert Design.from_json(json.dumps(kept)) == from_params(PARAMS)


def test_a_design_is_kept_as_json() -> None:
    design = from_params(PARAMS)
    assert Design.from_json(design.to_json()) == design


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"preset": "huge"}, "preset = 'huge': give one of quick, full"),
        (
            {"backends": ["docker"]},
            "backends = ['docker']: give some of notebook, notebook-pod, process",
        ),
        ({"backends": []}, "backends = []: give some of"),
        ({"notebooks": []}, "name at least one notebook"),
        ({"data": [0]}, "data = 0: give a whole number of 1 or more"),
        ({"models": ["big"]}, "models = 'big': give a whole number"),
        ({"steps": [0]}, "steps = 0: give a whole number of 1 or more"),
        ({"repeats": -1}, "repeats = -1: give a whole number"),
        ({"repeats": 300}, "this makes 1,200 combinations, and Airflow maps a task 1,000 times"),
    ],
)
def test_what_makes_no_design(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DesignError) as caught:
        from_params(PARAMS | change)
    assert str(caught.value).startswith(message) or message in str(caught.value)
