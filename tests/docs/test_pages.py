"""Every figure and number of the pages with results comes from the raw data beside them."""

import pytest

from benchmarks import pages
from podline.store import Store


@pytest.mark.parametrize("page", pages.known())
def test_the_page_is_what_its_raw_data_make(store: Store, page: str) -> None:
    made = pages.PAGES[page](store)
    assert f"{page}.md" in made
    differing = [path for path, content in made.items() if _read(path) != content]
    assert differing == []


@pytest.mark.parametrize("page", pages.known())
def test_nothing_else_is_beside_it(store: Store, page: str) -> None:
    raw = {pages.STUDY, pages.JOIN, pages.MODELS}
    there = {f"{page}/{path.name}" for path in (pages.DOCS / page).iterdir()} - {
        f"{page}/{name}" for name in raw
    }
    assert there | {f"{page}.md"} == pages.PAGES[page](store).keys()


def _read(path: str) -> bytes | None:
    file = pages.DOCS / path
    return file.read_bytes() if file.is_file() else None
