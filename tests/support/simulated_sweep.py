"""A simulator of sweeps whose true overheads are known. What it gives are no results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from podline_studies.machine import Machine
from podline_studies.overhead.frames import PHASES as ALL_PHASES
from podline_studies.overhead.frames import RUN, OverheadCircumstances
from podline_studies.overhead.measurement import PARTS, PIPELINE

STAGES = ("ingest", "preprocess", "train", "evaluate", "publish")
PHASES = [phase for phase in ALL_PHASES if phase not in ("defer", "resume")]
BYTES_A_ROW = 66.0
MACHINE = "simulated"


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
    sessions: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames `runs` and `stages` of a sweep.

    Args:
        seed: of the noise and the order.
        truth: what there is to find.
        data: sizes, in rows.
        models: sizes, in weights.
        backends: that are measured.
        repeats: of each combination.
        notebook: its name.
        stages: into which it is cut.
        sessions: over which repeats are spread; each is slower by a fifth than the one before.
    """
    random = np.random.default_rng(seed)
    runs: list[dict[str, Any]] = []
    parts: list[dict[str, object]] = []
    started = 1_780_000_000.0
    points = [(d, m, b) for d in data for m in models for b in backends]
    clean = {(d, m, b): _stages(truth, b, d, m, stages) for d, m, b in points}
    for repeat in range(repeats):
        session = repeat * sessions // repeats
        for place in random.permutation(len(points)):
            rows, model, backend = points[place]
            which = (notebook, backend, MACHINE, rows, model, 0, repeat, len(runs))
            key = dict(zip(RUN, (*which, 1, session, "scheduler", False), strict=True))
            noise = np.exp(truth.sd * random.standard_normal()) * (1 + 0.2 * session)
            table = clean[points[place]] * noise
            table = table * np.exp(truth.jitter * random.standard_normal(table.shape))
            runs.append(key | _run(table, backend, started, rows, model))
            if backend != "notebook":
                parts += [key | row for row in _rows(table, rows, model)]
            started += runs[-1]["wall_s"] + 1
    return pd.DataFrame(runs), pd.DataFrame(parts)


def overhead(truth: Truth, backend: str, rows: int, model: int, stages: int = 5) -> float:
    """The true overhead of a run, in seconds.

    Args:
        truth: of the simulation.
        backend: that it ran on.
        rows: of data.
        model: weights.
        stages: how many.
    """
    if truth.flat is not None:
        return truth.flat * sum(_code(truth, rows, model).values())
    size = truth.transfer * rows * BYTES_A_ROW / 1e9 + truth.weights * model / 1e6
    return truth.starts[backend] * stages + size * (stages - 1) / (len(STAGES) - 1)


def baseline(truth: Truth, rows: int, model: int) -> float:
    """The true wall of the whole notebook, in seconds.

    Args:
        truth: of the simulation.
        rows: of data.
        model: weights.
    """
    return sum(_code(truth, rows, model).values())


def _code(truth: Truth, rows: int, model: int) -> dict[str, float]:
    fixed, of_data, of_model = truth.code
    size = of_data * rows * BYTES_A_ROW / 1e9
    return {
        "imports": fixed * 0.5,
        "ingest": fixed * 0.1 + size * 0.6,
        "preprocess": fixed * 0.1 + size * 0.4,
        "train": fixed * 0.2 + of_model * model / 1e6,
        "evaluate": fixed * 0.07,
        "publish": fixed * 0.03,
    }


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
    shares = {"gap": 0.1, "prepare": 0.1, "boot": 0.2, "notice": 0.05, "finish": 0.05}
    for phase, share in shares.items():
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
) -> dict[str, object]:
    sums = dict(zip(table.columns, table.to_numpy().sum(axis=0), strict=True))
    wall = float(sum(sums.values()))
    parts = {part: sum(sums[name] for name in phases) for part, phases in PARTS.items()}
    parts[PIPELINE] = wall - sum(parts.values())
    return {
        "state": "success",
        "failure": "",
        "started": started,
        "wall_s": wall,
        **{f"{part}_s": seconds for part, seconds in parts.items()},
        "stages": 0 if backend == "notebook" else len(table),
        "rows_train": float(rows),
        "rows_read": float(rows),
        "bytes_read": rows * BYTES_A_ROW,
        "weights": float(model),
    }


def _rows(table: pd.DataFrame, rows: int, model: int) -> list[dict[str, object]]:
    moved = [rows * BYTES_A_ROW * 0.5] * (len(table) - 2) + [model * 4.0]
    found = []
    for order, (stage, row) in enumerate(table.iterrows()):
        phases = {name: float(row[name]) for name in PHASES}
        about = {"stage": stage, "order": order, "on_path": True, "gap_s": float(row["gap"])}
        bytes_in = moved[order - 1] if order else 0.0
        bytes_out = moved[order] if order < len(moved) else 0.0
        sizes = {"bytes_in": bytes_in, "bytes_out": bytes_out, "peak_memory": 2e8}
        found.append({**about, "duration_s": sum(phases.values()), **phases, **sizes})
    return found


def about(runs: pd.DataFrame) -> OverheadCircumstances:
    """What is said of a sweep."""
    machine = Machine(
        machine=MACHINE,
        processors=2,
        memory_bytes=8 << 30,
        kernel="6.12",
        versions={"python": "3.13.1", "airflow": "3.3.2"},
    )
    numbers = sorted(set(runs["sitting"])) if len(runs) else []
    return {
        "sweep": "simulated",
        "seed": 7,
        "design": {"repeats": 8},
        "planned": len(runs),
        "sessions": [
            {"session": int(number), **machine, "started": 1.78e9, "ended": 1.7801e9}
            for number in numbers
        ],
    }
