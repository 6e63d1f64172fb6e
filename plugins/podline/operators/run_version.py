"""The version of its notebook that a run goes by, from its first stage to its last.

Whoever opens the notebook and saves it meanwhile, be it only its outputs, changes no run. The
first stage of a run keeps the notebook in the run's folder, and notes which version that is; each
stage after it goes by the version of the results that it needs.

A task that is cleared goes on with the version of its run too, so that a run never mixes two. One
of which nothing is left, since all of its stages are cleared, begins anew.
"""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline.compiler.compiler import compile_notebook
from podline.compiler.notebook import Document
from podline.compiler.parameters import AHEAD_PARAM, BACKEND_PARAM
from podline.compiler.pipeline import Pipeline
from podline.exceptions import StageError
from podline.operators import task_spec
from podline.operators.task_spec import Input, Shipment
from podline.store import keys

if TYPE_CHECKING:
    from airflow.sdk import Context

    from podline.store import Store

_ANEW = "trigger a new run"


def begin(pipeline: Pipeline, store: "Store", run: str, context: "Context") -> Shipment:
    """The version for a stage that needs no other: the run's, or the notebook as it is now.

    Args:
        pipeline: the notebook as it is now.
        store: where runs are.
        run: the run's folder, of `keys.run_prefix`.
        context: Airflow's.

    Raises:
        NotebookError: the files beside the notebook are larger than the setting allows.
    """
    again = context["ti"].try_number > 1 or context["dag_run"].clear_number
    if again and (found := recall(store, run, context)):
        return found
    ours = {BACKEND_PARAM, AHEAD_PARAM} - {p.name for p in pipeline.parameters}
    values = [value for name, value in context["params"].items() if name not in ours]
    shipment = task_spec.ship(pipeline, store, run, values)
    key = keys.notebook_key(run, shipment.sha256)
    store.put_if_absent(key, _text_of(pipeline.document).encode())
    return _noted(store, run, context, shipment)


def recall(store: "Store", run: str, context: "Context") -> Shipment | None:
    """The version that a run goes by; None: nothing of the run says so.

    Args:
        store: where runs are.
        run: the run's folder.
        context: Airflow's.
    """
    from podline.store import ObjectMissing

    try:
        return _read(store, keys.version_note_key(run, beginning(context)))
    except ObjectMissing:
        kept = _of_results(context) if context["dag_run"].clear_number else None
        return _noted(store, run, context, kept) if kept else None


def of_inputs(inputs: Sequence[Input], notebook: str) -> Shipment:
    """The version of the results that a stage needs.

    Args:
        inputs: what the stages before returned; at least one.
        notebook: the notebook's name, for the error.

    Raises:
        StageError: they are of several.
    """
    first = inputs[0]
    if other := next((i for i in inputs if i["version"] != first["version"]), None):
        raise StageError(
            f"the stages {first['stage']!r} and {other['stage']!r} of this run ran two versions of "
            f"the notebook {notebook}, and a run never mixes them. fix: {_ANEW}, or clear all of "
            "this one",
            final=True,
        )
    return Shipment(dict(first["files"]), first["version"])


def pipeline_of(pipeline: Pipeline, shipment: Shipment, store: "Store", run: str) -> Pipeline:
    """The notebook as a run goes by it: as it is now, if that is the same, or from the store.

    Args:
        pipeline: as it is now.
        shipment: the version.
        store: where runs are.
        run: the run's folder.

    Raises:
        StageError: the store has it no more.
    """
    if task_spec.version_of(pipeline, shipment.files) == shipment.sha256:
        return pipeline
    return fetch(pipeline.name, shipment, store, run)


def fetch(name: str, shipment: Shipment, store: "Store", run: str) -> Pipeline:
    """Compile the notebook that a run keeps.

    Args:
        name: the notebook's.
        shipment: the version.
        store: where runs are.
        run: the run's folder.

    Raises:
        StageError: the store has it no more.
    """
    from podline.store import ObjectMissing

    with tempfile.TemporaryDirectory(prefix="podline-") as folder:
        path = Path(folder, f"{name}.ipynb")
        try:
            store.download(keys.notebook_key(run, shipment.sha256), path)
        except ObjectMissing:
            raise StageError(
                f"the notebook {name}.ipynb was edited since this run began, and the store does "
                f"not have the version that it began with. fix: {_ANEW}",
                final=True,
            ) from None
        return compile_notebook(path)


def values_of(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a notebook's parameters: those that are given, or else its own defaults.

    Args:
        pipeline: the notebook.
        given: by name; others' names too.
    """
    return {p.name: given.get(p.name, p.default) for p in pipeline.parameters}


def _text_of(document: Document) -> str:
    """A notebook without its outputs, which may be large: nothing goes by them."""
    cells = [
        {"cell_type": cell.kind, "source": cell.source, "metadata": {"tags": list(cell.tags)}}
        for cell in document.cells
    ]
    return json.dumps({"nbformat": 4, "metadata": dict(document.metadata), "cells": cells})


def _noted(store: "Store", run: str, context: "Context", shipment: Shipment) -> Shipment:
    """Note a run's version; of several first stages the first one says which it is."""
    key = keys.version_note_key(run, beginning(context))
    if store.put_if_absent(key, json.dumps(asdict(shipment)).encode()):
        return shipment
    return _read(store, key)


def _read(store: "Store", key: str) -> Shipment:
    return Shipment(**json.loads(bytes(store.get(key))))


def beginning(context: "Context") -> str:
    """What tells a run from one of its id that was deleted, and from itself before a clear."""
    run = context["dag_run"]
    return (run.start_date or run.run_after).isoformat()


def _of_results(context: "Context") -> Shipment | None:
    """The version of what a cleared run keeps; None: all of it is to run again."""
    ti: Any = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    kept: Iterable[str] = (t for t, s in states.items() if s == "success" and t != ti.task_id)
    results = (ti.xcom_pull(task_ids=task_id) for task_id in kept)
    for result in results:
        if isinstance(result, Mapping) and "version" in result:
            return Shipment(dict(result["files"]), result["version"])
    return None
