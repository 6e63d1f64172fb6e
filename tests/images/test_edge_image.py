"""The image of an edge has what an edge needs, in Airflow's side's versions, and no more."""

import sys

import pytest
from packaging.requirements import Requirement

from tests.images.test_requirements import modules
from tests.support.requirements import PROJECT, ROOT, pins

PINS = ROOT / "images" / "edge" / "requirements.txt"


def test_pins_are_those_of_airflows_side() -> None:
    outside = pins(ROOT / "requirements.txt")
    assert pins(PINS) == {name: outside[name] for name in pins(PINS)}


def test_all_that_the_project_names_is_pinned() -> None:
    names = {Requirement(item).name for item in PROJECT["dependency-groups"]["edge"]}
    assert names <= pins(PINS).keys()


@pytest.mark.parametrize("name", ["apache-airflow", "tensorflow-cpu", "pandas", "scikit-learn"])
def test_what_is_not_in_it(name: str) -> None:
    assert name not in pins(PINS)


def test_what_an_edge_imports_is_inside() -> None:
    imported = set()
    for path in (ROOT / "plugins" / "podline" / "edge").glob("*.py"):
        imported |= modules(path)
    assert imported - sys.stdlib_module_names - {"podline"} <= pins(PINS).keys()
