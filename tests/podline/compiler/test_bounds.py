"""The bounds of parameters: how comments and the metadata write them, and what is no bounds."""

from typing import Any

import pytest

from podline.compiler.bounds import Bounds, MalformedBounds, read_bounds
from podline.compiler.notebook import ERROR, WARNING

from .conftest import Check


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("1..1000000: rows to read", 1000, Bounds(1, 1_000_000)),
        ("1..1_000: rows", 5, Bounds(1, 1000)),
        ("1..: rows", 5, Bounds(1)),
        ("..10", 5, Bounds(None, 10)),
        ("-1 .. 1 : of both", 0, Bounds(-1, 1)),
        ("0..0.99: below 1", 0.75, Bounds(0, 0.99)),
        ("1e-6..1: rate", None, Bounds(1e-6, 1.0)),
        ("one of small, large: which", "small", Bounds(choices=("small", "large"))),
        ("one of 'a b', c:", "c", Bounds(choices=("a b", "c"))),
        ("one of 8, 16: width", 16, Bounds(choices=(8, 16))),
        ("how many rows", 5, None),
        ("... and so on", 5, None),
        ("..: nothing", 5, None),
        ("one of the models: the best", "a", None),
        ("", 5, None),
    ],
)
def test_what_is_read(text: str, default: Any, expected: Bounds | None) -> None:
    assert read_bounds(text, default) == expected


@pytest.mark.parametrize("text", ["1..x: rows", "1..10 rows", "one of a, b"])
def test_what_seems_to_be_meant(text: str) -> None:
    with pytest.raises(MalformedBounds, match=r"write 1\.\.10"):
        read_bounds(text, 5)


@pytest.mark.parametrize(
    ("text", "default", "why"),
    [
        ("1..10: rows", 11, "the default 11 is not at least 1 and at most 10"),
        ("10..1: rows", 5, "no value is at least 10 and at most 1"),
        ("1..10: rows", "a", "the default 'a' is not at least 1"),
        ("1..10: rows", True, "the default True is not"),
        ("1..10: rows", [5], "is not at least 1"),
        ("one of a, b: kind", "c", "the default 'c' is not one of 'a', 'b'"),
        ("one of 8, x: width", 8, "invalid literal"),
    ],
)
def test_what_cannot_be(text: str, default: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_bounds(text, default)


def test_what_they_allow() -> None:
    bounds = Bounds(1, 10)
    assert [bounds.allow(v) for v in (1, 5.5, 10, 0, 10.5, True, "5", None)] == [
        *(True, True, True),
        *(False, False, False, False, False),
    ]
    assert str(Bounds(1)) == "at least 1"
    assert str(Bounds(None, 2.5)) == "at most 2.5"


def test_comments_and_metadata(check: Check) -> None:
    cells = ("parameters", "rows = 5  # 1..10: rows\nkind = 'a'\nn = 1  # 1..3"), ("step:a", "rows")
    told = {"podline": {"bounds": {"kind": "one of a, b", "n": "0..9"}}}
    found = {p.name: (p.bounds, p.description) for p in check(*cells, metadata=told).parameters}
    assert found == {
        "rows": (Bounds(1, 10), "1..10: rows"),
        "kind": (Bounds(choices=("a", "b")), ""),
        "n": (Bounds(0, 9), "1..3"),
    }


def test_what_lint_says(check: Check) -> None:
    source = "rows = 50  # 1..10: rows\nn = 1  # 1..x: some"
    error, warning = check(("parameters", source), ("step:a", "rows")).problems
    assert (error.severity, error.line, warning.severity, warning.line) == (ERROR, 1, WARNING, 2)
    assert error.message == (
        "the bounds of the parameter 'rows' are '1..10: rows': the default 50 is not at least 1 "
        "and at most 10"
    )
    told = {"podline": {"bounds": {"rowz": "1..2"}}}
    (error,) = check(("parameters", "rows = 1"), ("step:a", "rows"), metadata=told).errors
    assert error.message == "names 'rowz' in its metadata podline.bounds, and has no such parameter"
