"""The operator's modules, imported before tasks are forked: each task is spared half a second."""

import importlib
import sys

# The commands of Airflow whose process forks those of tasks.
_FORKING = (("scheduler",), ("celery", "worker"))
_MODULES = (
    "podline.operators.stage",
    "podline.operators.process_backend",
    "podline.operators.kubernetes.backend",
    "podline.operators.kubernetes.manifest",
    "podline.operators.dag_factory",
    "podline.store.client",
    "podline.latency.record_builder",
    "podline.latency.record_store",
)


def preload() -> None:
    """Import what a task needs, if this process forks tasks; elsewhere it would cost memory."""
    if any(tuple(sys.argv[1 : 1 + len(words)]) == words for words in _FORKING):
        for module in _MODULES:
            importlib.import_module(module)
