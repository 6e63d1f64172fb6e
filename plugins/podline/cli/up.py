"""`podline up`: Airflow and the store on this machine."""

import os
from pathlib import Path

import typer

from podline import local_airflow, settings
from podline.cli.store import embedded_folder
from podline.store import environment

_ROOT = Path(__file__).parents[3]  # of a checkout: `dags` and `plugins` are there


def command() -> None:
    """Run Airflow and the store on this machine, until Ctrl-C."""
    home = Path(os.environ.get("AIRFLOW_HOME") or settings.home() / "airflow")
    with environment.environment(embedded_folder()) as variables:
        code = local_airflow.serve(home.absolute(), {**_defaults(), **variables}, typer.echo)
    raise typer.Exit(code)


def _defaults() -> dict[str, str]:
    """Where a checkout has its DAGs and plugins, as far as the environment does not say."""
    found = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(_ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    here = (_ROOT / "dags").is_dir()
    return {name: value for name, value in found.items() if here and name not in os.environ}
