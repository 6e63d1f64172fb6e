"""The DAG of a study: its parameters, and its tasks: plan, measure what is next, report.

Each kind of studies says how it measures.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from airflow.sdk import CronTriggerTimetable, Param, task

from podline.airflow_compat import is_supervised, trigger_run
from podline.exceptions import PodlineError
from podline_studies.sessions import SESSION_PARAM, current_session
from podline_studies.study import Kind, Measured, Planned, Session, Study

SCHEDULER, TEST = "scheduler", "test"
MOST_PARAM = "most"  # a run measures no more than this
_ATTEMPTS = 2  # at one thing, in a try of its task
_log = logging.getLogger(__name__)

# Arguments of the DAG.
WEEKLY: dict[str, Any] = {
    # Not at once when it is unpaused. Airflow's own tolerance, a tenth of the week, is all Sunday.
    "schedule": CronTriggerTimetable(
        "@weekly", timezone="UTC", run_immediately=timedelta(minutes=5)
    ),
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": True,
    "default_args": {"owner": "podline", "retries": 0},
    "tags": {"podline", "study"},
}


class StudyFailed(PodlineError):
    """Not everything of the design could be measured."""


class RunningError(PodlineError):
    """A run cannot be triggered, or does not end."""


class Troubled(Measured, Protocol):
    """A measurement that says what went wrong; empty: nothing."""

    @property
    def trouble(self) -> str: ...


DesignT = TypeVar("DesignT", bound=Planned)
MeasuredT = TypeVar("MeasuredT", bound=Troubled)


class StudyTasks(ABC, Generic[DesignT, MeasuredT]):
    """The tasks of one kind of studies."""

    kind: ClassVar[Kind[Any, Any]]

    @abstractmethod
    def design(self, params: Mapping[str, Any]) -> DesignT:
        """Make the design that a run's parameters ask for, and check that it can be measured."""

    @abstractmethod
    def warm_up(
        self, study: Study[DesignT, MeasuredT], design: DesignT, item: Any, session: Session
    ) -> None:
        """Do what the first measurement of its kind in a session needs; that is left out.

        Args:
            study: what it is kept in.
            design: of the study.
            item: what is measured next.
            session: the one that goes on.
        """

    @abstractmethod
    def measure(
        self, study: Study[DesignT, MeasuredT], item: Any, session: Session, attempt: int
    ) -> MeasuredT:
        """Measure one thing of the design.

        Args:
            study: for which.
            item: what.
            session: in which.
            attempt: at it, from 1.
        """

    # --- the tasks

    def plan(self) -> list[int]:
        """Begin the study, or go on with it; returns the indices of what this run is to measure.

        Each task instance of a run costs the scheduler time in each of its loops, whose own speed
        is measured here: hence no more than the parameter `most`, and the next run for the rest.

        Raises:
            PodlineError: the run's parameters make no design, or the study was begun with another.
        """
        context = _context()
        design = self.design(context["params"])
        study = self._study(context)
        study.begin(design)
        planned, measured = design.items(), study.measured()
        _log.info("study %s: %s of %s are measured", study.name, len(measured), len(planned))
        left = [item.index for item in planned if item.index not in measured]
        return left[: context["params"][MOST_PARAM]] if way() == SCHEDULER else left

    def measure_next(self, index: int) -> None:
        """Measure what is next: Airflow keeps no order among mapped tasks.

        Args:
            index: of what is, if all goes by the order.

        Raises:
            AirflowFailException: it failed, or was disturbed; that is kept, and reported.
        """
        from airflow.sdk.exceptions import AirflowFailException

        context = _context()
        study = self._study(context)
        design, session = study.design(), current_session(study, context)
        item = self._next(study, design, session)
        context["combination"] = str(item or "nothing left")
        if item is None:
            return
        if item.index != index:
            _log.info("it is the turn of number %s", item.index)
        # Only a lost worker is a reason for another try.
        try:
            self.warm_up(study, design, item, session)
            failure = self._measure(study, item, session)
        except PodlineError as error:
            failure = str(error)
        if failure:
            raise AirflowFailException(f"{item}: {failure}")

    def report(self) -> None:
        """Make the report of what is measured, and keep it in the study; go on with the rest.

        Raises:
            StudyFailed: something was measured in vain; the report says so too.
        """
        from podline_studies import report_store

        context = _context()
        study = self._study(context)
        made = report_store.make(study)
        report_store.keep(study, made)
        _log.info("%s", made.markdown)
        design, sessions, measured = study.design(), study.sessions(), study.measured()
        goes_on = way() == SCHEDULER and sessions and self._next(study, design, sessions[-1])
        if goes_on:
            conf = {"name": study.name, SESSION_PARAM: sessions[-1].began[0]}
            next_run = f"{study.name}__from-{len(measured):04d}"
            trigger(context["dag"].dag_id, next_run, {**context["params"], **conf})
            return
        missing = [item for item in design.items() if item.index not in measured]
        if missing:
            raise StudyFailed(f"{len(missing)} measurements of {study.name!r} are missing")

    # --- within

    def _next(
        self, study: Study[DesignT, MeasuredT], design: DesignT, session: Session
    ) -> Any | None:
        """The first that is not measured, and was not tried in vain in this session."""
        passed = {found.index for found in study.discarded() if found.sitting == session.number}
        passed |= study.measured()
        return next((item for item in design.items() if item.index not in passed), None)

    def _measure(self, study: Study[DesignT, MeasuredT], item: Any, session: Session) -> str:
        """Measure until that was not disturbed, twice at most; returns why it failed."""
        reason, first = "", study.attempts(item.index) + 1
        for attempt in range(first, first + _ATTEMPTS):
            found = self.measure(study, item, session, attempt)
            if not (reason := found.trouble):
                study.add(found)
                _log.info("%s: %s", item, found)
                break
            study.add_discarded(found)
            _log.warning("%s, attempt %s: %s", item, attempt, reason)
        return reason

    def _study(self, context: Mapping[str, Any]) -> Study[DesignT, MeasuredT]:
        from podline.store import open_store

        return Study(open_store(), self.kind, context["params"]["name"] or context["run_id"])


def _context() -> Any:
    from airflow.sdk import get_current_context

    return get_current_context()


# --- its wiring


def common_params() -> dict[str, Param]:
    """The parameters that every study has."""
    text = ["null", "string"]
    return {
        "seed": Param(1, type="integer", description="Of the order."),
        # It becomes a part of the ids of runs, and this is what they may be made of.
        "name": Param(
            "", type=text, pattern=r"^[A-Za-z0-9_.~:+-]*$", description="Of a study to go on with."
        ),
        MOST_PARAM: Param(
            40, type="integer", minimum=1, description="Measured in one run; the next goes on."
        ),
        SESSION_PARAM: Param("", type=text, description="The run that this one goes on at once."),
    }


def wire(tasks: StudyTasks[Any, Any]) -> None:
    """Make the tasks of the DAG that is being made.

    Args:
        tasks: of a kind of studies.
    """
    left = task(task_id="plan")(tasks.plan)()
    # One at a time, and again where its worker was lost; what failed is not.
    measured = task(
        task_id="measure",
        max_active_tis_per_dagrun=1,
        retries=3,
        retry_delay=timedelta(seconds=5),
        map_index_template="{{ combination }}",
    )(tasks.measure_next).expand(index=left)
    measured >> task(task_id="report", trigger_rule="all_done")(tasks.report)()


# --- the runs that it triggers


def way() -> str:
    """How runs are made here: by a ``scheduler``, or under ``dags test``."""
    return SCHEDULER if is_supervised() else TEST


def trigger(dag_id: str, run_id: str, conf: Mapping[str, object]) -> None:
    """Trigger a run under a scheduler, once: one that exists is left as it is.

    Args:
        dag_id: the DAG.
        run_id: the run's id.
        conf: its parameters.

    Raises:
        RunningError: Airflow refuses.
    """
    if why := trigger_run(dag_id, run_id, conf):
        raise RunningError(f"{dag_id} cannot be triggered: {why}")
