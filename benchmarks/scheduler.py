"""What a stage costs in a chain of pods, with the scheduler's time between two of them.

Five stages hand an array of 1 MB on. A run's sample is the time from the first one's start to the
last one's end, less their own cells, by five. Runs whose stages are begun ahead take turns with
those whose are not, and with ones of a chain that waits two seconds in each stage: there the next
pod has time to get ready. It needs KUBECONFIG, and in that cluster the images and the store.
"""

from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import cluster
from benchmarks.cluster import Cluster
from benchmarks.report import goal, print_last_line, summary
from benchmarks.runs import array_chain, one_run, process_times
from tests.support.airflow_server import running
from tests.support.notebooks import notebook_text

STAGES = [f"stage_{number}" for number in range(1, 6)]
CHAIN, WAITING = "pods_chain", "pods_waiting_chain"
# What takes turns: which DAG, what its runs say to `ahead`, and the goal in seconds a stage.
ARMS = {
    "off": (CHAIN, "off", 0.6),
    "ahead": (CHAIN, "auto", 0.35),
    "waiting_off": (WAITING, "off", None),
    "waiting_ahead": (WAITING, "auto", 0.35),
}


def measure(n: int, folder: Path, there: Cluster) -> None:
    """Run the chains `n` times each, and print what was found."""
    waiting = array_chain(*STAGES, source="time.sleep(2)\nx = x + 1")
    for name, cells in {CHAIN: array_chain(*STAGES), WAITING: waiting}.items():
        (folder / f"{name}.ipynb").write_text(notebook_text(cells))
    variables = there.variables | {"AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder)}
    runs: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    with running(folder / "airflow", variables, f"{WAITING}_baseline") as airflow:
        for number in range(n + 1):
            for arm, (dag_id, ahead, _) in ARMS.items():
                run = one_run(airflow, there.store, dag_id, conf={"ahead": ahead})
                if number:  # the first warms up
                    runs[arm].append(run)
                    print(f"{number}, {arm}: {_stage_seconds(run):.3f} s a stage", flush=True)
    _report(n, runs)


def _stage_seconds(run: dict[str, Any]) -> float:
    code = sum(run[name]["code"] for name in STAGES)
    return float(run[STAGES[-1]]["end"] - run[STAGES[0]]["start"] - code) / len(STAGES)


def _report(n: int, runs: dict[str, list[dict[str, Any]]]) -> None:
    seconds = {arm: [_stage_seconds(run) for run in found] for arm, found in runs.items()}
    found = {arm: summary(values) for arm, values in seconds.items()}
    for arm, values in found.items():
        print(f"{arm}: {values['median']:.3f} s a stage in the median of {n} runs")
    print_last_line(
        "scheduler",
        n,
        {
            f"stage_{arm}_s": goal(found[arm]["median"], limit)
            for arm, (_, _, limit) in ARMS.items()
            if limit is not None
        },
        stage_s=found,
        between_stages_s={arm: summary(_between(of)) for arm, of in runs.items()},
        of_a_stage={
            arm: process_times([run[name] for run in of for name in STAGES])
            for arm, of in runs.items()
        },
        samples={arm: [round(v, 4) for v in values] for arm, values in seconds.items()},
    )


def _between(runs: list[dict[str, Any]]) -> list[float]:
    """The seconds from each stage's end to the next one's start."""
    return [
        run[after]["start"] - run[before]["end"]
        for run in runs
        for before, after in pairwise(STAGES)
    ]


if __name__ == "__main__":
    cluster.main(measure, __doc__, 12, "runs")
