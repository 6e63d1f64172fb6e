"""Rolls each version that a stage publishes out to the edges that serve its model.

Some nodes have it first. If it does as well there as the version before (errors, latency, and
quality where labels come back), the alias means it, and all nodes take it up; if not, all go back.
Each task's log and the record of its rollout say why. The nodes are those that registered in the
store (`podline edge serve --address`), or the pods with a label.

A run started by hand rolls out the version of the model that its parameters name. One model has one
rollout at a time: another is tried again a minute later.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param, task

from podline.assets import PUBLISHED
from podline.fleet.rollout import Strategy
from podline.operators.edge_rollout import find_versions, roll_out_version

USUAL = Strategy()
POSITIVE = {"type": "number", "minimum": 0}

with DAG(
    "edge_rollout",
    schedule=[PUBLISHED],
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    default_args={"owner": "podline", "retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags={"podline", "edge"},
    params={
        "model": Param("", type="string", description="By hand: which model."),
        "version": Param("latest", type="string", description="By hand: a number, or an alias."),
        "alias": Param("edge", type="string", description="The alias that the nodes follow."),
        "label": Param("", type="string", description="Of pods, such as podline.dev/edge."),
        "canaries": Param(
            [*USUAL.canaries],
            type="array",
            items={"type": "string"},
            description="Nodes that have it after each wave: 2, or 10%.",
        ),
        "observe": Param(USUAL.observe, **POSITIVE, description="Seconds a wave is watched."),
        "limit": Param(USUAL.limit, **POSITIVE, description="Seconds until it is judged anyway."),
        "requests": Param(USUAL.requests, type="integer", minimum=0),
        "errors": Param(USUAL.errors, **POSITIVE, description="How much more may fail: a share."),
        "latency": Param(USUAL.latency, type="number", minimum=1, description="Times as long."),
        "quality": Param(USUAL.quality, type="number", minimum=1, description="Times as far off."),
        "parallel": Param(USUAL.parallel, type="integer", minimum=1, description="At once."),
        "patience": Param(USUAL.patience, **POSITIVE, description="Seconds for a silent node."),
    },
):
    versions = task(find_versions)()
    task(task_id="roll_out")(roll_out_version).expand(wanted=versions)
