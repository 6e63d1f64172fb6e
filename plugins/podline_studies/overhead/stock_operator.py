"""A notebook's stages through Airflow's own, unmodified pod operator: what ours is compared with.

The pod is the same: a template of Jinja has `podline_pod` make its manifest when the task runs. A
stage's inputs are read from the store, since a stock operator's result would come through XCom
only by way of a second container. So they are vouched for by the store alone, and this DAG is for
comparisons.
"""

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

from podline import settings
from podline.compiler.compiler import compile_notebook
from podline.compiler.dag_id import dag_id
from podline.compiler.pipeline import Pipeline
from podline.contract import StageResult
from podline.exceptions import StageError
from podline.operators.dag_factory import add_stages, notebook_params
from podline.operators.stage import StageOperator
from podline.operators.task_spec import Input, input_of
from podline.store.keys import RESULT

if TYPE_CHECKING:
    from airflow.sdk import Context

STOCK = "_stock"
STOCK_TUNED = "_stock_tuned"
# How often it looks whether the pod has started, and whether it has ended. The first is said to be
# of whole seconds, and taken as it is.
_TUNED = {"startup_check_interval_seconds": 0.05, "base_container_status_polling_interval": 0.05}
_ARGUMENTS: dict[str, dict[str, Any]] = {STOCK: {}, STOCK_TUNED: _TUNED}
_POD = "{{ podline_pod(ti) }}"


def stock_dags(folder: Path, only: str | None = None) -> list[DAG]:
    """Make the DAGs of each notebook of a folder that names its sizes.

    NAME_stock has the operator as it is; in NAME_stock_tuned it looks as often as it can.

    Args:
        folder: where the notebooks are.
        only: the one DAG that is wanted, as a task's process knows it; None: all.
    """
    return [
        stock_dag(pipeline, suffix)
        for path in sorted(folder.glob("*.ipynb"))
        if (wanted := [s for s in _ARGUMENTS if only in (None, dag_id(path) + s)])
        and (pipeline := _with_sizes(path))
        for suffix in wanted
    ]


def _with_sizes(path: Path) -> Pipeline | None:
    try:
        pipeline = compile_notebook(path)
    except Exception:  # whatever it is, it is this notebook's alone, whose own DAG says so
        return None
    return pipeline if pipeline.settings.sizes else None


def stock_dag(pipeline: Pipeline, suffix: str = STOCK) -> DAG:
    """Make a notebook's DAG of stock operators; `suffix`: of its id."""
    with DAG(
        pipeline.name + suffix,
        schedule=None,
        max_active_runs=1,
        tags={"podline", "comparison"},
        doc_md=__doc__,
        default_args={"owner": pipeline.settings.owner, "retries": 0},
        params=notebook_params(pipeline),
        render_template_as_native_obj=True,  # a manifest is no text
        user_defined_macros={"podline_pod": partial(make_manifest, pipeline)},
    ) as dag:
        connection = settings.kubernetes_conn_id()
        about = _ARGUMENTS[suffix] | ({"kubernetes_conn_id": connection} if connection else {})
        about["pod_template_dict"] = _POD  # which Airflow renders before it reads it
        add_stages(pipeline, lambda stage: KubernetesPodOperator(task_id=stage.name, **about))
    return dag


def make_manifest(pipeline: Pipeline, ti: Any) -> dict[str, object]:
    """Return the manifest of a stage's pod, as our operator would create it.

    Args:
        pipeline: the notebook.
        ti: Airflow's RuntimeTaskInstance of the stage.

    Raises:
        StageError: an input is missing, a parameter is not right, or the cluster does not answer.
    """
    operator = _Planner(task_id=ti.task_id, pipeline=pipeline, stage=pipeline.stage(ti.task_id))
    return operator.manifest(ti.get_template_context())


class _Planner(StageOperator):
    """Plans a stage, and leaves its pod to another."""

    def manifest(self, context: "Context") -> dict[str, object]:
        """Return the manifest of the stage's pod."""
        from kubernetes.client import ApiClient

        from podline.operators.kubernetes.backend import PodBackend
        from podline.store import open_store

        self.store = open_store()
        task = self._make_task(context)
        body = PodBackend(self._try_context(context)).planned(task, self.store.connection)
        found: dict[str, object] = ApiClient().sanitize_for_serialization(body)
        return found

    def _inputs(self, context: "Context") -> list[Input]:
        from podline.store.run_history import last_objects

        ti = context["ti"]
        left = last_objects(self.store, ti.dag_id, ti.run_id)
        return [
            self._reference_in_store(parent, left.get(parent, {}).get(RESULT))
            for parent in sorted(self.stage.parents.keys() & self.stage.ancestors)
        ]

    def _reference_in_store(self, parent: str, key: str | None) -> Input:
        if key is None:
            raise StageError(
                f"the stage {parent!r} left no result in this run, and {self.stage.name!r} needs it"
            )
        data = bytes(self.store.get(key))
        result = StageResult.from_json(data)
        return input_of(result, key, hashlib.sha256(data).hexdigest())
