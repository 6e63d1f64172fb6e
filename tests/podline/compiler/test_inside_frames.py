"""Code that looks past pandas at what frames share inside: refused below the first stage."""

import pytest

from .conftest import Check

MADE = (
    "step:a",
    "a = pd.DataFrame({'k': [1]}); b = a.copy(deep=False); kinds = a.k.cat.categories",
)
IMPORT = ("imports", "import pandas as pd")


@pytest.mark.parametrize(
    "source",
    [
        "same = a['k'].dtype.categories is b['k'].dtype.categories",
        "same = a.k.cat.categories is not b.k.cat.categories",
        "one = a.k.cat.categories; other = b.k.cat.categories\nsame = one is other",
        "same = [s.dtype is a.k.dtype for s in (a.k, b.k)]",
        "numbers = {id(s.cat.categories) for s in (a.k, b.k)}",
    ],
)
def test_identity(check: Check, source: str) -> None:
    (error,) = check(IMPORT, MADE, ("step:b", source)).errors
    assert "asks whether columns have the very same type" in error.message


@pytest.mark.parametrize(
    "source",
    [
        "x = a.k.to_numpy(); x.flags.writeable = True",
        "x = a.k.to_numpy(); x.flags['WRITEABLE'] = True",
        "x = a.k.values; x.setflags(write=True)",
        "x = a.k.values; x.setflags(1)",
        "a['k'].array[0] = 5",
        "x = a['k'].array\nx[0] = 5",
        "a.k._values[:] += 1",
        "a._mgr.blocks[0].values[0, 0] = 5",
    ],
)
def test_memory(check: Check, source: str) -> None:
    (error,) = check(IMPORT, MADE, ("step:b", source)).errors
    assert "writes into a column's memory past pandas" in error.message


@pytest.mark.parametrize(
    "source",
    [
        "same = a.k.cat.categories.equals(b.k.cat.categories), a is b, a.k.dtype == b.k.dtype",
        "c = pd.DataFrame({'k': [1]}); same = c.k.dtype is c.k.dtype",
        "x = a.k.to_numpy(copy=True); x.flags.writeable = False; x[0] = 5",
        "x = a.k.values.copy(); x.setflags(write=False)",
        "x = a.k.to_numpy(copy=True); x.flags.writeable = True",
        "x = pd.array([1]); x.setflags(write=True)",
        "missing = a.k.dtype is None",
        "same = kinds is a.k.cat.categories",
    ],
)
def test_what_pandas_has_ways_for(check: Check, source: str) -> None:
    assert not check(IMPORT, MADE, ("step:b", source)).errors


def test_the_first_stage_and_notebooks_without_pandas(check: Check) -> None:
    write = "x.setflags(write=True)"
    assert not check(IMPORT, ("step:a", f"x = pd.array([1])\n{write}"), ("step:b", "x")).errors
    assert not check(("step:a", "x = make(); make = 1"), ("step:b", write)).errors[1:]
    function = ("functions", "def same(a, b): return a.dtype is b.dtype")
    assert check(IMPORT, function, ("step:a", "x = same(1, 2)")).errors
