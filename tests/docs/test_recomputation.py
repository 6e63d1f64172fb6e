"""A second implementation of the pages' main numbers agrees with them to the printed digit."""

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


@pytest.mark.parametrize(("kind", "column"), [("whole", "seconds"), ("transfer", "transfer")])
def test_whether_uploads_take_as_long(kind: str, column: str) -> None:
    table = pd.read_csv(DOCS / "uploads/sizes.csv")
    table = table[(table["kind"] == kind) & table["low"].notna()].set_index("size")
    found = recomputation.sizes(UPLOADS, column)
    for name in ("n", "ratio", "low", "high"):
        assert found[name].tolist() == pytest.approx(table[name].tolist(), SAME)
    said = recomputation.equivalent(UPLOADS, column)
    assert said.tolist() == [verdict == "equivalent" for verdict in table["verdict"]]
    for size, of in found[said].iterrows():
        ratio, low, high = (f"{of[name]:#.3g}" for name in ("ratio", "low", "high"))
        words = f"{table['what'][size]} {ratio} ({low} to {high})"
        assert words in page("uploads.md")


def page(name: str) -> str:
    """A page's text, with plain spaces."""
    return (DOCS / name).read_text().replace("\N{NO-BREAK SPACE}", " ")
