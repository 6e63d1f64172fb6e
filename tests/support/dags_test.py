"""`airflow dags test`, in an Airflow of the test's own."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Of household_power: two months to learn from, and few steps; the held-out year is the whole one.
SLICE = {"rows": 90_000, "model_size": 10_000, "steps": 60, "horizon": 24}


def environment(home: Path) -> dict[str, str]:
    """What Airflow's environment has for our DAGs and plugins, with a home of its own."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    }


def migrate(home: Path) -> Path:
    """Make the database of an Airflow's home; returns the home."""
    env = os.environ | environment(home)
    subprocess.run(["airflow", "db", "migrate"], env=env, check=True, capture_output=True)
    return home


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
