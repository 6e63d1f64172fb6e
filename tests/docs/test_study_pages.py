"""Every figure and number of the pages with results comes from the raw data beside them."""

import math
import re

import pytest

from benchmarks import sweep_parts
from docs import study_pages
from podline.store import Store

NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
SVG_ID = re.compile(r"\b(?:[hmp]|C\w+_)[0-9a-f]{10}\b")  # a hash of what is drawn


@pytest.mark.slow
@pytest.mark.parametrize("page", study_pages.known())
def test_the_page_is_what_its_raw_data_make_and_nothing_else_is_beside_it(
    store: Store, page: str
) -> None:
    made = study_pages.PAGES[page](store)
    assert [path for path, content in made.items() if not same(_read(path), content)] == []
    raw = {study_pages.STUDY, study_pages.MODELS, *(part.file for part in sweep_parts.FULL)}
    there = {path.name for path in (study_pages.DOCS / page).iterdir()} - raw
    assert {f"{page}/{name}" for name in there} | {f"{page}.md"} == made.keys()


def test_the_overheads_sweep_takes_less_than_six_hours_and_its_page_says_how_long() -> None:
    hours = sum(map(sweep_parts.hours, sweep_parts.FULL))
    assert 3 < hours < 6
    assert f"in about {hours:.1f} hours" in (study_pages.DOCS / "overhead.md").read_text()


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("x 1.234567891 y", "x 1.234567892 y", True),
        ("1.5e-07,2", "1.50000001e-07,2", True),
        ('id="m0123456789" url(#m0123456789) 1', 'id="mabcdef0123" url(#mabcdef0123) 1', True),
        ('id="m0123456789" url(#m0123456789) 1', 'id="mabcdef0123" url(#m0123456789) 1', False),
        ("x 1.2346", "x 1.2345", False),
        ("1,2", "1,", False),
        ("1,2", "1,2,2", False),
        ("12", "-12", False),
        ("1 a", "1 b", False),
    ],
)
def test_texts_are_the_same_but_for_their_numbers_last_digits(
    one: str, other: str, equal: bool
) -> None:
    assert same(one.encode(), other.encode()) is equal
    assert not same(None, other.encode())


def same(one: bytes | None, other: bytes) -> bool:
    """Whether texts are the same, and the numbers in them but for what a processor rounds."""
    if one is None:
        return False
    parts, others = (NUMBER.split(_named_in_order(text.decode())) for text in (one, other))
    return (
        len(parts) == len(others)
        and parts[::2] == others[::2]
        and all(
            a == b or math.isclose(float(a), float(b), rel_tol=1e-6, abs_tol=2e-6)
            for a, b in zip(parts[1::2], others[1::2], strict=True)
        )
    )


def _named_in_order(svg: str) -> str:
    names: dict[str, str] = {}
    return SVG_ID.sub(lambda found: names.setdefault(found[0], f"id{len(names)}"), svg)


def _read(path: str) -> bytes | None:
    file = study_pages.DOCS / path
    return file.read_bytes() if file.is_file() else None
