"""What a stage costs in a chain of pods, with the scheduler's time between two of them.

Five stages hand an array of 1 MB on. A run's sample is the time from the first one's start to the
last one's end, less their own cells, by five. Runs whose stages are begun ahead take turns with
those whose are not. It needs KUBECONFIG, and in that cluster the images and the store.

With ``--executor kubernetes`` each task has a pod of its own beside the stage's.
"""

import argparse
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import cluster, executor
from benchmarks.cluster import Cluster
from benchmarks.report import goal, print_last_line, summary
from benchmarks.runs import array_chain, one_run, process_times
from tests.support.airflow_server import running
from tests.support.notebooks import notebook_text

STAGES = [f"stage_{number}" for number in range(1, 6)]
LIMITS = {"off": 0.6, "auto": 0.35}  # seconds a stage, by what runs say to `ahead`: the goals
_NAME = "pods_chain"


def measure(n: int, folder: Path, there: Cluster, own_pods: bool) -> None:
    """Run the chain `n` times, and print what was found; `own_pods`: each task has one."""
    (folder / f"{_NAME}.ipynb").write_text(notebook_text(array_chain(*STAGES)))
    variables = there.variables | {"AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder)}
    runs: dict[str, list[dict[str, Any]]] = {ahead: [] for ahead in LIMITS}
    own = executor.kubernetes(there, folder)
    tasks: AbstractContextManager[dict[str, str]] = own if own_pods else nullcontext({})
    with (
        tasks as more,
        running(folder / "airflow", variables | more, f"{_NAME}_baseline") as airflow,
    ):
        for number in range(n + 1):
            for ahead, found in runs.items():
                run = one_run(airflow, there.store, _NAME, conf={"ahead": ahead})
                if number:  # the first warms up
                    found.append(run)
                    print(
                        f"{number}, ahead {ahead}: {_stage_seconds(run):.3f} s a stage", flush=True
                    )
    _report(n, runs, own_pods)


def _stage_seconds(run: dict[str, Any]) -> float:
    code = sum(run[name]["code"] for name in STAGES)
    return float(run[STAGES[-1]]["end"] - run[STAGES[0]]["start"] - code) / len(STAGES)


def _report(n: int, runs: dict[str, list[dict[str, Any]]], own_pods: bool) -> None:
    seconds = {ahead: [_stage_seconds(run) for run in found] for ahead, found in runs.items()}
    stages = [run[name] for run in runs["off"] for name in STAGES]
    between = [
        run[after]["start"] - run[before]["end"]
        for run in runs["off"]
        for before, after in pairwise(STAGES)
    ]
    found = {ahead: summary(values) for ahead, values in seconds.items()}
    for ahead, values in found.items():
        print(f"ahead {ahead}: {values['median']:.3f} s a stage in the median of {n} runs")
    goals = {
        "stage_s": goal(found["off"]["median"], LIMITS["off"]),
        "stage_ahead_s": goal(found["auto"]["median"], LIMITS["auto"]),
    }
    print_last_line(
        "scheduler_own_pods" if own_pods else "scheduler",
        n,
        {} if own_pods else goals,
        stage_s=found["off"],
        stage_ahead_s=found["auto"],
        between_stages_s=summary(between),
        **process_times(stages),
        samples={ahead: [round(v, 4) for v in values] for ahead, values in seconds.items()},
    )


if __name__ == "__main__":
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--executor", choices=("local", "kubernetes"), default="local")
    chosen, _ = options.parse_known_args()
    own_pods = chosen.executor == "kubernetes"
    cluster.main(partial(measure, own_pods=own_pods), __doc__, 12, "runs", options)
