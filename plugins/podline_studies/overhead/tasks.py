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
    AT_ONCE,
    BASELINE,
    BASELINES,
    USUAL,
    Combination,
    Design,
    Params,
    from_params,
)
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.overhead.measurement import Measurement, longest, measure, read_tasks
from podline_studies.study import Session, Study
from podline_studies.validation import DesignError

_log = logging.getLogger(__name__)

QUIET_PARAM = "quiet"  # the share of the processors' time that others may take before a run

OverheadStudy = Study[Design, Measurement]


def default_backends() -> list[str]:
    """What a study compares unless its parameters say: all that runs here without more settings."""
    return list(USUAL) if settings.backend() == "kubernetes" else [BASELINE, "process"]


class OverheadTasks(StudyTasks[Design, Measurement]):
    """The tasks of the DAG `overhead_sweep`."""

    kind = OVERHEAD

    def design(self, params: Mapping[str, Any]) -> Design:
        """Make the design; each of its notebooks names what it varies."""
        design = from_params(cast(Params, params))
        for name in design.notebooks:
            _check(_pipeline(name), design)
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
    at_once = AT_ONCE.get(combination.backend, 1)
    about = (way(), session.number, attempt, busy, dag_id)
    measured = []
    for ended in dag_runs.run(dag_id, f"{study.name}__{name}__{_token()}", conf, at_once):
        blank = Measurement(combination, *about, ended.run_id, ended.state, quiet=quiet)
        measured.append(_read(study, pipeline, blank))
    return longest(measured)


def _read(study: OverheadStudy, pipeline: Pipeline, blank: Measurement) -> Measurement:
    stages = [stage.name for stage in pipeline.stages]
    expected = ["notebook"] if blank.combination.backend in BASELINES else stages
    wanted = expected if blank.state == "success" else []
    tasks = read_tasks(study.store, blank.dag_id, blank.run_id, wanted)
    return measure(tasks, blank, {c.number for stage in pipeline.stages for c in stage.cells})


def _token() -> str:
    """A word for the study's own run.

    In another Airflow that goes on with the study it is another: a run that was cut off has left
    records in the store, which those of its next try must not be mixed with.
    """
    from airflow.sdk import get_current_context

    return hashlib.sha256(get_current_context()["run_id"].encode()).hexdigest()[:6]


def _check(pipeline: Pipeline, design: Design) -> None:
    """Refuse a design that varies what the notebook does not name, or runs too many at once."""
    sizes, most = pipeline.settings.sizes, pipeline.settings.max_active_runs
    if sizes is None:
        raise DesignError(
            f"the notebook {pipeline.name!r} does not name its sizes. fix: give its metadata "
            'podline.sizes, such as {"data": "rows", "model": "width"}'
        )
    varied: dict[str, list[int]] = {
        "data": [data for data, _ in design.sizes if data],
        "model": [model for _, model in design.sizes if model],
        "steps": [steps for steps in design.steps if steps],
    }
    for size, values in varied.items():
        if values and not getattr(sizes, size):
            raise DesignError(
                f"the notebook {pipeline.name!r} has no parameter for its {size}, of which "
                f"{sorted({*values})} are asked for. fix: name one in its metadata as "
                f"podline.sizes.{size}, or give none ([])"
            )
    at_once = max(AT_ONCE.get(backend, 1) for backend in design.backends)
    if at_once > most:
        raise DesignError(
            f"the notebook {pipeline.name!r} has max_active_runs {most}, and {at_once} runs at "
            f"once are asked for. fix: give its metadata podline.max_active_runs {at_once}"
        )


def _pipeline(name: str) -> Pipeline:
    path = settings.notebooks_folder() / f"{name}.ipynb"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb"))) or "none"
        raise DesignError(f"notebooks: there is no {path.name}; there are: {known}")
    return compile_notebook(path)
