"""A second implementation of the pages' main numbers agrees with them to the printed digit."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.docs import recomputation, recomputation_of_uploads

DOCS = Path(__file__).parents[2] / "docs"
OVERHEAD, UPLOADS = DOCS / "overhead/study.jsonl.gz", DOCS / "uploads/study.jsonl.gz"
MODELS = DOCS / "uploads/models.jsonl.gz"
SAME = 1e-6  # of a number: the tables have nine digits
STORES = ("cluster", "machine", "bare")  # as a study's are in order
PIPELINES = {"kubernetes": "notebook-pod", "process": "notebook"}  # beside what


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return recomputation.runs(OVERHEAD)


@pytest.mark.parametrize("backend", PIPELINES)
def test_what_a_pipeline_costs_by_size(runs: pd.DataFrame, backend: str) -> None:
    for machine in runs["machine"].unique():
        table = kept("combinations", backend, machine).set_index(recomputation.SIZES)
        pairs = recomputation.beside(runs, backend, PIPELINES[backend], machine)
        found = recomputation.by_size(pairs)
        assert found["n"].tolist() == table["n"].tolist()
        for name in ("mean", "low", "high"):
            same(found[name] - 1, table[f"share_{name}"])


@pytest.mark.parametrize("backend", PIPELINES)
def test_what_a_pipeline_costs_in_the_mean(runs: pd.DataFrame, backend: str) -> None:
    for machine in runs["machine"].unique():
        claims = kept("claims", backend, machine)
        claims = claims[(claims["claim"] == "exists") & claims["model"].isna()]
        pairs = recomputation.beside(runs, backend, PIPELINES[backend], machine)
        found = recomputation.overall(pairs)
        same(pd.Series(found), claims[["effect_mean", "effect_low", "effect_high"]].iloc[0])
        if machine == main(runs):
            ratio, low, high = (f"{value:.2f}" for value in found)
            assert f"| 6 | {ratio} ({low} to {high}) |" in page("overhead.md")


def test_what_it_costs_in_seconds_and_where_they_go(runs: pd.DataFrame) -> None:
    found = recomputation.more(runs, "kubernetes", "notebook-pod", main(runs))
    by_size = found.groupby(recomputation.SIZES)["overhead"].mean()
    text = page("overhead.md").split("##")[0]
    assert f"{by_size.min():.1f} s to {by_size.max():.1f} s more" in text
    for part in ("libraries", "pipeline", "transfer", "kubernetes"):
        assert f"{part} {found[part].mean():.2f} s" in text
    assert f"residual {found['residual'].mean():.3f} s" in text


def test_whether_its_share_falls(runs: pd.DataFrame) -> None:
    logs = recomputation.beside(runs, "kubernetes", "notebook-pod", main(runs))
    found = recomputation.falls(logs, runs.groupby("data")["read"].median())
    claims = kept("claims", "kubernetes", main(runs))
    whole = claims[(claims["claim"] == "falls") & claims["model"].isna()]
    same(pd.Series(found), whole[["effect_mean", "effect_low", "effect_high"]].iloc[0])


def test_what_the_default_costs() -> None:
    runs = recomputation.runs(DOCS / "overhead/load.jsonl.gz")
    pairs = recomputation.beside(runs, "kubernetes-ahead", "notebook-pod", main(runs))
    ratio, low, high = (f"{value:.2f}" for value in recomputation.overall(pairs))
    assert f"so it took {ratio} ({low} to {high}) times as long as the" in page("overhead.md")


@pytest.mark.parametrize(
    ("study", "ways"),
    [
        ("stock", {"stock", "stock-tuned"}),
        ("load", {"kubernetes-ahead", "kubernetes-x2", "kubernetes-x4"}),
    ],
)
def test_podlines_pods_one_run_at_a_time_beside_other_ways(study: str, ways: set[str]) -> None:
    runs = recomputation.runs(DOCS / f"overhead/{study}.jsonl.gz")
    for machine in runs["machine"].unique():
        table = kept(f"{study}-operators", "kubernetes", machine).set_index(recomputation.SIZES)
        assert set(table["than"]) == ways
        for operator, rows in table.groupby("than"):
            pairs = recomputation.beside(runs, str(operator), "kubernetes", machine)
            found = recomputation.by_size(pairs)
            for name in ("mean", "low", "high"):
                same(found[name], rows[f"ratio_{name}"])


def test_what_more_steps_cost() -> None:
    runs = recomputation.runs(DOCS / "overhead/steps.jsonl.gz")
    claims = kept("steps-claims", "kubernetes", main(runs))
    claims = claims[(claims["claim"] == "exists") & claims["model"].notna()]
    assert set(claims["steps"]) == {50, 200}
    for (steps, model), claim in claims.set_index(["steps", "model"]).iterrows():
        some = runs[(runs["steps"] == steps) & (runs["model"] == model)]
        pairs = recomputation.beside(some, "kubernetes", "notebook-pod", main(runs))
        mean, low, high = recomputation.overall(pairs)
        same(pd.Series([mean, low, high]), claim[["effect_mean", "effect_low", "effect_high"]])
        size = {10_000: "10 k", 10_000_000: "10 M"}[int(model)]
        told = f"| {steps} | {size} | {claim['n']} | {mean:#.3g} ({printed(low, high)}) |"
        assert told in page("overhead.md")


def test_pods_beside_processes(runs: pd.DataFrame) -> None:
    pairs = recomputation.beside(runs, "kubernetes", "process", main(runs))
    ratio, low, high = (f"{value:.3f}" for value in recomputation.alike(pairs))
    assert (
        f"In pods it took {ratio} times as long as in local processes ({low} to {high}): "
        "equivalent within 10 %."
    ) in page("overhead.md")


def main(runs: pd.DataFrame) -> str:
    """The kind of machine of most runs, of which the page's first sentences are."""
    return str(runs["machine"].mode()[0])


def kept(name: str, backend: str, machine: str) -> pd.DataFrame:
    """A backend's rows of one of the overhead page's tables."""
    table = pd.read_csv(DOCS / f"overhead/{name}.csv")
    return table[(table["backend"] == backend) & (table["machine"] == machine)]


def same(found: pd.Series, table: pd.Series) -> None:
    assert found.tolist() == pytest.approx(table.tolist(), SAME, nan_ok=True)


KINDS = pytest.mark.parametrize(
    ("kind", "column"), [("whole", "seconds"), ("transfer", "transfer")]
)


@KINDS
def test_whether_uploads_take_as_long(kind: str, column: str) -> None:
    told = page("uploads.md")
    first, _, others = told.partition("Until the last byte was acknowledged")
    for number, (comparison, found, rows) in enumerate(agreeing(UPLOADS, "sizes", kind, column)):
        assert f"- {comparison}: {span(found.loc[['']])}: " in (
            first if kind == "whole" else others
        )
        if kind == "whole":
            for place, of in found.iterrows():
                link, what = place[0] or "usual", rows["what"][place]
                row = next(line for line in told.splitlines() if f"| {what} | {link} |" in line)
                cell = f" {of['ratio']:#.3g} ({printed(of['low'], of['high'])}): "
                assert row.split("|")[3 + number].startswith(cell)


@KINDS
def test_whether_uploads_of_published_models_do(kind: str, column: str) -> None:
    told = page("uploads.md").partition("## Published models")[2].partition("\n## ")[0]
    for comparison, found, _ in agreeing(MODELS, "models-sizes", kind, column):
        if kind == "whole":
            assert f"- {comparison}: {span(found)}: " in told


def agreeing(
    study: Path, name: str, kind: str, column: str
) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Of each comparison, ratios by size, and the table's rows, which agree with these."""
    table = pd.read_csv(
        DOCS / f"uploads/{name}.csv", keep_default_na=False, na_values={"low": [""]}
    )
    table = table[(table["kind"] == kind) & table["low"].notna()]
    of = recomputation_of_uploads
    assert table["comparison"].nunique() == {2: 1, 3: 3}[len(of.design(study)["stores"])]
    for comparison, rows in table.groupby("comparison", sort=False):
        over, under = (STORES.index(name) for name in str(comparison).split(" ÷ "))
        found, rows = of.sizes(study, column, over, under), rows.set_index(of.SIZE).sort_index()
        assert found.index.tolist() == rows.index.tolist()
        for name in ("n", "free", "ratio", "low", "high"):
            assert found[name].tolist() == pytest.approx(rows[name].astype(float).tolist(), SAME)
        said = of.equivalent(found).tolist()
        assert said == [verdict == "equivalent" for verdict in rows["verdict"]]
        yield str(comparison), found, rows


def span(found: pd.DataFrame) -> str:
    """Ratios of several sizes, as a page has them; of one, with its interval."""
    least, most = found[["ratio", "low"]].min(), found[["ratio", "high"]].max()
    ratios, intervals = printed(least["ratio"], most["ratio"]), printed(least["low"], most["high"])
    if len(found) == 1:
        return f"{least['ratio']:#.3g} ({intervals})"
    return f"{ratios}, by size, in intervals from {intervals}"


def printed(low: float, high: float) -> str:
    """From one number to another, as a page has them: to three digits."""
    return f"{low:#.3g} to {high:#.3g}"


def page(name: str) -> str:
    """A page's text, with plain spaces."""
    return (DOCS / name).read_text().replace("\N{NO-BREAK SPACE}", " ")
