"""A second implementation of the pages' main numbers agrees with them to the printed digit."""

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.docs import recomputation

DOCS = Path(__file__).parents[2] / "docs"
OVERHEAD, UPLOADS = DOCS / "overhead/study.jsonl.gz", DOCS / "uploads/study.jsonl.gz"
SAME = 1e-6  # of a number: the tables have nine digits
PIPELINES = ("kubernetes", "process", "stock")


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return recomputation.runs(OVERHEAD)


@pytest.mark.parametrize("backend", PIPELINES)
def test_what_a_pipeline_costs_by_size(runs: pd.DataFrame, backend: str) -> None:
    table = pd.read_csv(DOCS / "overhead/combinations.csv")
    table = table[table["backend"] == backend].set_index(recomputation.SIZES)
    found = recomputation.by_size(recomputation.beside(runs, backend, "notebook"))
    assert found["n"].tolist() == table["n"].tolist()
    for name in ("mean", "low", "high"):
        assert (found[name] - 1).tolist() == pytest.approx(table[f"share_{name}"].tolist(), SAME)


@pytest.mark.parametrize("backend", PIPELINES)
def test_what_a_pipeline_costs_in_the_mean(runs: pd.DataFrame, backend: str) -> None:
    claims = pd.read_csv(DOCS / "overhead/claims.csv").set_index(["backend", "claim"])
    found = recomputation.overall(recomputation.beside(runs, backend, "notebook"))
    columns = ["effect_mean", "effect_low", "effect_high"]
    assert found == pytest.approx(claims.loc[(backend, "exists"), columns].tolist(), SAME)
    share, low, high = (f"{100 * (value - 1):.0f}" for value in found)
    words = f"household_power on {backend} took {share} % ({low} % to {high} %) longer"
    assert words in page("overhead.md")


def test_podline_beside_airflows_own_operator(runs: pd.DataFrame) -> None:
    table = pd.read_csv(DOCS / "overhead/operators.csv").set_index(recomputation.SIZES)
    found = recomputation.by_size(recomputation.beside(runs, "stock", "kubernetes"))
    for name in ("mean", "low", "high"):
        assert found[name].tolist() == pytest.approx(table[f"ratio_{name}"].tolist(), SAME)


def test_pods_beside_processes(runs: pd.DataFrame) -> None:
    ratio, low, high = recomputation.alike(recomputation.beside(runs, "kubernetes", "process"))
    words = f"took {ratio:.2f} times as long as in processes of the same machine (95 % CI "
    assert f"{words}{low:.3f} to {high:.2f}): equivalent within 10 %." in page("overhead.md")


@pytest.mark.parametrize(
    ("kind", "column", "title"),
    [("whole", "seconds", "the whole upload"), ("transfer", "transfer", "until the last byte")],
)
def test_whether_uploads_take_as_long(kind: str, column: str, title: str) -> None:
    table = pd.read_csv(DOCS / "uploads/ratios.csv")
    table = table[table["kind"] == kind].set_index(recomputation.POINT)["verdict"]
    found = recomputation.verdicts(UPLOADS, column)
    assert found.sort_index().to_dict() == table.sort_index().to_dict()
    said = re.search(rf"Of 128 points, {title}: (.*)[.]", page("uploads.md"))
    assert said
    counts = found.value_counts()
    assert len(found) == 128
    assert all(f"{number} {verdict}" in said[1] for verdict, number in counts.items())


def page(name: str) -> str:
    """A page's text, with plain spaces."""
    return (DOCS / name).read_text().replace("\N{NO-BREAK SPACE}", " ")
