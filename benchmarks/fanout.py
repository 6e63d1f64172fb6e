"""Fifty stages at once as pods on one node: how long it takes, and whether a pod is left over.

One stage makes an array, fifty take it in and hand their own on, and a last one joins them. The
executor has room for all fifty; each asks for so little that the node has, too. It needs
KUBECONFIG, and in that cluster the images and the store.
"""

import time
from pathlib import Path
from typing import Any

from benchmarks import cluster
from benchmarks.cluster import Cluster, PodTimes, most_at_once
from benchmarks.report import goal, print_last_line, summary
from benchmarks.runs import one_run
from tests.support.airflow_server import running
from tests.support.notebooks import code_cell, notebook_text

STAGES = 50
_NAME = "fanout"
_RUN_SECONDS = 900
_DELETION_SECONDS = 60  # after the run, until a pod that is still there counts as left over
_SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": str(STAGES + 2),
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(STAGES),
    # One API server on SQLite has all fifty tasks' requests at once: a task whose first one is
    # not answered in time is lost, and the server stands still while its pool has no connection.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE": str(2 * STAGES),
    "AIRFLOW__PODLINE__CPU_REQUEST": "10m",
    "AIRFLOW__PODLINE__MEMORY_REQUEST": "64Mi",
}


def make_notebook(folder: Path) -> None:
    """Write the notebook: one stage, those that follow it side by side, and the join."""
    numbers = range(STAGES)
    cells = [code_cell("import numpy as np", "imports")]
    cells.append(code_cell("x = np.arange(1000)", "step:make"))
    for number in numbers:
        source = f"y_{number} = x + {number}"
        cells.append(code_cell(source, f"step:stage_{number}", "prev:make"))
    total = " + ".join(f"y_{number}" for number in numbers)
    tags = [f"prev:stage_{number}" for number in numbers]
    cells.append(code_cell(f"total = {total}\nprint(int(total[0]))", "step:join", *tags))
    (folder / f"{_NAME}.ipynb").write_text(notebook_text(cells))


def measure(n: int, folder: Path, there: Cluster) -> None:
    """Run the notebook `n` times, and print what was found."""
    make_notebook(folder)
    home = folder / "airflow"
    variables = {
        **there.variables,
        **_SETTINGS,
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
        # SQLite takes one writer at a time, and by default lets the others wait for 5 s only.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=120",
    }
    runs = []
    with running(home, variables, f"{_NAME}_baseline") as airflow:
        for number in range(1, n + 1):
            pods = PodTimes(there)
            pods.start()
            run = one_run(airflow, there.store, _NAME, _RUN_SECONDS)
            left, gone_after = _wait_until_gone(there)
            runs.append(_told(run) | {"pods_left": left, "pods_gone_after": gone_after})
            runs[-1]["at_once"] = most_at_once(pods.seen)
            print(f"run {number}: {runs[-1]}", flush=True)
    _report(n, runs)


def _wait_until_gone(there: Cluster) -> tuple[int, float]:
    """Wait until the pods are deleted; returns how many are not, and the seconds."""
    start = time.monotonic()
    while (left := there.pods()) and time.monotonic() - start < _DELETION_SECONDS:
        time.sleep(0.2)
    return len(left), round(time.monotonic() - start, 2)


def _told(run: dict[str, Any]) -> dict[str, Any]:
    stages = [run[f"stage_{number}"] for number in range(STAGES)]
    start = min(stage["start"] for stage in stages)
    return {
        "run_s": round(run["join"]["end"] - run["make"]["start"], 2),
        "stages_s": round(max(stage["end"] for stage in stages) - start, 2),
        "join_s": round(run["join"]["duration"], 2),
        "last_started_after_s": round(max(stage["start"] for stage in stages) - start, 2),
        "stage_s": summary([stage["duration"] for stage in stages]),
    }


def _report(n: int, runs: list[dict[str, Any]]) -> None:
    walls = summary([run["run_s"] for run in runs])
    left = max(run["pods_left"] for run in runs)
    print(f"{STAGES} stages and two: {walls['median']:.1f} s, pods left over: {left}")
    print_last_line(
        "fanout",
        n,
        {"pods_left": goal(left, 0)},
        stages=STAGES,
        run_s=walls,
        stages_s=summary([run["stages_s"] for run in runs]),
        samples=runs,
    )


if __name__ == "__main__":
    cluster.main(measure, __doc__, 3, "runs")
