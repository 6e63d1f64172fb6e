"""Tidy tables of what was found: the data behind each figure, and more. Kept as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from podline_studies.overhead.analysis.combinations import Combination, columns, table
from podline_studies.overhead.analysis.cost_model import Costs
from podline_studies.overhead.analysis.join_advice import Joined
from podline_studies.overhead.analysis.operator_comparison import OURS, STOCK
from podline_studies.overhead.analysis.pairs import COMBINATION, PIPELINE
from podline_studies.overhead.analysis.summary import Summary
from podline_studies.overhead.frames import BYTES
from podline_studies.overhead.measurement import PARTS
from podline_studies.reports.estimates import Estimate
from podline_studies.reports.regression import Interval

# Where a stage's seconds go, of which the total is the sum.
STAGE_COLUMNS = ["between", "kubernetes", "transfer", "libraries", "own", "rest", "total"]


def make_tables(found: Summary) -> dict[str, pd.DataFrame]:
    """Return all tables by name; empty ones are left out.

    Args:
        found: all that the study found.
    """
    shares = [(one, one.share) for one in found.combinations]
    tables = {
        "pairs": found.pairs,
        "combinations": table(found.combinations),
        "share": _with_intervals(found.pairs, "share", shares),
        "parts": _frame(
            {**one.cell._asdict(), "n": one.n, "part": part, "mean_s": seconds}
            for one in found.combinations
            for part, seconds in one.parts.items()
        ),
        "stages": stages(found.stages),
        "stock": stock(found.pairs, found.combinations),
        "operators": _frame(
            {
                **one.cell._asdict(),
                "n": one.saved.n,
                **columns("ours_s", one.ours),
                **columns("stock_s", one.stock),
                **columns("saved_s", one.saved),
                **columns("ratio", one.ratio),
            }
            for one in found.operators
        ),
        "costs": _frame(
            {**model.pipeline._asdict(), "term": term, **_seconds(model, term)}
            for model in found.costs
            for term in model.terms
        ),
        "residuals": residuals(found.costs),
        "held-out": found.held_out,
        "predictions": _frame(
            {
                **one.cell._asdict(),
                "share": one.share.value,
                **_ends("", one.share),
                **_ends("single_", one.single),
            }
            for one in found.forecasts
        ),
        "claims": _frame(
            {
                **one.pipeline._asdict(),
                "claim": one.name,
                "verdict": one.verdict.value,
                "n": one.effect.n,
                **columns("effect", one.effect),
                "holding": one.holding,
                "combinations": one.combinations,
                "reason": one.reason,
            }
            for one in found.hypotheses
        ),
        "joins": _frame(
            {
                **one.cell._asdict(),
                **dict(zip(("first", "second"), one.stages, strict=True)),
                "n": one.saving.n,
                **columns("saving_s", one.saving),
                "own_s": one.own,
                "advised": one.advised,
            }
            for one in found.joins
        ),
        "joined": _frame(map(_joined, found.joined)),
        "failures": _frame(
            {**one.cell._asdict(), "failed": one.runs, "reason": one.reason}
            for one in found.failures
        ),
    }
    return {name: frame for name, frame in tables.items() if len(frame)}


def _frame(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def stages(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row a stage of a pipeline: its mean seconds over all runs, by where they go.

    Args:
        found: of `podline_studies.overhead.analysis.pairs.stages_of`.
    """
    parts = ("kubernetes", "transfer", "libraries")
    seconds = pd.DataFrame({"between": found["gap_s"]}).assign(
        **{part: found[list(PARTS[part])].sum(axis=1) for part in parts}, own=found["own_s"]
    )
    total = found["gap_s"] + found["duration_s"]
    seconds = seconds.assign(rest=total - seconds.sum(axis=1), total=total)
    rows = found[[*PIPELINE, "stage", "order", *BYTES]].join(seconds.add_suffix("_s"))
    groups = rows.groupby([*PIPELINE, "stage"], dropna=False, as_index=False)
    return groups.mean().sort_values([*PIPELINE, "order"], kind="stable", ignore_index=True)


def stock(pairs: pd.DataFrame, combinations: Iterable[Combination]) -> pd.DataFrame:
    """Return a row a run of podline's operator or Airflow's, with its combination's interval.

    Notebooks that did not run by both are left out.

    Args:
        pairs: of `podline_studies.overhead.analysis.pairs.pair`.
        combinations: of these.
    """
    both = pairs[pairs["backend"].isin((OURS, STOCK))]
    operators = both.groupby(["notebook", "way"])["backend"].transform("nunique")
    overheads = [(one, one.overhead) for one in combinations]
    return _with_intervals(both[operators == 2], "overhead_s", overheads)


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


def residuals(models: Iterable[Costs]) -> pd.DataFrame:
    """Return a row a run and wall: the seconds fitted, and how far off it is, as a share."""
    names = {"pipeline": "wall", "notebook": "baseline"}
    tables = [
        one.residuals[[*COMBINATION, "repeat", "sitting"]].assign(
            wall=name,
            fitted_s=one.residuals[f"fitted_{column}_s"],
            residual=one.residuals[f"relative_{column}"],
        )
        for one in models
        for name, column in names.items()
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _seconds(model: Costs, term: str) -> dict[str, float]:
    """For a stage, a GB, or a million weights."""
    found: dict[str, float] = {}
    for name in ("overhead", "beside_code", "baseline"):
        if (interval := getattr(model, name)(term)) is not None:
            found |= {f"{name}_s": interval.value, **_ends(f"{name}_", interval, "_s")}
    return found


def _ends(name: str, of: Interval, unit: str = "") -> dict[str, float]:
    return {f"{name}low{unit}": of.low, f"{name}high{unit}": of.high}


def _joined(one: Joined) -> dict[str, object]:
    return {
        **one.cell._asdict(),
        "joined": one.notebook,
        "stages": " ".join(one.stages),
        "n": one.measured.n,
        **(columns("predicted_s", one.predicted) if one.predicted else {}),
        **columns("measured_s", one.measured),
        **columns("beside_code_s", one.beside_code),
    }
