"""The operator's modules, imported before tasks are forked: each task is spared half a second."""

import importlib

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
)


def preload() -> None:
    """Import what a task needs, if this process forks tasks; elsewhere it would cost memory."""
    if forks_tasks():
        for module in _MODULES:
            importlib.import_module(module)
