"""What beginning stages ahead saves: household_power as pods, beside the notebook in one pod.

At three sizes three runs take turns, in an order that a seed makes: the whole notebook in one pod
of the stages' image (its container, until the result is stored), the pipeline with `ahead` off, and
with `auto` (from the run's start to the last stage's end). Ratios are of runs in the same repeat.
What pods held while they waited is told by their records.

It needs KUBECONFIG, and in that cluster the images and the store.
"""

import itertools
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import cluster
from benchmarks.cluster import Cluster
from benchmarks.report import goal, print_last_line, summary
from benchmarks.runs import trigger
from podline import datasets
from podline.compiler.compiler import compile_notebook
from podline.compiler.parameters import AHEAD_PARAM
from podline.compiler.pipeline import Pipeline
from podline.settings import notebooks_folder
from podline.store import Store
from podline_studies.overhead.dag_runs import conf_of, dag_id_of
from podline_studies.overhead.design import POD_BASELINE, Combination
from podline_studies.overhead.measurement import Measurement, Task, measure, read_tasks
from tests.support.airflow_server import Airflow, running

SIZES = ((10_000, 300_000), (1_500_000, 300_000), (1_500_000, 10_000_000))
MIDDLE = SIZES[1]
NOTEBOOK, OFF, AUTO = "notebook", "off", "auto"
ARMS = (NOTEBOOK, OFF, AUTO)
BY_NOTEBOOK, IN_THE_MEAN, IDLE = 1.35, 1.5, 0.3  # the goals for ratios of the walls
RECORDS = 3  # runs of a size after which podline knows how long its stages take
NAME = "household_power"


@dataclass(frozen=True)
class Sample:
    """A run.

    Attributes:
        wall: seconds.
        idle: pod-seconds for which pods waited for their task.
        parts: seconds of the wall, by what took them.
    """

    wall: float
    idle: float
    parts: dict[str, float]


Point = tuple[tuple[int, int], str]  # sizes and arm


def measure_all(n: int, folder: Path, there: Cluster) -> None:
    """Measure each arm at each size `n` times, and print what was found."""
    pipeline = compile_notebook(notebooks_folder() / f"{NAME}.ipynb")
    datasets.put(there.store, NAME)
    samples: dict[Point, list[Sample]] = {one: [] for one in itertools.product(SIZES, ARMS)}
    with running(folder / "airflow", there.variables, f"{NAME}_baseline") as airflow:
        for point in RECORDS * [point for point in samples if point[1] != NOTEBOOK]:
            _run(airflow, there.store, pipeline, point)
        for repeat in range(n):
            for point in random.Random(repeat).sample([*samples], len(samples)):
                found = _run(airflow, there.store, pipeline, point)
                samples[point].append(found)
                print(
                    f"{repeat + 1}: {point}: {found.wall:.2f} s, {found.idle:.2f} idle", flush=True
                )
    _report(n, samples)


def run_of(pipeline: Pipeline, point: Point) -> tuple[Combination, dict[str, object]]:
    """What runs at a point, and what its DAG is triggered with."""
    (data, model), arm = point
    backend = POD_BASELINE if arm == NOTEBOOK else "kubernetes"
    combination = Combination(0, NAME, backend, data, model, 0)
    assert pipeline.settings.sizes is not None
    conf = conf_of(combination, pipeline.settings.sizes)
    return combination, conf if arm == NOTEBOOK else {**conf, AHEAD_PARAM: arm}


def _run(airflow: Airflow, store: Store, pipeline: Pipeline, point: Point) -> Sample:
    combination, conf = run_of(pipeline, point)
    arm, dag_id = point[1], dag_id_of(combination)
    run_id = trigger(airflow, dag_id, 300, conf)
    stages = pipeline.stages
    expected = [NOTEBOOK] if arm == NOTEBOOK else [stage.name for stage in stages]
    tasks = read_tasks(store, dag_id, run_id, expected)
    blank = Measurement(combination, "scheduler", 0, 1, None, dag_id, run_id, "success")
    found = measure(tasks, blank, {cell.number for stage in stages for cell in stage.cells})
    assert found.wall is not None
    return Sample(found.wall, sum(map(_idle, tasks.values())), found.parts)


def _idle(task: Task) -> float:
    return (task.record.ahead.idle or 0.0) if task.record.ahead else 0.0


def _ratios(samples: Mapping[Point, Sequence[Sample]], size: tuple[int, int], arm: str) -> Any:
    """A run's wall by that of the notebook in the same repeat."""
    pairs = zip(samples[size, arm], samples[size, NOTEBOOK], strict=True)
    return summary([mine.wall / notebook.wall for mine, notebook in pairs])


def _report(n: int, samples: Mapping[Point, Sequence[Sample]]) -> None:
    ratios = {arm: {size: _ratios(samples, size, arm) for size in SIZES} for arm in (OFF, AUTO)}
    medians = [ratios[AUTO][size]["median"] for size in SIZES]
    idle = [one.idle / one.wall for size in SIZES for one in samples[size, AUTO]]
    for arm, by_size in ratios.items():
        print(arm, {_words(size): found["median"] for size, found in by_size.items()})
    print_last_line(
        "ahead",
        n,
        {
            "middle_by_notebook": goal(ratios[AUTO][MIDDLE]["median"], BY_NOTEBOOK),
            "mean_by_notebook": goal(statistics.fmean(medians), IN_THE_MEAN),
            "idle_by_wall": goal(statistics.median(idle), IDLE),
        },
        ratios={arm: {_words(size): one for size, one in of.items()} for arm, of in ratios.items()},
        **{
            f"{_words(size)} {arm}": {
                "wall_s": summary([one.wall for one in found]),
                "idle_s": summary([one.idle for one in found]),
                "parts_s": _medians([one.parts for one in found]),
                "samples": [round(one.wall, 3) for one in found],
            }
            for (size, arm), found in samples.items()
        },
    )


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


def _words(size: tuple[int, int]) -> str:
    return " × ".join(f"{of:,}" for of in size)


if __name__ == "__main__":
    cluster.main(measure_all, __doc__, 8, "runs of each")
