"""Runs a combination as a run of the notebook's own DAG, and waits for its end.

Under a scheduler the run is triggered. Under ``airflow dags test`` nothing would pick that up, and
the DAG is run in the same process.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from podline import settings
from podline.airflow_compat import forget_parsed_dag
from podline.compiler.dag_id import BASELINE as BASELINE_SUFFIX
from podline.compiler.parameters import AHEAD_PARAM, BACKEND_PARAM
from podline.settings import Backend
from podline_studies.dag_tasks import SCHEDULER, RunningError, trigger, way
from podline_studies.overhead.design import (
    AHEAD,
    BASELINE,
    BASELINES,
    IN_PODS,
    POD_BASELINE,
    STOCK,
    TUNED,
    Combination,
)
from podline_studies.overhead.stock_operator import STOCK as STOCK_SUFFIX
from podline_studies.overhead.stock_operator import STOCK_TUNED as TUNED_SUFFIX

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from podline.compiler.metadata import Sizes

_POLL = 1.0  # seconds
_SUFFIXES = {
    BASELINE: BASELINE_SUFFIX,
    POD_BASELINE: BASELINE_SUFFIX,
    STOCK: STOCK_SUFFIX,
    TUNED: TUNED_SUFFIX,
}
_LONGEST = 6 * 3600.0  # seconds that a run may take


@dataclass(frozen=True)
class Ended:
    """A run that has ended; its state is Airflow's."""

    run_id: str
    state: str


def dag_id_of(combination: Combination) -> str:
    """The DAG that runs a combination."""
    return combination.notebook + _SUFFIXES.get(combination.backend, "")


def conf_of(combination: Combination, sizes: "Sizes") -> dict[str, object]:
    """What the DAG is triggered with.

    Args:
        combination: what is to run.
        sizes: which of the notebook's parameters are its sizes.
    """
    conf: dict[str, object] = dict(sizes.fixed)
    given = {
        sizes.data: combination.data,
        sizes.model: combination.model,
        sizes.steps: combination.steps or None,
    }
    conf |= {name: value for name, value in given.items() if name and value is not None}
    if combination.backend not in (STOCK, TUNED):
        conf[BACKEND_PARAM] = _runs_on(combination.backend)
    if combination.backend not in BASELINES and BACKEND_PARAM in conf:
        conf[AHEAD_PARAM] = "auto" if combination.backend == AHEAD else "off"
    return conf


def _runs_on(backend: str) -> str:
    in_pods = backend in IN_PODS or backend == POD_BASELINE
    return Backend.KUBERNETES.value if in_pods else Backend.PROCESS.value


def run(dag_id: str, run_id: str, conf: Mapping[str, object], at_once: int = 1) -> list[Ended]:
    """Run a DAG, several times at once if need be, and wait for the end of all.

    Args:
        dag_id: of `dag_id_of`.
        run_id: under a scheduler, the run's id: one that exists is waited for, and made once. Of
            several, the first's.
        conf: of `conf_of`.
        at_once: how many.

    Raises:
        RunningError: there is no such DAG, it is paused, its run does not end, or there is no
            scheduler to run several.
    """
    if way() == SCHEDULER:
        more = [f"{run_id}-{number}" for number in range(2, at_once + 1)]
        return _by_scheduler(dag_id, [run_id, *more], conf)
    if at_once > 1:
        raise RunningError(
            f"{at_once} runs of {dag_id} at once need a scheduler. fix: trigger the study's DAG, "
            "or leave those backends out"
        )
    return [_here(dag_id, conf)]


def _by_scheduler(dag_id: str, run_ids: list[str], conf: Mapping[str, object]) -> list[Ended]:
    _check_dag(dag_id)
    for run_id in run_ids:
        trigger(dag_id, run_id, conf)
    return [_end_of(dag_id, run_id) for run_id in run_ids]


def _end_of(dag_id: str, run_id: str) -> Ended:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    deadline = time.monotonic() + _LONGEST
    while (state := RuntimeTaskInstance.get_dagrun_state(dag_id, run_id)) not in _OVER:
        if time.monotonic() > deadline:
            raise RunningError(f"{dag_id} {run_id} has not ended within {_LONGEST / 3600:g} hours")
        time.sleep(_POLL)
    return Ended(run_id, state)


_OVER = ("success", "failed")


def _check_dag(dag_id: str) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        found = RuntimeTaskInstance.get_dag(dag_id)
    except AirflowRuntimeError as error:
        raise RunningError(_missing(dag_id)) from error
    if found.is_paused:
        raise RunningError(f"the DAG {dag_id!r} is paused. fix: unpause it for the study")


def _missing(dag_id: str) -> str:
    return (
        f"there is no DAG {dag_id!r}. fix: name a notebook that compiles and whose metadata has "
        "podline.sizes"
    )


def _here(dag_id: str, conf: Mapping[str, object]) -> Ended:
    forget_parsed_dag()
    ended = _dag(dag_id).test(run_conf=dict(conf))
    return Ended(ended.run_id, str(ended.state.value))


def _dag(dag_id: str) -> "DAG":
    from podline.operators.dag_factory import notebook_dags
    from podline_studies.overhead.stock_operator import stock_dags

    folder = settings.notebooks_folder()
    make = stock_dags if dag_id.endswith((STOCK_SUFFIX, TUNED_SUFFIX)) else notebook_dags
    found = make(folder, dag_id)
    if not found:
        raise RunningError(_missing(dag_id))
    return found[0]
