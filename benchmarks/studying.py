"""A study's DAG under a real scheduler, followed until its end."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.report import print_last_line
from podline_studies.study import Study
from tests.support.airflow_server import Airflow, running

_PAGE = 100
_OVER = ("success", "failed")


def study_parser(doc: str | None) -> argparse.ArgumentParser:
    """The options that every study has."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("preset", choices=["quick", "full"])
    parser.add_argument("--name", help="of the study (a new one)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--hours", type=float, default=10.0, help="to wait for its end (10)")
    return parser


def new_name(preset: str) -> str:
    """The name of a study that begins now."""
    return f"{preset}-{time.strftime('%Y%m%dT%H%M%S')}"


def run(
    folder: Path,
    variables: Mapping[str, str],
    dag_id: str,
    conf: Mapping[str, Any],
    hours: float,
    others: Iterable[str] = (),
) -> None:
    """Trigger a study's DAG and wait for its end, telling of each thing that is measured.

    Args:
        folder: for Airflow's home.
        variables: of Airflow's environment.
        dag_id: the study's DAG.
        conf: its parameters.
        hours: to wait.
        others: DAGs that it triggers, and that must be known before.
    """
    os.environ.pop("AIRFLOW_HOME", None)
    # Whoever stops it stops the stores and the link that its caller has begun, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped: it goes on by the same --name"))
    print(f"{conf['name']}: if it is stopped, it goes on by --name {conf['name']}", flush=True)
    with running(folder / "airflow", variables, dag_id, *others) as airflow:
        airflow.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})
        _follow(airflow, dag_id, airflow.trigger(dag_id, conf), hours)


def _follow(airflow: Airflow, dag_id: str, run_id: str, hours: float) -> None:
    """Follow a run, and those that go on after it."""
    deadline, told = time.monotonic() + hours * 3600, set[str]()
    while time.monotonic() < deadline:
        for task in _measured(airflow, dag_id, run_id):
            if task["id"] not in told and task["end_date"]:
                told.add(task["id"])
                print(f"{task['rendered_map_index']}: {task['state']}", flush=True)
        if airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"] in _OVER:
            query = "state=queued&state=running"
            runs = airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?{query}")["dag_runs"]
            if not runs:
                return
            run_id = runs[0]["dag_run_id"]
        time.sleep(5)
    raise SystemExit(f"the study has not ended within {hours:g} hours; it can be gone on with")


def _measured(airflow: Airflow, dag_id: str, run_id: str) -> Iterator[dict[str, Any]]:
    """The task instances that measure, page by page: Airflow gives no more than 100 at once."""
    offset = 0
    while True:
        query = f"task_id=measure&limit={_PAGE}&offset={offset}"
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?{query}"
        page = airflow.call("GET", path)["task_instances"]
        yield from page
        offset += _PAGE
        if len(page) < _PAGE:
            return


def tell(
    study: Study[Any, Any], bench: str, n: int, goals: dict[str, dict[str, Any]], **details: Any
) -> None:
    """Print a study's report, and the last line with its headline numbers.

    Args:
        study: which.
        bench: the benchmark's name.
        n: repeats of the design.
        goals: by name, of `benchmarks.report.goal`.
        details: what else the last line has.
    """
    from podline_studies import report_store

    made = report_store.make(study)
    print(made.markdown)
    print_last_line(bench, n, goals, **details, **made.last_line)
