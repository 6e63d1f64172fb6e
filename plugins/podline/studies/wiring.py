"""What the DAGs of studies share: their schedule, the parameters of going on, and their tasks."""

from datetime import timedelta
from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, task

from podline.studies.sittings import SITTING_PARAM
from podline.studies.tasks import MOST_PARAM, StudyTasks

# Arguments of the DAG.
WEEKLY: dict[str, Any] = {
    # Without a start date: not at once when it is unpaused.
    "schedule": CronTriggerTimetable("@weekly", timezone="UTC"),
    "catchup": False,
    "max_active_runs": 1,
    "is_paused_upon_creation": True,
    "default_args": {"owner": "podline", "retries": 0},
    "tags": {"podline", "study"},
}


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
        SITTING_PARAM: Param("", type=text, description="The run that this one goes on at once."),
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
