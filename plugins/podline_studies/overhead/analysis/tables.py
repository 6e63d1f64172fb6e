"""Tidy tables of what was found: the data behind each figure, and more. Kept as CSV."""

from __future__ import annotations

from collections.abc import Iterable
from math import nan

import numpy as np
import pandas as pd

from podline_studies.overhead.analysis.combinations import Combination
from podline_studies.overhead.analysis.cost_model import Costs, Forecast
from podline_studies.overhead.analysis.drift import HOUR
from podline_studies.overhead.analysis.hypotheses import Hypothesis
from podline_studies.overhead.analysis.join_advice import Join, Joined
from podline_studies.overhead.analysis.operator_comparison import OURS, Alike, Saved
from podline_studies.overhead.analysis.pairs import (
    COMBINATION,
    PIPELINE,
    Cell,
    Pipeline,
    by_cell,
)
from podline_studies.overhead.analysis.summary import Failure, Summary
from podline_studies.overhead.design import STOCK
from podline_studies.overhead.frames import BYTES
from podline_studies.overhead.measurement import PARTS
from podline_studies.reports.estimates import Estimate, geometric

Row = dict[str, object]

# Where a stage's seconds go, of which the total is the sum.
STAGE_COLUMNS = ["between", "kubernetes", "transfer", "libraries", "own", "rest", "total"]


def make_tables(found: Summary) -> dict[str, pd.DataFrame]:
    """Return all tables by name; empty ones are left out.

    Args:
        found: all that the study found.
    """
    costs_of = combinations(found.combinations)
    tables = {
        "pairs": found.pairs,
        "combinations": costs_of,
        "seconds": seconds(found.seconds),
        "clock": clock(found.seconds),
        "share": _with_intervals(found.pairs, "share", costs_of),
        "parts": parts(found.combinations),
        "stages": stages(found.stages),
        "stock": _with_intervals(_by_both_operators(found.pairs), "overhead_s", costs_of),
        "operators": pd.DataFrame(map(_operator, found.operators)),
        "processes": pd.DataFrame(map(_alike, found.alike)),
        "costs": costs(found.costs),
        "residuals": _together([model.residuals for model in found.costs]),
        "held-out": found.held_out,
        "errors": found.errors,
        "predictions": pd.DataFrame(map(_prediction, found.forecasts)),
        "claims": pd.DataFrame(map(_hypothesis, found.hypotheses)),
        "joins": pd.DataFrame(map(_join, found.joins)),
        "joined": pd.DataFrame(map(_joined, found.joined)),
        "failures": pd.DataFrame(map(_failure, found.failures)),
    }
    return {name: frame for name, frame in tables.items() if len(frame)}


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _row(of: Cell | Pipeline, **values: object) -> Row:
    """A row with a column a value; an estimate's numbers have a column each."""
    row: Row = of._asdict()
    for name, value in values.items():
        if isinstance(value, Estimate):
            ends = ("median", "mean", "low", "high")
            row |= {f"{name}_{end}": getattr(value, end) for end in ends}
        else:
            row[name] = value
    return row


def combinations(found: Iterable[Combination]) -> pd.DataFrame:
    """Return a row a combination: n, medians, means and the ends of 95 % intervals.

    Columns that end in `_s` are seconds; those of shares and ratios have no unit.
    """
    return pd.DataFrame(
        _row(
            one.cell,
            rows=one.rows,
            n=one.n,
            wall_s=one.wall,
            baseline_s=one.baseline,
            overhead_s=one.overhead,
            beside_code_s=one.beside_code,
            share=one.share,
            code_ratio=one.code_ratio,
            **{f"mean_{part}_s": seconds for part, seconds in one.parts.items()},
        )
        for one in found
    )


def parts(combinations: Iterable[Combination]) -> pd.DataFrame:
    """Return a row a part of a combination's overhead: its mean in seconds."""
    return pd.DataFrame(
        _row(one.cell, rows=one.rows, n=one.n, part=part, mean_s=seconds)
        for one in combinations
        for part, seconds in one.parts.items()
    )


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


def seconds(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run: its wall over the rows read, and its combination's mean and interval.

    Args:
        runs: of `podline_studies.overhead.analysis.summary.Summary.seconds`.
    """
    found = []
    for _, of in by_cell(runs):
        wall = geometric(of["wall_s"], of["sitting"])
        ends = {"mean": wall.mean, "low": wall.low, "high": wall.high}
        rows = of[[*COMBINATION, "repeat", "rows", "wall_s"]]
        found.append(rows.assign(n=wall.n, **{e: float(v) if v else nan for e, v in ends.items()}))
    return _together(found)


def clock(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row a run: when in its session it began, and how far its wall is off the usual.

    Args:
        runs: likewise. `hours` are since the session's first run; `beside` is the wall over the
            mean of its combination in the session, less one; `pace` what the drift says of that.
    """
    if runs.empty or runs["started"].isna().all():
        return pd.DataFrame()
    of = runs.groupby("sitting")["started"]
    same = runs.groupby(["sitting", *COMBINATION], dropna=False)
    logs = np.log(runs["wall_s"])
    mean = logs.groupby(same.ngroup()).transform("mean")
    found = runs[[*COMBINATION, "repeat", "sitting"]].assign(
        hours=(runs["started"] - of.transform("min")) / HOUR,
        beside=np.expm1(logs - mean),
        pace=runs["pace"] - 1,
    )
    return found[same["started"].transform("size") > 1]


def _by_both_operators(pairs: pd.DataFrame) -> pd.DataFrame:
    """The runs of notebooks that ran by podline's operator and by Airflow's."""
    both = pairs[pairs["backend"].isin((OURS, STOCK))]
    return both[both.groupby(["notebook", "way"])["backend"].transform("nunique") == 2]


def _with_intervals(pairs: pd.DataFrame, value: str, costs_of: pd.DataFrame) -> pd.DataFrame:
    """A row a run: a value, and its combination's mean and interval."""
    if pairs.empty:
        return pairs
    ends = {f"{value}_{end}": end for end in ("mean", "low", "high")}
    found = costs_of[[*COMBINATION, "n", *ends]].astype(dict.fromkeys(ends, float))
    rows = pairs[[*COMBINATION, "repeat", value]].assign(rows=_rows_of(pairs, costs_of))
    return rows.merge(found.rename(columns=ends), on=COMBINATION, how="left")


def _rows_of(pairs: pd.DataFrame, costs_of: pd.DataFrame) -> pd.Series[float]:
    """The rows that each run's size reads."""
    found = pairs[COMBINATION].merge(costs_of[[*COMBINATION, "rows"]], on=COMBINATION, how="left")
    return found["rows"].set_axis(pairs.index)


def _operator(one: Saved) -> Row:
    """What podline's operator saves of a combination, in seconds and as a ratio."""
    walls = {"ours_s": one.ours, "stock_s": one.stock}
    about = {"than": one.than, "n": one.saved.n}
    return _row(one.cell, **about, **walls, saved_s=one.saved, ratio=one.ratio)


def _alike(one: Alike) -> Row:
    """Runs in pods over those in processes: the ratio of their walls, and the test."""
    ratio = vars(one.ratio) | {"equivalent": one.ratio.equivalent}
    return _row(one.pipeline, sizes=one.sizes, **ratio)


def costs(models: Iterable[Costs]) -> pd.DataFrame:
    """Return a row a model and term: seconds for a stage, a GB, or a million weights."""
    rows = []
    for model in models:
        for term in model.terms:
            row = _row(model.pipeline, term=term)
            for name in ("overhead", "beside_code", "baseline"):
                if (of := getattr(model, name)(term)) is not None:
                    ends = {f"{name}_low_s": of.low, f"{name}_high_s": of.high}
                    row |= {f"{name}_s": of.value, **ends}
            rows.append(row)
    return pd.DataFrame(rows)


def _prediction(one: Forecast) -> Row:
    """The overhead's share at a size, its interval, and that of a single run."""
    single = {"single_low": one.single.low, "single_high": one.single.high}
    return _row(one.cell, share=one.share.value, low=one.share.low, high=one.share.high, **single)


def _hypothesis(one: Hypothesis) -> Row:
    found = {"model": one.model, "claim": one.name, "verdict": one.verdict.value}
    found["n"] = one.effect.n
    shown_in = {"holding": one.holding, "combinations": one.combinations}
    return _row(one.pipeline, **found, effect=one.effect, **shown_in, reason=one.reason)


def _join(one: Join) -> Row:
    """Two neighbouring stages of a combination."""
    which = {"first": one.stages[0], "second": one.stages[1], "n": one.saving.n}
    return _row(one.cell, **which, saving_s=one.saving, own_s=one.own, advised=one.advised)


def _joined(one: Joined) -> Row:
    """A join that was made, at a combination."""
    which = {"joined": one.notebook, "stages": " ".join(one.stages), "n": one.measured.n}
    predicted = {"predicted_s": one.predicted} if one.predicted else {}
    measured = {"measured_s": one.measured, "beside_code_s": one.beside_code}
    return _row(one.cell, **which, **predicted, **measured)


def _failure(one: Failure) -> Row:
    """A combination of which runs failed."""
    return _row(one.cell, failed=one.runs, reason=one.reason)
