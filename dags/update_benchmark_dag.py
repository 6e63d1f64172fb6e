"""How long a new version of a model takes from its publish to the first prediction at an edge.

`podline edge serve` beside others that take up new versions in ways of their own, one after the
other, over a link with the latency and the rate of an edge: store × size × form × round trip ×
rate × way × repeats, in an order that the seed makes. All read the store behind a delay link that
lies on this machine (`podline_studies.uploads.delay_link.topology`), which is measured at each
batch, too.

The stores are `[podline] store_conn_id` and the first of `[podline] stores`, if there is one. What
is measured is kept in the object store, so an interrupted study goes on where it was: clear what
failed, or trigger a run with the same `name`. `podline report updates NAME` prints what was found.
"""

from airflow.sdk import DAG, Param

from podline_studies.dag_tasks import WEEKLY, common_params, wire
from podline_studies.updates.design import FORMS, PRESETS
from podline_studies.updates.nodes import WAYS
from podline_studies.updates.tasks import TASKS

NUMBERS = {"type": ["null", "array"], "items": {"type": "number"}, "default": None}

with DAG(
    "update_benchmark",
    **WEEKLY,
    doc_md=__doc__,
    params={
        "preset": Param("quick", enum=list(PRESETS), description="Sizes, links, repeats."),
        "ways": Param(list(WAYS), type="array", items={"type": "string", "enum": list(WAYS)}),
        "forms": Param(list(FORMS), type="array", items={"type": "string", "enum": list(FORMS)}),
        "sizes": Param(**NUMBERS, description="Bytes as float32, instead of the preset's."),
        "rtts_ms": Param(**NUMBERS, description="Round trips, instead of the preset's."),
        "rates": Param(**NUMBERS, description="Of the link, in Mbit/s, instead of the preset's."),
        "repeats": Param(None, type=["null", "integer"], minimum=1, description="Of a point."),
        "batch": Param(2, type="integer", minimum=1, description="Repeats of a batch."),
        **common_params(),
    },
):
    wire(TASKS)
