"""What Kubernetes and the pipeline cost over running a notebook itself, as data and model grow.

Each combination of data size, model size and backend is a run of the notebook's own DAG, one at a
time, in an order that the seed makes: `notebook` (NAME_baseline, the whole notebook in one
process), `process`, `kubernetes`, and `stock` (NAME_stock, Airflow's own pod operator). What is
measured is kept in the object store, so an interrupted study goes on where it was: clear what
failed, or trigger a run with the same `name`.

The notebook says in its metadata which of its parameters are its sizes, as `podline.sizes`.
`podline report overhead NAME` prints what was found.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param, task

from podline.studies.overhead.design import BACKENDS, PRESETS
from podline.studies.overhead.tasks import TASKS, default_backends

SIZES = {"type": ["null", "array"], "items": {"type": "integer"}, "default": None}

with DAG(
    "overhead_sweep",
    # Without a start date: not at once when it is unpaused.
    schedule=CronTriggerTimetable("@weekly", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args={"owner": "podline", "retries": 0},
    doc_md=__doc__,
    tags={"podline", "study"},
    params={
        "notebooks": Param(["household_power"], type="array", items={"type": "string"}),
        "preset": Param("quick", enum=list(PRESETS), description="Sizes and repeats."),
        "backends": Param(
            default_backends(), type="array", items={"type": "string", "enum": list(BACKENDS)}
        ),
        "data": Param(**SIZES, description="Data sizes, instead of the preset's."),
        "models": Param(**SIZES, description="Model sizes, instead of the preset's."),
        "repeats": Param(None, type=["null", "integer"], minimum=1),
        "seed": Param(1, type="integer", description="Of the order."),
        "name": Param("", type=["null", "string"], description="Of a study to go on with."),
        "most": Param(
            40, type="integer", minimum=1, description="Measured in one run; the next goes on."
        ),
        "sitting": Param(
            "", type=["null", "string"], description="The run that this one goes on at once."
        ),
    },
):
    left = task(task_id="plan")(TASKS.plan)()
    # One at a time, and again where its worker was lost; a combination that failed is not.
    measured = task(
        task_id="measure",
        max_active_tis_per_dagrun=1,
        retries=3,
        retry_delay=timedelta(seconds=5),
        map_index_template="{{ combination }}",
    )(TASKS.measure_next).expand(index=left)
    measured >> task(task_id="report", trigger_rule="all_done")(TASKS.report)()
