"""What a task needs, imported before tasks are forked: each task is spared half a second."""

import importlib
from threading import Event

from podline.airflow_compat import forks_tasks

_MODULES = (
    "podline.operators.stage",
    "podline.operators.process",
    "podline.operators.kubernetes.backend",
    "podline.operators.kubernetes.manifest",
    "podline.operators.dag_factory",
    "podline.store.client",
    "podline.latency.record_builder",
    "podline.latency.record_store",
    "podline.latency.telemetry",
    "podline.runner.html_export",
)
_begun = Event()


def preload() -> None:
    """Import what a task needs, if this process forks tasks; elsewhere it would cost memory."""
    if not forks_tasks() or _begun.is_set():
        return
    _begun.set()  # loading the listeners loads the plugins again, and so comes here
    for module in _MODULES:
        importlib.import_module(module)
    # A task's process would load the plugins anew, to find the listeners in them.
    from airflow.sdk.listener import get_listener_manager

    get_listener_manager()
