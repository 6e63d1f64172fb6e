"""A simulator of sweeps whose true overheads are known. What it gives are no results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

STAGES = ("ingest", "preprocess", "train", "evaluate", "publish")
PHASES = (
    "prepare", "submit", "schedule", "pull", "start", "boot", "fetch", "imports", "load", "code",
    "dump", "store", "run", "notice", "finish",
)  # fmt: skip
OF_KUBERNETES = ("schedule", "pull", "start")
OF_TRANSFER = ("fetch", "load", "dump", "store")
BYTES_A_ROW = 66.0


@dataclass(frozen=True)
class Truth:
    """The seconds of a run without noise.

    Attributes:
        starts: of a stage, by backend, spread over its phases.
        transfer: for a GB of data, over all five stages' boundaries.
        weights: for a million weights, likewise.
        code: of the notebook: fixed, for a GB, and for a million weights, which is training.
        sd: of the logarithm of each run's wall.
        jitter: of the logarithm of each phase, besides.
        flat: each backend's overhead is this share of the baseline, whatever its size.
    """

    starts: dict[str, float] = field(
        default_factory=lambda: {"process": 0.4, "kubernetes": 2.0, "stock": 6.0}
    )
    transfer: float = 3.0
    weights: float = 0.4
    code: tuple[float, float, float] = (6.0, 20.0, 8.0)
    sd: float = 0.08
    jitter: float = 0.02
    flat: float | None = None


def simulate(
    seed: int = 1,
    truth: Truth = Truth(),
    data: Sequence[int] = (10_000, 100_000, 1_000_000, 10_000_000),
    models: Sequence[int] = (10_000, 1_000_000, 10_000_000),
    backends: Sequence[str] = ("notebook", "process", "kubernetes"),
    repeats: int = 8,
    notebook: str = "household_power",
    stages: Sequence[str] = STAGES,
    sittings: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames `runs` and `stages` of a sweep."""
    random = np.random.default_rng(seed)
    runs: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    started = 1_780_000_000.0
    points = [(d, m, b) for d in data for m in models for b in backends]
    clean = {(d, m, b): _stages(truth, b, d, m, stages) for d, m, b in points}
    for repeat in range(repeats):
        sitting = repeat * sittings // repeats
        for place in random.permutation(len(points)):
            rows, model, backend = points[place]
            key = {
                "notebook": notebook, "backend": backend, "data": rows, "model": model,
                "repeat": repeat, "index": len(runs), "attempt": 1, "sitting": sitting,
                "way": "scheduler", "warmup": False,
            }  # fmt: skip
            noise = np.exp(truth.sd * random.standard_normal()) * (1 + 0.2 * sitting)
            table = clean[points[place]] * noise
            table = table * np.exp(truth.jitter * random.standard_normal(table.shape))
            runs.append(key | _run(table, backend, started, rows, model))
            parts += (
                [key | row for row in _rows(table, stages, rows, model)]
                if backend != "notebook"
                else []
            )
            started += runs[-1]["wall_s"] + 1
    return pd.DataFrame(runs), pd.DataFrame(parts)


def overhead(truth: Truth, backend: str, rows: int, model: int, stages: int = 5) -> float:
    """The true overhead of a run, in seconds."""
    if truth.flat is not None:
        return truth.flat * sum(_code(truth, rows, model).values())
    size = truth.transfer * rows * BYTES_A_ROW / 1e9 + truth.weights * model / 1e6
    return truth.starts[backend] * stages + size * (stages - 1) / (len(STAGES) - 1)


def baseline(truth: Truth, rows: int, model: int) -> float:
    """The true wall of the whole notebook, in seconds."""
    return sum(_code(truth, rows, model).values())


def _code(truth: Truth, rows: int, model: int) -> dict[str, float]:
    fixed, of_data, of_model = truth.code
    size = of_data * rows * BYTES_A_ROW / 1e9
    return {
        "imports": fixed * 0.5, "ingest": fixed * 0.1 + size * 0.6,
        "preprocess": fixed * 0.1 + size * 0.4, "train": fixed * 0.2 + of_model * model / 1e6,
        "evaluate": fixed * 0.07, "publish": fixed * 0.03,
    }  # fmt: skip


def _stages(
    truth: Truth, backend: str, rows: int, model: int, stages: Sequence[str]
) -> pd.DataFrame:
    """Seconds, a row a stage and a column a phase; of a whole notebook one row."""
    code = _code(truth, rows, model)
    imports = code.pop("imports")
    if backend == "notebook":
        table = pd.DataFrame(0.0, index=["notebook"], columns=["gap", *PHASES])
        table["imports"], table["code"] = imports, sum(code.values())
        return table
    table = pd.DataFrame(0.0, index=list(stages), columns=["gap", *PHASES])
    for stage, seconds in code.items():
        row = stage if stage in table.index else next(name for name in stages if stage in name)
        table.loc[row, "code"] += seconds
    extra = overhead(truth, backend, rows, model, len(stages))
    size = 0.0 if truth.flat is not None else extra - truth.starts[backend] * len(stages)
    each = (extra - size) / len(stages)
    podlike = backend != "process"
    for phase, share in {
        "gap": 0.1,
        "prepare": 0.1,
        "boot": 0.2,
        "notice": 0.05,
        "finish": 0.05,
    }.items():
        table[phase] = each * share
    table[["schedule", "start"] if podlike else ["submit", "prepare"]] += each * 0.15
    table["imports"] = each * 0.2
    table.loc[table.index[0], "imports"] += imports
    fetched, stored = table.index[1:], table.index[:-1]
    table.loc[fetched, ["fetch", "load"]] = size / 4 / len(fetched)
    table.loc[stored, ["dump", "store"]] = size / 4 / len(stored)
    return table


def _run(
    table: pd.DataFrame, backend: str, started: float, rows: int, model: int
) -> dict[str, Any]:
    sums = dict(zip(table.columns, table.to_numpy().sum(axis=0), strict=True))
    wall = float(sum(sums.values()))
    known = {
        "kubernetes_s": sum(sums[name] for name in OF_KUBERNETES),
        "transfer_s": sum(sums[name] for name in OF_TRANSFER),
        "libraries_s": sums["imports"], "code_s": sums["code"],
    }  # fmt: skip
    return {
        "state": "success", "failure": "", "started": started, "wall_s": wall, **known,
        "pipeline_s": wall - sum(known.values()), "stages": 0 if backend == "notebook" else len(table),
        "rows_train": float(rows), "rows_read": float(rows), "bytes_read": rows * BYTES_A_ROW,
        "weights": float(model),
    }  # fmt: skip


def _rows(
    table: pd.DataFrame, stages: Sequence[str], rows: int, model: int
) -> list[dict[str, Any]]:
    moved = [rows * BYTES_A_ROW * 0.5] * (len(stages) - 2) + [model * 4.0]
    found = []
    for order, (stage, row) in enumerate(table.iterrows()):
        phases = {name: float(row[name]) for name in PHASES}
        found.append({
            "stage": stage, "order": order, "on_path": True, "gap_s": float(row["gap"]),
            "duration_s": sum(phases.values()), **phases,
            "bytes_in": moved[order - 1] if order else 0.0,
            "bytes_out": moved[order] if order < len(moved) else 0.0, "peak_memory": 2e8,
        })  # fmt: skip
    return found


def about(runs: pd.DataFrame) -> dict[str, Any]:
    """What is said of a sweep."""
    numbers = sorted(set(runs["sitting"])) if len(runs) else []
    sitting = {
        "machine": "simulated", "processors": 2, "memory_bytes": 8 << 30, "kernel": "6.12",
        "versions": {"python": "3.13.1", "airflow": "3.3.2"}, "started": 1.78e9, "ended": 1.7801e9,
    }  # fmt: skip
    return {
        "sweep": "simulated", "seed": 7, "design": {"repeats": 8}, "planned": len(runs),
        "sittings": [{"sitting": int(number), **sitting} for number in numbers],
        "interruptions": [], "failed": [],
    }  # fmt: skip
