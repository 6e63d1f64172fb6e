"""How the overhead study measures a combination: as a run of the notebook's own DAG."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from podline import settings
from podline.compiler.compiler import compile_notebook
from podline.compiler.pipeline import Pipeline
from podline_studies import machine
from podline_studies.dag_tasks import StudyTasks, way
from podline_studies.overhead import dag_runs
from podline_studies.overhead.design import (
    BACKENDS,
    BASELINE,
    BASELINES,
    Combination,
    Design,
    Params,
    from_params,
)
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.overhead.measurement import Measurement, measure, read_tasks
from podline_studies.study import Session, Study
from podline_studies.validation import DesignError

_log = logging.getLogger(__name__)

QUIET_PARAM = "quiet"  # the share of the processors' time that others may take before a run

OverheadStudy = Study[Design, Measurement]


def default_backends() -> list[str]:
    """What a study compares unless its parameters say: all that runs here without more settings."""
    return list(BACKENDS) if settings.backend() == "kubernetes" else [BASELINE, "process"]


class OverheadTasks(StudyTasks[Design, Measurement]):
    """The tasks of the DAG `overhead_sweep`."""

    kind = OVERHEAD

    def design(self, params: Mapping[str, Any]) -> Design:
        """Make the design; each of its notebooks names its sizes."""
        design = from_params(cast(Params, params))
        for name in design.notebooks:
            _check_sizes(_pipeline(name))
        return design

    def warm_up(
        self, study: OverheadStudy, design: Design, item: Combination, session: Session
    ) -> None:
        """Run a backend for the first time in a session, at the smallest size.

        Args:
            study: what the run is kept in.
            design: of the study.
            item: the combination that is measured next.
            session: the one that goes on.
        """
        data, model = design.warm_up
        small = replace(item, data=data, model=model)
        what = f"{small.notebook}-{small.backend}"
        if not study.is_warm(what, session.number):
            name = f"warm-up-{session.number}-{small.backend}"
            study.add_warm_up(_run(study, small, session, 1, name), what)

    def measure(
        self, study: OverheadStudy, item: Combination, session: Session, attempt: int
    ) -> Measurement:
        """Run a combination.

        Args:
            study: for which.
            item: the combination.
            session: in which.
            attempt: at it, from 1.
        """
        return _run(study, item, session, attempt, f"{item.index:04d}__{attempt}")


TASKS = OverheadTasks()


def _run(
    study: OverheadStudy, combination: Combination, session: Session, attempt: int, name: str
) -> Measurement:
    from airflow.sdk import get_current_context

    pipeline = _pipeline(combination.notebook)
    assert pipeline.settings.sizes is not None
    dag_id = dag_runs.dag_id_of(combination)
    conf = dag_runs.conf_of(combination, pipeline.settings.sizes)
    quiet = float(get_current_context()["params"][QUIET_PARAM])
    busy = machine.settle(quiet)
    _log.info("%s: %s with %s", combination, dag_id, conf)
    ended = dag_runs.run(dag_id, f"{study.name}__{name}__{_token()}", conf)
    about = (way(), session.number, attempt, busy, dag_id, ended.run_id, ended.state)
    blank = Measurement(combination, *about, quiet=quiet)
    stages = [stage.name for stage in pipeline.stages]
    expected = ["notebook"] if combination.backend in BASELINES else stages
    wanted = expected if ended.state == "success" else []
    tasks = read_tasks(study.store, dag_id, ended.run_id, wanted)
    return measure(tasks, blank, {c.number for stage in pipeline.stages for c in stage.cells})


def _token() -> str:
    """A word for the study's own run.

    In another Airflow that goes on with the study it is another: a run that was cut off has left
    records in the store, which those of its next try must not be mixed with.
    """
    from airflow.sdk import get_current_context

    return hashlib.sha256(get_current_context()["run_id"].encode()).hexdigest()[:6]


def _check_sizes(pipeline: Pipeline) -> None:
    if pipeline.settings.sizes is None:
        raise DesignError(
            f"the notebook {pipeline.name!r} does not name its sizes. fix: give its metadata "
            'podline.sizes, such as {"data": "rows", "model": "width"}'
        )


def _pipeline(name: str) -> Pipeline:
    path = settings.notebooks_folder() / f"{name}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb"))) or "none"
        raise DesignError(f"notebooks: there is no {path.name}; there are: {known}")
    return compile_notebook(path)
