"""podline's plugin: what Airflow's own processes load of it."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from podline.operators.preload import preload


class PodlinePlugin(AirflowPlugin):
    """Has the operator imported where tasks are forked."""

    name = "podline"

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Airflow calls this in every process of its own."""
        preload()
