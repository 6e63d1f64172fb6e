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
from podline.compiler.parameters import BACKEND_PARAM
from podline_studies.dag_tasks import SCHEDULER, RunningError, trigger, way
from podline_studies.overhead.design import (
    BASELINE,
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
_BASELINE_RUNS_ON = {BASELINE: "process", POD_BASELINE: "kubernetes"}
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
    for name, value in ((sizes.data, combination.data), (sizes.model, combination.model)):
        if name and value is not None:
            conf[name] = value
    if combination.backend not in (STOCK, TUNED):
        conf[BACKEND_PARAM] = _BASELINE_RUNS_ON.get(combination.backend, combination.backend)
    return conf


def run(dag_id: str, run_id: str, conf: Mapping[str, object]) -> Ended:
    """Run a DAG, and wait for its end.

    Args:
        dag_id: of `dag_id_of`.
        run_id: under a scheduler, the run's id: one that exists is waited for, and made once.
        conf: of `conf_of`.

    Raises:
        RunningError: there is no such DAG, it is paused, or its run does not end.
    """
    return _by_scheduler(dag_id, run_id, conf) if way() == SCHEDULER else _here(dag_id, conf)


def _by_scheduler(dag_id: str, run_id: str, conf: Mapping[str, object]) -> Ended:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    _check_dag(dag_id)
    trigger(dag_id, run_id, conf)
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
