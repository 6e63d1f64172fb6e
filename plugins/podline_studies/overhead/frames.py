"""The two tables that the overhead study is analysed from: their columns, and a study's rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TypedDict

import pandas as pd

from podline.compiler.join_stages import JOINED
from podline.phases import OUTSIDE
from podline.phases import PHASES as ALL_PHASES
from podline_studies.overhead.design import BASELINES, Design, in_words
from podline_studies.overhead.measurement import COUNTS, PARTS, PIPELINE, Measurement
from podline_studies.reports.provenance import Circumstances
from podline_studies.study import Study, circumstances

# What names a run; `sitting` is the session's number, `machine` the processor's name there; `steps`
# of training, 0: as the notebook has it.
_COMBINATION = ["notebook", "backend", "machine", "data", "model", "steps"]
RUN = [*_COMBINATION, "repeat", "index", "attempt", "sitting", "way", "warmup"]
SECONDS = ["wall_s", *(f"{part}_s" for part in (*PARTS, PIPELINE))]
PHASES = [name for name in ALL_PHASES if name not in OUTSIDE]
BYTES = ["bytes_in", "bytes_out", "peak_memory"]
# A row a measured run. The parts add up to the wall; `stages` are those on the critical path.
RUNS = [*RUN, "state", "failure", "started", "busy", "quiet", *SECONDS, "stages", *COUNTS]
# A row a stage of a run; a column a phase, in seconds.
STAGES = [*RUN, *["stage", "order", "on_path", "start_s", "gap_s", "duration_s"], *PHASES, *BYTES]
_OPTIONAL = {"machine", "steps", "index", "failure", "started", "busy", "quiet", "start_s"}
_OPTIONAL |= {*COUNTS, *PHASES, *BYTES}
_TEXTS = {"notebook", "backend", "machine", "way", "state", "failure", "stage"}
_FLAGS = {"warmup", "on_path"}
_OF_A_RUN = ("state", "failure", "started", "busy", "quiet")
_WHOLE = {"repeat", "index", "attempt", "sitting", "steps"}


class JoinMade(TypedDict):
    """A notebook that is another one, `of`, with two stages joined."""

    notebook: str
    of: str
    stages: Sequence[str]


class OverheadCircumstances(Circumstances, total=False):
    """How an overhead study was measured.

    Attributes:
        design: its parameters by name.
        planned: how much is to be measured.
        failed: what failed or was disturbed.
        disturbed: how many of these were disturbed.
        ran_by: versions of Python and libraries by backend, where they are known.
    """

    seed: int
    design: Mapping[str, object]
    planned: int
    failed: Sequence[object]
    disturbed: int
    ran_by: Mapping[str, Mapping[str, str]]
    joined: JoinMade | None


def check_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of runs with all of `RUNS`.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    return _checked(runs, "runs", RUNS)


def check_stages(stages: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of stages with all of `STAGES`; a phase that is missing took no time.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    return _checked(stages, "stages", STAGES).fillna(dict.fromkeys(PHASES, 0.0))


def _checked(frame: pd.DataFrame, name: str, columns: Sequence[str]) -> pd.DataFrame:
    missing = [column for column in columns if column not in frame]
    lacking = [column for column in missing if column not in _OPTIONAL]
    if lacking and len(frame):
        raise ValueError(f"the frame {name} lacks the columns {', '.join(lacking)}")
    found = frame.assign(**{of: _unknown(of) for of in missing})
    flags = {column: bool for column in columns if column in _FLAGS}
    numbers = [column for column in columns if column not in _TEXTS | _FLAGS | _WHOLE]
    return found.astype(flags).assign(
        **{column: pd.to_numeric(found[column]).astype(float) for column in numbers}
    )


def _unknown(column: str) -> str | float:
    return "" if column in _TEXTS else 0 if column == "steps" else math.nan


def tables(
    study: Study[Design, Measurement],
) -> tuple[pd.DataFrame, pd.DataFrame, OverheadCircumstances]:
    """Return a study's runs, with the columns `RUNS`; their stages, `STAGES`; how it was measured.

    Args:
        study: which.
    """
    measured, warm_ups, discarded = study.measurements(), study.warm_ups(), study.discarded()
    design = study.design()
    about: OverheadCircumstances = {
        **circumstances(study, measured + warm_ups),
        "seed": design.seed,
        "design": asdict(design) | {"sizes": [in_words(pair) for pair in design.sizes]},
        "planned": len(design.items()),
        "failed": [_discarded(one) for one in discarded],
        "disturbed": sum(one.state == "success" for one in discarded),
        "ran_by": _ran_by(measured),
        "joined": _joined(measured),
    }
    rows = [(one, False) for one in measured] + [(one, True) for one in warm_ups]
    rows += [(one, False) for one in discarded if one.state == "failed"]
    runs = pd.DataFrame([_run(*row) for row in rows], columns=pd.Index(RUNS))
    stages = pd.DataFrame([s for row in rows for s in _stages(*row)], columns=pd.Index(STAGES))
    machines = {one["session"]: one.get("machine", "") for one in about["sessions"]}
    runs, stages = (
        of.assign(machine=of["sitting"].map(machines).fillna("")) for of in (runs, stages)
    )
    return runs, stages, about


def _ran_by(measured: Iterable[Measurement]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for one in measured:
        if one.versions:
            found.setdefault(one.combination.backend, {}).update(one.versions)
    return found


def _joined(measured: Iterable[Measurement]) -> JoinMade | None:
    """Which notebook is another one with two stages joined, as `podline join` makes it."""
    stages: dict[str, list[str]] = {}
    for one in measured:
        if one.combination.backend not in BASELINES:
            stages.setdefault(one.combination.notebook, [stage.stage for stage in one.stages])
    for notebook, names in stages.items():
        of = notebook.removesuffix(JOINED)
        before = stages.get(of, [])
        gone = [name for name in before if name not in names]
        if notebook != of and len(gone) == 1 and (place := before.index(gone[0])):
            return {"notebook": notebook, "of": of, "stages": before[place - 1 : place + 1]}
    return None


def _names(measurement: Measurement, warm_up: bool) -> dict[str, object]:
    of = {"attempt": measurement.attempt, "sitting": measurement.sitting}
    return asdict(measurement.combination) | of | {"way": measurement.way, "warmup": warm_up}


def _run(measurement: Measurement, warm_up: bool) -> dict[str, object]:
    return {
        **_names(measurement, warm_up),
        **{name: getattr(measurement, name) for name in _OF_A_RUN},
        "wall_s": measurement.wall,
        **{f"{part}_s": seconds for part, seconds in measurement.parts.items()},
        "stages": sum(stage.on_path for stage in measurement.stages),
        **measurement.counts,
    }


def _stages(measurement: Measurement, warm_up: bool) -> Iterator[dict[str, object]]:
    for stage in measurement.stages:
        times = {"start_s": stage.start, "gap_s": stage.gap, "duration_s": stage.duration}
        phases = dict.fromkeys(PHASES, 0.0) | stage.phases
        yield {**_names(measurement, warm_up), **asdict(stage), **times, **phases}


def _discarded(measurement: Measurement) -> dict[str, object]:
    about = {"combination": str(measurement.combination), "attempt": measurement.attempt}
    return {**about, "index": measurement.combination.index, "failure": measurement.trouble}
