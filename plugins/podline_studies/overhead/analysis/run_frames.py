"""The two frames that a study of overheads is reported from, as they must be."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from podline.phases import OUTSIDE, PHASES

_KEY = ("notebook", "backend", "data", "model", "repeat", "attempt", "sitting", "way", "warmup")
_SECONDS = ("wall_s", "kubernetes_s", "transfer_s", "libraries_s", "pipeline_s", "code_s")
_SIZES = ("rows_train", "rows_read", "bytes_read", "weights")
_STAGE = ("order", "gap_s", "duration_s")
_BYTES = ("bytes_in", "bytes_out", "peak_memory")
_TEXTS = ("notebook", "backend", "way", "state", "stage", "failure")
_PHASES = tuple(phase for phase in PHASES if phase not in OUTSIDE)


def check_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of runs with all its columns.

    Args:
        runs: a row a measured run. Required: `notebook`; `backend`; `data` and `model`, the size
            parameters; `repeat`; `attempt`; `sitting`; `way`; `warmup`; `state`; `stages`, on the
            critical path; `wall_s` and the parts that add up to it: `kubernetes_s`, `transfer_s`,
            `libraries_s`, `pipeline_s`, `code_s`. Optional: `index`, `started`, `failure`,
            `rows_train`, `rows_read`, `bytes_read`, `weights`.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    required = (*_KEY, *_SECONDS, "state", "stages")
    found = _with_columns(runs, "runs", required, ("index", "started", "failure", *_SIZES))
    return _numeric(found, ("data", "model", "stages", *_SECONDS, *_SIZES))


def check_stages(stages: pd.DataFrame) -> pd.DataFrame:
    """Return the frame of stages with all its columns.

    Args:
        stages: a row a stage of a run. Required: what names the run, as in the frame of runs;
            `stage`; `order`; `on_path`; `gap_s`; `duration_s`. Optional: a column a phase, in
            seconds; `bytes_in`, `bytes_out`, `peak_memory`.

    Raises:
        ValueError: a column is missing, though there are rows.
    """
    found = _with_columns(stages, "stages", (*_KEY, "stage", "on_path", *_STAGE), _BYTES)
    phases = [name for name in _PHASES if name in found]
    found = found.assign(**{name: 0.0 for name in _PHASES if name not in found})
    found["on_path"] = found["on_path"].astype(bool)
    found = _numeric(found, ("data", "model", *_STAGE, *_BYTES, *phases))
    return found.fillna(dict.fromkeys(phases, 0.0))


def _with_columns(
    frame: pd.DataFrame, name: str, required: Sequence[str], optional: Sequence[str]
) -> pd.DataFrame:
    missing = [column for column in required if column not in frame]
    if missing and len(frame):
        raise ValueError(f"the frame {name} lacks the columns {', '.join(missing)}")
    found = frame.copy()
    for column in (*missing, *(column for column in optional if column not in frame)):
        text = column in _TEXTS
        found[column] = pd.Series("" if text else math.nan, found.index, "str" if text else float)
    found["warmup"] = found["warmup"].astype(bool)
    return found


def _numeric(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame.assign(**{name: pd.to_numeric(frame[name]).astype(float) for name in columns})
