"""The tasks of the overhead study's DAG: plan, measure a combination, report."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from podline import settings
from podline.exceptions import PodlineError
from podline.notebooks.compiler import compile_notebook
from podline.notebooks.pipeline import Pipeline
from podline.studies import machine, running
from podline.studies.design import BACKENDS, BASELINE, Combination, Design, DesignError, from_params
from podline.studies.keeping import Sitting, Study
from podline.studies.measuring import Measurement, measure, read_tasks

KIND = "overhead"
_ATTEMPTS = 2  # at a combination, in a try of its task
_log = logging.getLogger(__name__)


class StudyFailed(PodlineError):
    """Not every combination could be measured."""


def default_backends() -> list[str]:
    """What a study compares unless its parameters say: all that runs here without more settings."""
    return list(BACKENDS) if settings.backend() == "kubernetes" else [BASELINE, "process"]


def plan() -> list[int]:
    """Begin the study, or go on with it; returns the indices of what is left to measure.

    Raises:
        DesignError: the run's parameters make no design.
        StudyError: the study was begun with another one.
    """
    context = _context()
    design = from_params(context["params"])
    for name in design.notebooks:
        _check_sizes(_pipeline(name))
    study = _study(context)
    study.begin(design)
    planned, measured = design.combinations(), study.measured()
    _log.info("study %s: %s of %s are measured", study.name, len(measured), len(planned))
    return [c.index for c in planned if c.index not in measured]


def measure_next(index: int) -> None:
    """Measure the combination whose turn it is: Airflow keeps no order among mapped tasks.

    Args:
        index: of the combination, if all goes by the order.

    Raises:
        AirflowFailException: its runs failed, or were disturbed; they are kept, and reported.
    """
    from airflow.sdk.exceptions import AirflowFailException

    context = _context()
    study = _study(context)
    design, sitting = study.design(), _sit_down(study, context)
    combination = _next(study, design, sitting)
    context["combination"] = str(combination or "nothing left")
    if combination is None:
        return
    if combination.index != index:
        _log.info("it is the turn of number %s", combination.index)
    # Only a lost worker is a reason for another try.
    try:
        _warm_up(study, design, combination, sitting)
        failure = _measure(study, combination, sitting)
    except PodlineError as error:
        failure = str(error)
    if failure:
        raise AirflowFailException(f"{combination}: {failure}")


def _next(study: Study, design: Design, sitting: Sitting) -> Combination | None:
    """The first that is not measured, and was not tried in vain in this sitting."""
    passed = {m.combination.index for m in study.spoilt() if m.sitting == sitting.number}
    passed |= study.measured()
    return next((c for c in design.combinations() if c.index not in passed), None)


def _measure(study: Study, combination: Combination, sitting: Sitting) -> str:
    """Run a combination until that was not disturbed, twice at most; returns why it failed."""
    reason, first = "", study.attempts(combination) + 1
    for attempt in range(first, first + _ATTEMPTS):
        found = _run(study, combination, sitting, attempt, f"{combination.index:04d}__{attempt}")
        if not (reason := found.trouble):
            study.add(found)
            _log.info("%s: %.2f s", combination, found.wall)
            break
        study.add_spoilt(found)
        _log.warning("%s, attempt %s: %s", combination, attempt, reason)
    return reason


def report() -> None:
    """Make the report of what is measured, and keep it in the study.

    Raises:
        StudyFailed: combinations are missing; the report says so too.
    """
    from podline.studies import reporting

    study = _study(_context())
    made = reporting.make(study)
    reporting.keep(study, made)
    _log.info("%s", made.markdown)
    missing = len(study.design().combinations()) - len(study.measured())
    if missing:
        raise StudyFailed(f"{missing} combinations of the study {study.name!r} are not measured")


def _run(
    study: Study, combination: Combination, sitting: Sitting, attempt: int, name: str
) -> Measurement:
    pipeline = _pipeline(combination.notebook)
    assert pipeline.settings.sizes is not None
    dag_id = running.dag_id_of(combination)
    conf = running.conf_of(combination, pipeline.settings.sizes)
    busy = machine.busy_share()
    _log.info("%s: %s with %s", combination, dag_id, conf)
    ended = running.run(dag_id, f"{study.name}__{name}", conf)
    blank = Measurement(
        combination=combination, way=running.way(), sitting=sitting.number, attempt=attempt,
        busy=busy, dag_id=dag_id, run_id=ended.run_id, state=ended.state, failure="", started=None,
        wall=None, parts={}, counts={}, stages=(), tries=0,
    )  # fmt: skip
    stages = [stage.name for stage in pipeline.stages]
    expected = ["notebook"] if combination.backend == BASELINE else stages
    wanted = expected if ended.state == "success" else []
    tasks = read_tasks(study.store, dag_id, ended.run_id, wanted)
    return measure(tasks, blank, {c.number for stage in pipeline.stages for c in stage.cells})


def _warm_up(study: Study, design: Design, combination: Combination, sitting: Sitting) -> None:
    """Run a backend for the first time in a sitting, at the smallest size; that is left out."""
    data, model = design.warm_up
    small = replace(combination, data=data, model=model)
    if not study.is_warm(small, sitting.number):
        name = f"warm-up-{sitting.number}-{small.backend}"
        study.add_warm_up(_run(study, small, sitting, 1, name))


def _sit_down(study: Study, context: Mapping[str, Any]) -> Sitting:
    """The sitting that this is a part of, or a new one: another machine, run, or a lost worker."""
    ti, known, boot = context["ti"], study.sittings(), machine.boot_id()
    lost = (str(ti.map_index), str(ti.try_number)) if ti.try_number > 1 else ("", "")
    began = (ti.run_id, *lost)
    last = known[-1] if known else None
    if last is not None and last.boot == boot:
        goes_on = last.began[0] == ti.run_id and ti.try_number == 1
        if goes_on or last.began == began:
            return last
    done = len(study.measured())
    new = Sitting(len(known) + 1, began, boot, round(time.time(), 3), done, machine.about())
    study.add_sitting(new)
    _log.info("sitting %s begins, with %s measured", new.number, done)
    return new


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


def _study(context: Mapping[str, Any]) -> Study:
    from podline.store import open_store

    return Study(open_store(), KIND, context["params"]["name"] or context["run_id"])


def _context() -> Any:
    from airflow.sdk import get_current_context

    return get_current_context()
