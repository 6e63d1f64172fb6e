"""The stages that follow a task's own in its DAG, as far as they may be begun with now.

A stage may be where all tasks that it waits for have ended or run, or are such stages themselves;
so many steps ahead as the run's parameter `ahead`, its tag or the setting says, each over the next.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.compiler.parameters import AHEAD_PARAM
from podline.contract import StagePlan
from podline.exceptions import StageError
from podline.latency.observations import Observed
from podline.operators.backend import TryContext

if TYPE_CHECKING:
    from airflow.sdk import Context

    from podline.compiler.pipeline import Stage
    from podline.operators.base import BackendOperator

LONGEST_WAIT = 600.0  # seconds after which a pod or process that waits ends by itself
_BEGUN = frozenset({"success", "running", "deferred"})


@dataclass(frozen=True)
class NextStage:
    """A stage that follows.

    Attributes:
        wanted: its try, as far as that is known: what its pod is.
        plan: what it will do.
        behind: the stages that it waits for beside the one that runs, one after the other.
    """

    wanted: TryContext
    plan: StagePlan
    behind: tuple[str, ...] = ()


def next_stages(mine: TryContext, plan_of: Callable[["Stage"], StagePlan]) -> list[NextStage]:
    """The stages that may be begun with while a try of a stage runs, the nearest first.

    Args:
        mine: the try.
        plan_of: gives the plan of a stage of the same notebook.
    """
    context = mine.context
    operator: Any = mine.operator
    if context["ti"].map_index not in (None, -1) or not operator.has_dag():
        return []
    return [
        NextStage(_try_of(found, mine), plan_of(found.stage), behind)
        for found, behind in _candidates(operator, context)
        if found.stage is not None
    ]


def steps_ahead(operator: Any, context: "Context") -> int:
    """How many steps before its turn a stage may be begun with.

    Args:
        operator: the stage's.
        context: Airflow's, of a task of the run.

    Raises:
        StageError: the run's parameter does not say that.
    """
    own = any(parameter.name == AHEAD_PARAM for parameter in operator.pipeline.parameters)
    given = None if own else context.get("params", {}).get(AHEAD_PARAM)
    if given:
        try:
            return settings.read_ahead(str(given))
        except ValueError as error:
            raise StageError(f"the run's parameter ahead = {given!r}: give {error}") from None
    tag = operator.stage.settings.ahead
    return settings.ahead() if tag is None else int(tag)


def _candidates(
    operator: Any, context: "Context"
) -> "Iterator[tuple[BackendOperator, tuple[str, ...]]]":
    """Yield the stages, each with those that it has between itself and the one that runs."""
    tasks: dict[str, Any] = operator.dag.task_dict
    steps: dict[str, tuple[str, ...]] = {operator.task_id: ()}
    begun: set[str] = set(operator.get_flat_relative_ids(upstream=True))
    asked = False
    waiting = [operator.task_id]
    while waiting:
        for name in sorted(tasks[waiting.pop(0)].downstream_task_ids):
            found = tasks[name]
            if name in steps or not _is_stage(found, operator):
                continue
            behind = max((steps.get(p, ()) for p in found.upstream_task_ids), key=len)
            if len(behind) >= steps_ahead(found, context):
                continue
            others = found.upstream_task_ids - steps.keys()
            if not asked and not others <= begun:
                asked, begun = True, begun | _begun(context)
            if others <= begun:
                steps[name] = (*behind, name)
                waiting.append(name)
                yield found, behind


def _is_stage(found: Any, operator: Any) -> bool:
    """Whether a task is a stage of the same notebook that runs once, as pods of the same place."""
    stage, pipeline = getattr(found, "stage", None), getattr(found, "pipeline", None)
    return (
        stage is not None
        and pipeline is not None
        and pipeline.document.sha256 == operator.pipeline.document.sha256
        and found.get_closest_mapped_task_group() is None
        and (found.cluster, found.namespace) == (operator.cluster, operator.namespace)
    )


def _begun(context: "Context") -> set[str]:
    """The tasks of the run that have ended well, or run."""
    ti: Any = context["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return {name for name, state in states.items() if str(state) in _BEGUN}


def _try_of(found: "BackendOperator", mine: TryContext) -> TryContext:
    """A try of another task of the run that has not begun."""
    ti: Any = mine.context["ti"]
    ids = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": found.task_id, "map_index": -1}
    its: Any = SimpleNamespace(**ids, try_number=1, max_tries=0, start_date=datetime.now(UTC))
    context: Any = {**mine.context, "ti": its, "task": found}
    assert found.stage is not None
    if "hook" in vars(mine.operator):  # it talks to a cluster
        found.hook = mine.operator.hook  # type: ignore[assignment]
    tags = found.stage.settings
    return replace(mine, operator=found, tags=tags, context=context, seen=Observed())
