"""A sweep of the overhead study under a real scheduler, in the cluster that KUBECONFIG names.

It goes on with a study of the same name. Its last line has the report's headline numbers.
"""

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import cluster
from benchmarks.report import goal, print_last_line
from benchmarks.server import Airflow, running
from podline import datasets, settings
from podline.notebooks.joining import JOINED, join_stages
from podline.studies.keeping import Study
from podline.studies.tasks import KIND

_DAG = "overhead_sweep"
_MINUTES = {"quick": 20.0}  # the goal for a preset as it is


def sweep(folder: Path, variables: dict[str, str], conf: dict[str, Any], hours: float) -> None:
    """Trigger the sweep and wait for its end, telling of each combination that is measured."""
    with running(folder / "airflow", variables) as airflow:
        airflow.wait_for_dag(_DAG)
        for name in conf["notebooks"]:
            airflow.wait_for_dag(f"{name}_baseline")
            airflow.wait_for_dag(f"{name}_stock")
        airflow.call("PATCH", f"/api/v2/dags/{_DAG}", {"is_paused": False})
        run_id = airflow.trigger(_DAG, conf)
        _follow(airflow, run_id, hours)


def _follow(airflow: Airflow, run_id: str, hours: float) -> None:
    path = f"/api/v2/dags/{_DAG}/dagRuns/{run_id}"
    told: set[int] = set()
    deadline = time.monotonic() + hours * 3600
    while time.monotonic() < deadline:
        tasks = airflow.call("GET", f"{path}/taskInstances?limit=1000")["task_instances"]
        for task in tasks:
            if task["map_index"] not in told and task["task_id"] == "measure" and task["end_date"]:
                told.add(task["map_index"])
                print(f"{task['rendered_map_index']}: {task['state']}", flush=True)
        if airflow.call("GET", path)["state"] in ("success", "failed"):
            return
        time.sleep(5)
    raise SystemExit(f"the sweep has not ended within {hours:g} hours; it can be gone on with")


def main() -> None:
    """Sweep, and print the report and the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", choices=["quick", "full"])
    parser.add_argument("--name", help="of the study (a new one)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--notebook", action="append", help="(household_power)")
    parser.add_argument("--data", type=int, action="append", help="a data size of one's own")
    parser.add_argument("--model", type=int, action="append", help="a model size of one's own")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--backend", action="append", help="(all four)")
    parser.add_argument(
        "--join", nargs=2, metavar="STAGE", help="compare with a notebook that has these joined"
    )
    parser.add_argument("--hours", type=float, default=10.0, help="to wait for its end (10)")
    arguments = parser.parse_args()
    given = {
        "data": arguments.data, "models": arguments.model, "repeats": arguments.repeats,
        "backends": arguments.backend,
    }  # fmt: skip
    conf = {
        "preset": arguments.preset,
        "seed": arguments.seed,
        "name": arguments.name or f"{arguments.preset}-{time.strftime('%Y%m%dT%H%M%S')}",
        "notebooks": arguments.notebook or ["household_power"],
        **{name: value for name, value in given.items() if value},
    }
    os.environ.pop("AIRFLOW_HOME", None)
    with tempfile.TemporaryDirectory() as name, cluster.opened() as there:
        for data in set(conf["notebooks"]) & datasets.DATASETS.keys():
            there.store.put_if_absent(datasets.store_key(data), datasets.fetch(data))
        variables = dict(there.variables)
        if arguments.join:
            folder = _joined(Path(name), conf["notebooks"], *arguments.join)
            variables["AIRFLOW__PODLINE__NOTEBOOKS_FOLDER"] = str(folder)
        began = time.monotonic()
        sweep(Path(name), variables, conf, arguments.hours)
        minutes = (time.monotonic() - began) / 60
        goals = {}
        if arguments.preset in _MINUTES and not any(given.values()):
            goals["minutes"] = goal(minutes, _MINUTES[arguments.preset])
        study = Study(there.store, KIND, conf["name"])
        _tell(study, f"sweep-{arguments.preset}", goals, minutes=round(minutes, 1))


def _joined(home: Path, notebooks: list[str], first: str, second: str) -> Path:
    """A folder with a notebook, and beside it the same with two stages joined."""
    path = settings.notebooks_folder() / f"{notebooks[0]}.ipynb"
    folder = home / "notebooks"
    folder.mkdir()
    shutil.copy(path, folder)
    notebooks.append(path.stem + JOINED)
    (folder / f"{notebooks[-1]}.ipynb").write_text(join_stages(path, first, second))
    return folder


def _tell(study: Study, bench: str, goals: dict[str, dict[str, Any]], **details: Any) -> None:
    from podline.studies import reporting

    made = reporting.make(study)
    print(made.markdown)
    print_last_line(bench, study.design().repeats, goals, **details, **made.last_line)


if __name__ == "__main__":
    main()
