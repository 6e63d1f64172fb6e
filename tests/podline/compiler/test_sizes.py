"""The parameters of a notebook that its metadata names as its sizes."""

from typing import Any

import pytest

from .conftest import Check


def sizes(**value: Any) -> dict[str, Any]:
    return {"podline": {"sizes": value}}


PARAMETERS = ("parameters", "rows = 10\nepochs = 3")
STAGE = ("step:a", "print(rows, epochs)")


def test_sizes_are_names_of_parameters(check: Check) -> None:
    about = sizes(data="rows", fixed={"epochs": 1})
    found = check(PARAMETERS, STAGE, metadata=about).settings.sizes
    assert found
    assert (found.data, found.model, found.fixed) == ("rows", "", {"epochs": 1})
    assert check(PARAMETERS, STAGE).settings.sizes is None


def test_a_name_that_is_no_parameter(check: Check) -> None:
    (problem,) = check(PARAMETERS, STAGE, metadata=sizes(data="rowz")).errors
    assert problem.render("n.ipynb") == (
        "n.ipynb: error: names 'rowz' in its metadata podline.sizes, and has no such "
        "parameter\n    fix: name one of its parameters: rows, epochs"
    )


@pytest.mark.parametrize("value", [{"data": 5}, {"depth": "rows"}, {"fixed": ["rows"]}])
def test_what_sizes_are(check: Check, value: dict[str, Any]) -> None:
    (problem,) = check(PARAMETERS, STAGE, metadata=sizes(**value)).errors
    assert problem.message == f"the notebook's metadata podline.sizes is {value!r}"
