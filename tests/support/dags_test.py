"""Airflow's command line in an Airflow of the test's own: `dags test`, and what DAG files hold."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Of household_power: two months to learn from, and few steps; the held-out year is the whole one.
SLICE = {"rows": 90_000, "model_size": 10_000, "steps": 60, "horizon": 24}
_LOAD = """
import json, sys, warnings
warnings.simplefilter("error")
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({"errors": bag.import_errors, "dags": {
    dag_id: {
        "tasks": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks},
        "params": {name: dag.params.get_param(name).serialize() for name in dag.params},
        "doc": dag.doc_md, "tags": sorted(dag.tags),
        "schedule": str(getattr(dag, "schedule", None)), "retries": dag.default_args["retries"],
        "owner": dag.owner, "max_active_runs": dag.max_active_runs, "catchup": dag.catchup,
    } for dag_id, dag in bag.dags.items()}}))
"""


def environment(home: Path) -> dict[str, str]:
    """What Airflow's environment has for our DAGs and plugins, with a home of its own."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")]),
    }


def migrate(home: Path) -> Path:
    """Make the database of an Airflow's home; returns the home."""
    (home / "airflow.db").write_bytes(_migrated())
    return home


@functools.cache
def _migrated() -> bytes:
    """An empty database: it takes seconds, and all of them are the same."""
    with tempfile.TemporaryDirectory() as name:
        env = os.environ | environment(Path(name))
        subprocess.run(["airflow", "db", "migrate"], env=env, check=True, capture_output=True)
        return Path(name, "airflow.db").read_bytes()


def dags_test(
    dag_id: str, env: Mapping[str, str], conf: Mapping[str, Any], *arguments: str
) -> tuple[int, str]:
    """Run a DAG; returns the exit code, and what Airflow printed.

    Args:
        dag_id: which.
        env: beside what this process has.
        conf: of the run.
        arguments: of the command.
    """
    command = ["airflow", "dags", "test", dag_id, *arguments, "--conf", json.dumps(dict(conf))]
    run = subprocess.run(command, env=os.environ | dict(env), capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr


def load_dags(home: Path, notebooks: Path | None = None) -> dict[str, Any]:
    """Load the DAG files as Airflow does, in a process of its own, with warnings as errors."""
    env = os.environ | environment(home / "airflow")
    if notebooks:
        env["AIRFLOW__PODLINE__NOTEBOOKS_FOLDER"] = str(notebooks)
    command = [sys.executable, "-c", _LOAD, str(ROOT / "dags")]
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def add_dag_file(dags: Path) -> None:
    """Put the DAG file of notebooks into a folder of its own, where nothing else is parsed."""
    (dags / "notebooks.py").write_bytes((ROOT / "dags" / "notebook_pipelines_dag.py").read_bytes())
