"""What the tests of stages begun ahead run under a scheduler, as pods and as processes."""

from pathlib import Path

from podline.store import Store
from tests.support.airflow_server import LOST_SOON
from tests.support.dags_test import add_dag_file

# In a DAG file: what waits on a busy machine may take a task later than where it is of use.
_PATIENT = """
from podline.operators import process_ahead
from podline.operators.kubernetes import handover

handover._TAKES = process_ahead._HANDED_OVER = 60.0
"""
_WAIT = "import time\nprint('up', flush=True)\ntime.sleep({})"


def wait(seconds: int) -> str:
    """A cell's code that says that it is up, and sleeps."""
    return _WAIT.format(seconds)


def fork(seconds: int) -> tuple[tuple[str, str], ...]:
    """The cells of two stages side by side, and of one that waits for both."""
    return (
        ("step:left", f"{wait(seconds)}\na = 1"),
        ("step:right prev:", f"{wait(seconds)}\nb = 2"),
        ("step:both prev:left prev:right", "print('sum', a + b)"),
    )


def add_dag_files(dags: Path) -> None:
    """Put the DAG file of notebooks into a folder, whose DAG files have patience then."""
    add_dag_file(dags)
    for file in dags.glob("*.py"):
        file.write_text(file.read_text() + _PATIENT)


def environment(folder: Path, store: Store) -> dict[str, str]:
    """Airflow's environment: notebooks of a folder, DAG files of ``dags`` in it, stages ahead."""
    return {
        **store.connection.to_env(),
        **LOST_SOON,
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder),
        "AIRFLOW__PODLINE__AHEAD": "auto",
    }
