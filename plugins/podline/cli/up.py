"""`podline up`: Airflow and the store on this machine."""

import os

import typer

from podline import local_airflow, settings
from podline.cli.store import embedded_folder
from podline.store import environment


def command() -> None:
    """Run Airflow and the store on this machine, until Ctrl-C."""
    home = local_airflow.default_home().absolute()
    with environment.environment(embedded_folder) as variables:
        code = local_airflow.serve(home, {**_defaults(), **variables}, typer.echo)
    raise typer.Exit(code)


def _defaults() -> dict[str, str]:
    """Where a checkout has its DAGs and plugins, as far as the environment does not say."""
    dags, plugins = (settings.beside_plugins(name) for name in ("dags", "plugins"))
    if dags is None or not dags.is_dir():
        return {}
    found = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    return {name: value for name, value in found.items() if name not in os.environ}
