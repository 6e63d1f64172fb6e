"""A study's measurements as tables, which `podline_studies.reports` reads."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from podline.compiler.join_stages import JOINED
from podline.phases import OUTSIDE, PHASES, STAGE_PHASES
from podline_studies.overhead.design import BASELINE, Design, in_words
from podline_studies.overhead.measurement import COUNTS, PARTS, PIPELINE, Measurement
from podline_studies.study import Study, circumstances

if TYPE_CHECKING:
    import pandas as pd

_SECONDS = [f"{part}_s" for part in (*PARTS, PIPELINE)]
_PHASES = [name for name in PHASES if name not in OUTSIDE]
WHERE = [
    "notebook", "backend", "data", "model", "repeat", "index", "attempt", "sitting", "way",
    "warmup",
]  # fmt: skip
RUNS = [
    *WHERE, "state", "failure", "started", "busy", "wall_s", *_SECONDS, "stages", *COUNTS,
]  # fmt: skip
STAGES = [
    *WHERE, "stage", "order", "on_path", "start_s", "gap_s", "duration_s", *_PHASES, "bytes_in",
    "bytes_out", "peak_memory",
]  # fmt: skip
assert set(STAGE_PHASES) <= set(_PHASES)


def tables(
    study: Study[Design, Measurement],
) -> tuple["pd.DataFrame", "pd.DataFrame", dict[str, Any]]:
    """Return a study as two tables and what there is to say about it.

    Returns:
        The runs, a row each with the columns `RUNS`; their stages, with the columns `STAGES`;
        and the study's name, design, sittings, interruptions, and what failed or was disturbed.
    """
    measured, warm_ups, spoilt = study.measurements(), study.warm_ups(), study.spoilt()
    design = study.design()
    about = circumstances(study, measured + warm_ups) | {
        "seed": design.seed,
        "design": asdict(design) | {"sizes": [in_words(pair) for pair in design.sizes]},
        "planned": len(design.items()),
        "failed": [_spoilt(m) for m in spoilt],
    }
    if joined := _joined(measured):
        about["joined"] = joined
    rows = [(m, False) for m in measured] + [(m, True) for m in warm_ups]
    rows += [(m, False) for m in spoilt if m.state == "failed"]
    return _frame(map(_run, rows), RUNS), _frame(_stages(rows), STAGES), about


def _joined(measured: Iterable[Measurement]) -> dict[str, Any] | None:
    """Which notebook is another one with two stages joined, as `podline join` makes it."""
    stages: dict[str, list[str]] = {}
    for one in measured:
        if one.combination.backend != BASELINE:
            stages.setdefault(one.combination.notebook, [stage.stage for stage in one.stages])
    for notebook, names in stages.items():
        of = stages.get(notebook.removesuffix(JOINED), [])
        gone = [name for name in of if name not in names]
        if notebook.endswith(JOINED) and len(gone) == 1 and of.index(gone[0]) > 0:
            pair = [of[of.index(gone[0]) - 1], gone[0]]
            return {"notebook": notebook, "of": notebook.removesuffix(JOINED), "stages": pair}
    return None


def _frame(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(list(rows), columns=pd.Index(columns))


def _where(measurement: Measurement, warm_up: bool) -> dict[str, Any]:
    of = asdict(measurement.combination)
    about = {"attempt": measurement.attempt, "sitting": measurement.sitting}
    return {**of, **about, "way": measurement.way, "warmup": warm_up}


def _run(row: tuple[Measurement, bool]) -> dict[str, Any]:
    measurement, warm_up = row
    return {
        **_where(measurement, warm_up),
        "state": measurement.state,
        "failure": measurement.failure,
        "started": measurement.started,
        "busy": measurement.busy,
        "wall_s": measurement.wall,
        **{f"{part}_s": seconds for part, seconds in measurement.parts.items()},
        "stages": sum(stage.on_path for stage in measurement.stages),
        **measurement.counts,
    }


def _stages(rows: Iterable[tuple[Measurement, bool]]) -> Iterable[dict[str, Any]]:
    for measurement, warm_up in rows:
        for stage in measurement.stages:
            times = {"start_s": stage.start, "gap_s": stage.gap, "duration_s": stage.duration}
            phases = dict.fromkeys(_PHASES, 0.0) | stage.phases
            yield {**_where(measurement, warm_up), **asdict(stage), **times, **phases}


def _spoilt(measurement: Measurement) -> dict[str, Any]:
    about = {"combination": str(measurement.combination), "attempt": measurement.attempt}
    return {**about, "index": measurement.combination.index, "failure": measurement.trouble}
