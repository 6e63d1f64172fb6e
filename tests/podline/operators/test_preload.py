"""The operator's modules are imported where tasks are forked, and no Kubernetes elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REPORT = """
import sys
from airflow.sdk.listener import get_listener_manager
print("kubernetes" in sys.modules, "podline.operators.kubernetes.backend" in sys.modules)
print(get_listener_manager.cache_info().currsize == 1)
"""
PLUGINS = "from airflow import plugins_manager as p; p.ensure_plugins_loaded();"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("airflow")
    env = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "PYTHONPATH": str(ROOT / "plugins"),
    }
    subprocess.run(["airflow", "db", "migrate"], env=env, check=True, capture_output=True)
    return env


def loaded(env: dict[str, str], argv: str, code: str = PLUGINS) -> list[str]:
    """Whether a process of that command has loaded kubernetes, the operator and the listeners."""
    head = f"import sys; sys.argv = {argv.split()!r};"
    run = subprocess.run(
        [sys.executable, "-c", head + code + "\n" + REPORT], env=env, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()[-3:]


@pytest.mark.parametrize(
    "command",
    ["airflow scheduler", pytest.param("airflow celery worker", marks=pytest.mark.slow)],
)
def test_where_tasks_are_forked(env: dict[str, str], command: str) -> None:
    assert loaded(env, command) == ["True"] * 3


@pytest.mark.parametrize(
    "command",
    [
        *(
            pytest.param(f"airflow {part}", marks=pytest.mark.slow)
            for part in ("api-server", "triggerer", "dag-processor")
        ),
        "task",
    ],
)
def test_elsewhere(env: dict[str, str], command: str) -> None:
    assert loaded(env, command) == ["False"] * 3


@pytest.mark.slow
def test_a_dag_file_without_stages_needs_none(env: dict[str, str]) -> None:
    """As a task's process that was started afresh reads it."""
    code = (
        "from airflow.dag_processing.dagbag import DagBag;"
        f"bag = DagBag({str(ROOT / 'dags' / 'pod_sweep_dag.py')!r});"
        "assert bag.dags and not bag.import_errors, bag.import_errors;"
    )
    assert loaded(env, "task", PLUGINS + code)[0] == "False"


@pytest.mark.slow
def test_a_listing_of_the_dags_needs_none(env: dict[str, str]) -> None:
    env = env | {"PYTHONPROFILEIMPORTTIME": "1"}
    command = ["airflow", "dags", "list"]
    run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert "airflow.models" in imported
    assert "kubernetes" not in imported
