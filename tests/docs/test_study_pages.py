"""Every figure and number of the pages with results comes from the raw data beside them."""

import pandas as pd
import pytest

from docs import study_pages
from podline.store import Store
from podline_studies.uploads.analysis.points import Verdict
from tests.support.simulated_uploads import USED


@pytest.mark.slow
@pytest.mark.parametrize("page", study_pages.known())
def test_the_page_is_what_its_raw_data_make(store: Store, page: str) -> None:
    made = study_pages.PAGES[page](store)
    assert f"{page}.md" in made
    differing = [path for path, content in made.items() if _read(path) != content]
    assert differing == []


@pytest.mark.slow
@pytest.mark.parametrize("page", study_pages.known())
def test_nothing_else_is_beside_it(store: Store, page: str) -> None:
    raw = {study_pages.STUDY, study_pages.JOIN, study_pages.MODELS}
    there = {f"{page}/{path.name}" for path in (study_pages.DOCS / page).iterdir()} - {
        f"{page}/{name}" for name in raw
    }
    assert there | {f"{page}.md"} == study_pages.PAGES[page](store).keys()


def test_pairs_spread_no_more_than_in_the_simulated_cases() -> None:
    points = pd.read_csv(study_pages.DOCS / "uploads/ratios.csv")
    counted = points[(points["client"] == "podline") & (points["verdict"] != Verdict.LIMITED)]
    spread = counted.groupby("n")["spread"].max()
    assert spread.keys().tolist() == sorted(n for n, _ in USED)
    assert all(spread[n] <= most for n, most in USED)


def _read(path: str) -> bytes | None:
    file = study_pages.DOCS / path
    return file.read_bytes() if file.is_file() else None
