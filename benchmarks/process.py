"""What a stage costs as a local process, under the real scheduler.

Five stages pass an array of 1 MB on, each adding to it; beside them the baseline, the same cells
in one kernel. Runs of both DAGs alternate. A stage's overhead is its task's duration less its
own cells; the first stage is left out, since it has no array to take in.
"""

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import goal, print_last_line, summary
from benchmarks.runs import array_chain, one_run, process_times
from podline.store import Store, seaweedfs
from tests.support.airflow_server import running
from tests.support.notebooks import notebook_text

STAGES = [f"stage_{number}" for number in range(2, 6)]  # the first one makes the array
LIMIT = 0.7  # seconds of overhead a stage, without its imports: the goal
_NAME = "array_chain"


def measure(n: int, folder: Path, pages: bool) -> None:
    """Run both DAGs `n` times each, alternating, and print what was found.

    Args:
        n: how many times.
        folder: an empty one, for the notebook, the store and Airflow.
        pages: whether HTML pages are made meanwhile.
    """
    (folder / f"{_NAME}.ipynb").write_text(notebook_text(array_chain(*STAGES)))
    with seaweedfs.running(folder / "store") as connection:
        store = Store(connection)
        store.ensure_bucket()
        variables = connection.to_env() | {
            "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
            "AIRFLOW__PODLINE__AHEAD": "off",
        }
        if not pages:
            variables["AIRFLOW__PODLINE__HTML"] = "never"
        with running(folder / "airflow", variables, f"{_NAME}_baseline") as airflow:
            chains, baselines = [], []
            for number in range(n + 1):
                chain = one_run(airflow, store, _NAME)
                baseline = one_run(airflow, store, _NAME + "_baseline")
                if number:  # the first of each warms up
                    chains.append(chain)
                    baselines.append(baseline)
                    print(f"run {number}: {_line(chain, baseline)}", flush=True)
    _report(n, chains, baselines)


def _overhead(stage: dict[str, Any]) -> float:
    return float(stage["duration"] - stage["code"] - stage["phases"]["imports"])


def _line(chain: dict[str, Any], baseline: dict[str, Any]) -> str:
    overheads = [_overhead(chain[name]) for name in STAGES]
    shown = " ".join(f"{value:.3f}" for value in overheads)
    return f"overhead of a stage {shown} s; baseline {baseline['notebook']['duration']:.3f} s"


def _report(n: int, chains: list[dict[str, Any]], baselines: list[dict[str, Any]]) -> None:
    stages = [chain[name] for chain in chains for name in STAGES]
    overheads = [_overhead(stage) for stage in stages]
    whole = [chain[STAGES[-1]]["end"] - chain["make"]["start"] for chain in chains]
    found = summary(overheads)
    print(f"a stage's overhead: {found['median']:.3f} s in the median of {len(overheads)} stages")
    print_last_line(
        "process",
        n,
        {"stage_overhead_s": goal(found["median"], LIMIT)},
        stage_overhead_s=found,
        **process_times(stages),
        five_stages_s=summary(whole),
        baseline_s=summary([run["notebook"]["duration"] for run in baselines]),
        samples=[round(value, 4) for value in overheads],
    )


def main() -> None:
    """Measure, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10, help="runs of each DAG (10)")
    parser.add_argument("--no-pages", action="store_true", help="make no HTML pages meanwhile")
    arguments = parser.parse_args()
    os.environ.pop("AIRFLOW_HOME", None)
    with tempfile.TemporaryDirectory() as name:
        measure(arguments.n, Path(name), not arguments.no_pages)


if __name__ == "__main__":
    main()
