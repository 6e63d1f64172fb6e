"""Whether a model uploads as fast to a store in the cluster as to one in a virtual machine.

Pairs of uploads of the same bytes, one to each store, cold and warm, over a link with the latency
of an edge: store × size × round trip × client × repeats, in an order that the seed makes, from pods
as a publish stage would, or from processes. Each upload is read back, around the link and not
timed. The link is a delay link that lies on this machine
(`podline_studies.uploads.delay_link.topology`), or netem within the pods; it is measured at each
batch, too.

The stores are `[podline] store_conn_id` and the first two of `[podline] stores`: the machine's,
and the same server bare, beside which the others show what cluster and machine cost. What is
measured is kept in the object store, so an interrupted study goes on where it was: clear what
failed, or trigger a run with the same `name`. `podline report uploads NAME` prints what was found.
"""

from airflow.sdk import DAG, Param

from podline_studies.dag_tasks import WEEKLY, common_params, wire
from podline_studies.uploads.clients import CLIENTS
from podline_studies.uploads.design import PLACES, PRESETS
from podline_studies.uploads.tasks import TASKS

NUMBERS = {"type": ["null", "array"], "items": {"type": "number"}, "default": None}

with DAG(
    "upload_benchmark",
    **WEEKLY,
    doc_md=__doc__,
    params={
        "preset": Param("quick", enum=list(PRESETS), description="Sizes, round trips, repeats."),
        "clients": Param(
            ["podline", "boto3"], type="array", items={"type": "string", "enum": list(CLIENTS)}
        ),
        "place": Param("process", enum=list(PLACES), description="Where uploads come from."),
        "rate": Param(100, type="number", minimum=0, description="Of the link, in Mbit/s."),
        "loss": Param(0.0, type="number", minimum=0, maximum=0.5, description="A share."),
        "jitter_ms": Param(0.0, type="number", minimum=0),
        "sizes": Param(**NUMBERS, description="Bytes, instead of the preset's; []: none."),
        "rtts_ms": Param(**NUMBERS, description="Round trips, instead of the preset's."),
        "models": Param([], type="array", items={"type": "string"}, description="NAME/VERSION."),
        "repeats": Param(None, type=["null", "integer"], minimum=1, description="Pairs a point."),
        "pairs": Param(None, type=["null", "integer"], minimum=1, description="Pairs a visit."),
        "accelerated": Param(
            None, type=["null", "boolean"], description="Whether the machine runs by KVM."
        ),
        **common_params(),
    },
):
    wire(TASKS)
