"""Tidy tables of what was found: the data behind each figure, and more. Kept as CSV."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from podline.phases import phases_of
from podline_studies.overhead.analysis.combinations import Combination, columns, table
from podline_studies.overhead.analysis.cost_model import Costs, Forecast
from podline_studies.overhead.analysis.hypotheses import Claim
from podline_studies.overhead.analysis.join_advice import Join, Joined
from podline_studies.overhead.analysis.operator_comparison import OURS, STOCK, Saved
from podline_studies.overhead.analysis.pairs import COMBINATION, PIPELINE
from podline_studies.overhead.analysis.summary import Failure, Summary
from podline_studies.reports.estimates import Estimate

_PHASE_GROUPS = {
    "between": ("gap_s",),
    "kubernetes": phases_of("kubernetes"),
    "transfer": phases_of("transfer"),
    "libraries": phases_of("libraries"),
}


def make_tables(found: Summary) -> dict[str, pd.DataFrame]:
    """Return all tables by name; empty ones are left out."""
    tables = {
        "pairs": found.pairs,
        "combinations": table(found.combinations),
        "share": share(found.pairs, found.combinations),
        "parts": parts(found.combinations),
        "stages": stages(found.stages),
        "stock": stock(found.pairs, found.combinations),
        "operators": operators(found.operators),
        "costs": costs(found.costs),
        "residuals": residuals(found.costs),
        "held-out": found.held_out,
        "predictions": predictions(found.forecasts),
        "claims": claims(found.claims),
        "joins": joins(found.joins),
        "joined": joined(found.joined),
        "failures": failures(found.failures),
    }
    return {name: frame for name, frame in tables.items() if len(frame)}


def share(pairs: pd.DataFrame, combinations: Iterable[Combination]) -> pd.DataFrame:
    """Return a row a run, with the interval of its combination's share."""
    return _with_intervals(pairs, "share", [(one, one.share) for one in combinations])


def parts(combinations: Iterable[Combination]) -> pd.DataFrame:
    """Return a row a part of a combination's overhead: its mean in seconds."""
    rows = [
        {**one.cell._asdict(), "n": one.n, "part": part, "mean_s": seconds}
        for one in combinations
        for part, seconds in one.parts.items()
    ]
    return pd.DataFrame(rows)


def stages(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row a stage of a pipeline: its mean seconds over all runs, by where they go.

    Args:
        found: of `podline_studies.overhead.analysis.pairs.stages_of`.
    """
    seconds = pd.DataFrame(
        {name: found[list(of)].sum(axis=1) for name, of in _PHASE_GROUPS.items()}
    )
    seconds["own"] = found["own_s"]
    seconds["rest"] = found["gap_s"] + found["duration_s"] - seconds.sum(axis=1)
    seconds["total"] = found["gap_s"] + found["duration_s"]
    rows = found[[*PIPELINE, "stage", "order", "bytes_in", "bytes_out", "peak_memory"]].join(
        seconds.add_suffix("_s")
    )
    groups = rows.groupby([*PIPELINE, "stage"], dropna=False, as_index=False)
    return groups.mean().sort_values([*PIPELINE, "order"], kind="stable", ignore_index=True)


def stock(pairs: pd.DataFrame, combinations: Iterable[Combination]) -> pd.DataFrame:
    """Return a row a run of podline's operator or Airflow's, with its combination's interval.

    Notebooks that did not run by both are left out.
    """
    both = pairs[pairs["backend"].isin((OURS, STOCK))]
    operators = both.groupby(["notebook", "way"])["backend"].transform("nunique")
    both = both[operators == 2]
    return _with_intervals(both, "overhead_s", [(one, one.overhead) for one in combinations])


def _with_intervals(
    pairs: pd.DataFrame, value: str, estimates: Iterable[tuple[Combination, Estimate]]
) -> pd.DataFrame:
    rows = [
        {**one.cell._asdict(), "n": of.n, "mean": of.mean, "low": of.low, "high": of.high}
        for one, of in estimates
    ]
    found = pd.DataFrame(rows, columns=[*COMBINATION, "n", "mean", "low", "high"])
    found = found.astype({"data": float, "model": float, "low": float, "high": float})
    return pairs[[*COMBINATION, "repeat", value]].merge(found, on=COMBINATION, how="left")


def operators(found: Iterable[Saved]) -> pd.DataFrame:
    """Return a row a combination: what podline's operator saves, in seconds and as a ratio."""
    rows = [
        {
            **one.cell._asdict(), "n": one.saved.n, **columns("ours_s", one.ours),
            **columns("stock_s", one.stock), **columns("saved_s", one.saved),
            **columns("ratio", one.ratio),
        }
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows)


def costs(models: Iterable[Costs]) -> pd.DataFrame:
    """Return a row a model and term: seconds for a stage, a GB, or a million weights."""
    rows = []
    for model in models:
        for term in model.terms:
            of_term = {
                "overhead": model.overhead(term), "beside_code": model.beside_code(term),
                "baseline": model.baseline(term),
            }  # fmt: skip
            row: dict[str, object] = {**model.pipeline._asdict(), "term": term}
            for name, interval in of_term.items():
                if interval is not None:
                    row |= {f"{name}_s": interval.value, f"{name}_low_s": interval.low,
                            f"{name}_high_s": interval.high}  # fmt: skip
            rows.append(row)
    return pd.DataFrame(rows)


def residuals(models: Iterable[Costs]) -> pd.DataFrame:
    """Return a row a run and wall: the seconds fitted, and how far off it is, as a share."""
    names = {"pipeline": "wall", "notebook": "baseline"}
    tables = [
        one.residuals[[*COMBINATION, "repeat", "sitting"]].assign(
            wall=name, fitted_s=one.residuals[f"fitted_{column}_s"],
            residual=one.residuals[f"relative_{column}"],
        )
        for one in models for name, column in names.items()
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def predictions(found: Iterable[Forecast]) -> pd.DataFrame:
    """Return a row a size: the overhead's share, its interval, and that of a single run."""
    rows = []
    for one in found:
        share, single = one.prediction.ratio, one.prediction.single
        rows.append({
            **one.cell._asdict(), "share": share.value - 1, "low": share.low - 1,
            "high": share.high - 1, "single_low": single.low - 1, "single_high": single.high - 1,
        })  # fmt: skip
    return pd.DataFrame(rows)


def failures(found: Iterable[Failure]) -> pd.DataFrame:
    """Return a row a combination of which runs failed."""
    rows = [{**one.cell._asdict(), "failed": one.runs, "reason": one.reason} for one in found]
    return pd.DataFrame(rows)


def claims(found: Iterable[Claim]) -> pd.DataFrame:
    """Return a row a claim and pipeline."""
    rows = [
        {
            **one.pipeline._asdict(), "claim": one.claim, "verdict": one.verdict.value,
            "n": one.effect.n, **columns("effect", one.effect), "holding": one.holding,
            "combinations": one.combinations, "reason": one.reason,
        }
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows)


def joins(found: Iterable[Join]) -> pd.DataFrame:
    """Return a row a pair of neighbouring stages and combination."""
    rows = [
        {
            **one.cell._asdict(), "first": one.stages[0], "second": one.stages[1],
            "n": one.saving.n, **columns("saving_s", one.saving), "own_s": one.own,
            "advised": one.advised,
        }
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows)


def joined(found: Iterable[Joined]) -> pd.DataFrame:
    """Return a row a combination of a join that was made."""
    rows = []
    for one in found:
        predicted = columns("predicted_s", one.predicted) if one.predicted else {}
        rows.append({
            **one.cell._asdict(), "joined": one.notebook, "stages": " ".join(one.stages),
            "n": one.measured.n, **predicted, **columns("measured_s", one.measured),
            **columns("beside_code_s", one.beside_code),
        })  # fmt: skip
    return pd.DataFrame(rows)
