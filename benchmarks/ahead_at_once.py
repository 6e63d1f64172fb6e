"""Five runs at once with stages begun ahead and without: when the last of them has ended.

household_power's smallest size, as pods. The two arms take turns, in an order that a seed makes.
On a node that is full, pods that wait take room and time from those that are due.

It needs KUBECONFIG, and in that cluster the images and the store.
"""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import cluster
from benchmarks.ahead import AUTO, NAME, OFF, RECORDS, SIZES, run_of
from benchmarks.cluster import Cluster
from benchmarks.report import goal, print_last_line, summary
from benchmarks.runs import copy_notebook, trigger
from podline import datasets
from podline.compiler.compiler import compile_notebook
from podline.settings import notebooks_folder
from tests.support.airflow_server import Airflow, run_path, running

RUNS = 5
LATER = 1.0  # the goal: with `ahead` they take at most so many times as long
_LONGEST = 600  # seconds


def measure_all(n: int, folder: Path, there: Cluster) -> None:
    """Measure each arm `n` times, and print what was found."""
    pipeline = compile_notebook(notebooks_folder() / f"{NAME}.ipynb")
    datasets.put(there.store, NAME)
    given = {arm: run_of(pipeline, (SIZES[0], arm))[1] for arm in (OFF, AUTO)}
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    copy_notebook(NAME, notebooks, RUNS)
    variables = {
        **there.variables,
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(notebooks),
        # Five runs have more tasks at once than a machine of two cores is set up for.
        "AIRFLOW__CORE__PARALLELISM": "16",
    }
    seconds: dict[str, list[float]] = {arm: [] for arm in given}
    with running(folder / "airflow", variables, NAME) as airflow:
        for _ in range(RECORDS):
            trigger(airflow, NAME, _LONGEST, given[AUTO])
        for repeat in range(n):
            for arm in random.Random(repeat).sample([*given], len(given)):
                seconds[arm].append(_at_once(airflow, given[arm]))
                print(f"{repeat + 1}: {arm}: {seconds[arm][-1]:.2f} s", flush=True)
    _report(n, seconds)


def _at_once(airflow: Airflow, conf: Mapping[str, object]) -> float:
    """Seconds until all runs have ended that begin at the same time."""
    start = time.monotonic()
    run_ids = [airflow.trigger(NAME, conf) for _ in range(RUNS)]
    states = {run_id: airflow.wait(NAME, run_id, _LONGEST) for run_id in run_ids}
    seconds = time.monotonic() - start
    if set(states.values()) != {"success"}:
        raise SystemExit(f"{NAME}: {states}")
    runs = [airflow.call("GET", run_path(NAME, run_id)) for run_id in run_ids]
    if max(run["start_date"] for run in runs) > min(run["end_date"] for run in runs):
        raise SystemExit(f"{NAME}: a run began when another had ended")
    return seconds


def _report(n: int, seconds: Mapping[str, Sequence[float]]) -> None:
    pairs = zip(seconds[AUTO], seconds[OFF], strict=True)
    ratios = summary([with_it / without for with_it, without in pairs])
    print_last_line(
        "ahead-at-once",
        n,
        {"auto_by_off": goal(ratios["median"], LATER)},
        runs_at_once=RUNS,
        ratios=ratios,
        seconds={arm: summary(found) for arm, found in seconds.items()},
        samples={arm: [round(one, 3) for one in found] for arm, found in seconds.items()},
    )


if __name__ == "__main__":
    cluster.main(measure_all, __doc__, 8, "times each")
