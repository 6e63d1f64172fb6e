"""Values that users write: parameters go by the type of their default."""

from datetime import timedelta
from typing import Any

import pytest

from podline.cli.values import ValueFormError, read_duration, read_parameters
from podline.compiler.compiler import compile_notebook
from podline.compiler.pipeline import Pipeline
from podline.exceptions import StageError

from .conftest import Write

DEFAULTS = "rows = 10\nrate = 0.5\nname = 'a'\nflag = False\nxs = [1]\nby = {'a': 1}\nextra = None"


@pytest.fixture
def pipeline(write: Write) -> Pipeline:
    return compile_notebook(write("params", ("parameters", DEFAULTS), ("step:load", "x = rows")))


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("rows=5", 5),
        ("rows=-1_000", -1000),
        ("rate=2", 2.0),
        ("rate=1e-3", 0.001),
        ("name=b", "b"),
        ("name=5", "5"),
        ("name=", ""),
        ("name=a=b", "a=b"),
        ("name=' b'", " b"),
        ("flag=true", True),
        ("flag=False", False),
        ("xs=[1, 2]", [1, 2]),
        ("by={'b': 2}", {"b": 2}),
        ("extra=None", None),
        ("extra=3", 3),
        ("extra=s3://b/k", "s3://b/k"),
    ],
)
def test_values(pipeline: Pipeline, given: str, value: Any) -> None:
    (found,) = read_parameters(pipeline, [given]).values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ("rows=1.5", "rows", "a whole number"),
        ("rows=1e6", "rows", "a whole number"),
        ("rows=True", "rows", "a whole number"),
        ("rows=x", "rows", "a whole number"),
        ("rows=", "rows", "a whole number"),
        ("rate=fast", "rate", "a number"),
        ("flag=1", "flag", "true or false"),
        ("xs=3", "xs", "a Python list"),
        ("by=[", "by", "a Python dict"),
        ("xs=__import__('os')", "xs", "a Python list"),
    ],
)
def test_another_type_is_refused(pipeline: Pipeline, given: str, name: str, expected: str) -> None:
    with pytest.raises(ValueFormError) as raised:
        read_parameters(pipeline, [given])
    value = given.partition("=")[2]
    assert f"{name!r} cannot be {value!r}: give {expected}" in str(raised.value)


def test_an_unknown_parameter_names_the_known(pipeline: Pipeline) -> None:
    with pytest.raises(StageError, match=r"no parameter 'row'; it has: .*rows"):
        read_parameters(pipeline, ["row=1"])


def test_a_parameter_needs_a_value(pipeline: Pipeline) -> None:
    with pytest.raises(ValueFormError, match="write -p rows=VALUE"):
        read_parameters(pipeline, ["rows"])


def test_the_last_value_counts(pipeline: Pipeline) -> None:
    assert read_parameters(pipeline, ["rows=1", "rows=2"]) == {"rows": 2}


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0m", timedelta(0)),
        ("90m", timedelta(minutes=90)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        (" 2w", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, length: timedelta) -> None:
    assert read_duration(text) == length


@pytest.mark.parametrize("text", ["", "30", "d", "1.5h", "-1d", "3 days", "1y", "9999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueFormError, match="such as 12h, 30d or 2w"):
        read_duration(text)
