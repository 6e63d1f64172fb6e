"""Airflow's operators for a notebook: one for a stage, one for the whole notebook in one kernel."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from podline.compiler.pipeline import Stage
from podline.contract import StagePlan
from podline.exceptions import StageError
from podline.operators import run_version, task_spec
from podline.operators.base import BackendOperator
from podline.operators.task_spec import Input, Shipment, Values

if TYPE_CHECKING:
    from airflow.sdk import Context


class NotebookOperator(BackendOperator):
    """Runs the whole notebook in one kernel: the baseline that a pipeline is measured against."""

    ui_color = "#e8f0fe"

    def _plan(self, parameters: Values, shipment: Shipment) -> StagePlan:
        return task_spec.plan_baseline(self.pipeline, parameters, shipment)


class StageOperator(BackendOperator):
    """Runs one stage of a notebook. Its task's id is the stage's name.

    Its tags for retries and timeouts become the task's own. If it fails: the log's last lines name
    the cell and quote the line; the executed notebook, as far as it came, is kept beside the result
    (`podline notebook DAG RUN STAGE`).
    """

    ui_color = "#e6f4ea"
    stage: Stage

    def _inputs(self, context: "Context") -> list[Input]:
        inputs: list[Input] = []
        stage = self._stage()
        for parent in sorted(stage.parents.keys() & stage.ancestors):
            value = context["ti"].xcom_pull(task_ids=parent)
            if not isinstance(value, Mapping):
                raise StageError(
                    f"the stage {parent!r} left no result in this run, and {stage.name!r} "
                    f"needs it. fix: clear {parent!r}, so that it runs again"
                )
            inputs.append(value)  # type: ignore[arg-type]
        return inputs

    def _plan(self, parameters: Values, shipment: Shipment) -> StagePlan:
        return task_spec.plan_stage(self.pipeline, self._stage(), parameters, shipment)

    def _stage(self) -> Stage:
        """The stage in the notebook as the run goes by it; its tags count as they are now."""
        found = [stage for stage in self.pipeline.stages if stage.name == self.task_id]
        if not found:
            raise StageError(
                f"the notebook {self.pipeline.name} had no stage {self.task_id!r} when this run "
                "began: it was added since. fix: trigger a new run",
                final=True,
            )
        return found[0]


class _Kept(BackendOperator):
    """A task of a notebook that cannot be read now: it goes by what its run has kept of it.

    Attributes:
        notebook: its name.
        why: what is wrong with it.
    """

    notebook = why = ""

    def _go_by_the_run(self, context: "Context", run: str) -> tuple[list[Input], Shipment]:
        shipment = run_version.recall(self.store, run, context)
        if shipment is None:
            raise StageError(self.why, final=True)
        self.log.warning("%s. The run goes on with the version that it began with", self.why)
        self.pipeline = run_version.fetch(self.notebook, shipment, self.store, run)
        self.was_edited = True
        return self._inputs(context), shipment


class KeptStageOperator(_Kept, StageOperator):
    """A stage of such a notebook."""


class KeptNotebookOperator(_Kept, NotebookOperator):
    """The whole of one."""
