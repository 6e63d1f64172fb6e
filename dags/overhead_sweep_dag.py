"""What Kubernetes and the pipeline cost over running a notebook itself, as data and model grow.

Each combination of data size, model size, training steps and backend is a run of the notebook's own
DAG, one at a time, in an order that the seed makes: `notebook` (NAME_baseline, the whole notebook
in one process), `notebook-pod` (the same in one pod, which runs in pods are then compared with),
`process`, `kubernetes`, `stock` (NAME_stock, Airflow's own pod operator), `stock-tuned`
(NAME_stock_tuned, the same looking as often as it can), `kubernetes-ahead` (pods begun ahead),
`kubernetes-x2` and `kubernetes-x4` (so many runs at once, of which the longest counts). What is
measured is kept in the object store, so an interrupted study goes on where it was: clear what
failed, or trigger a run with the same `name`.

The notebook says in its metadata which of its parameters are its sizes, as `podline.sizes`.
`podline report overhead NAME` prints what was found.
"""

from airflow.sdk import DAG, Param

from podline_studies.dag_tasks import WEEKLY, common_params, wire
from podline_studies.machine import QUIET
from podline_studies.overhead.design import BACKENDS, PRESETS
from podline_studies.overhead.tasks import QUIET_PARAM, TASKS, default_backends

SIZES = {"type": ["null", "array"], "items": {"type": "integer"}, "default": None}

with DAG(
    "overhead_sweep",
    **WEEKLY,
    doc_md=__doc__,
    params={
        "notebooks": Param(["household_power"], type="array", items={"type": "string"}),
        "preset": Param("quick", enum=list(PRESETS), description="Sizes and repeats."),
        "backends": Param(
            default_backends(), type="array", items={"type": "string", "enum": list(BACKENDS)}
        ),
        "data": Param(
            **SIZES, description="Data sizes, in the preset's place; []: the notebook's."
        ),
        "models": Param(**SIZES, description="Model sizes, likewise."),
        "steps": Param(**SIZES, description="Training steps, instead of the notebook's own."),
        "repeats": Param(None, type=["null", "integer"], minimum=1),
        QUIET_PARAM: Param(
            QUIET,
            type="number",
            minimum=0,
            maximum=1,
            description="Of the processors, what others may take in the second before a run.",
        ),
        **common_params(),
    },
):
    wire(TASKS)
