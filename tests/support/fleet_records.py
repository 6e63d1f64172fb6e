"""Records of nodes and rollouts that tests of the pages put into the store."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from podline.fleet.node import Node, NodeModel
from podline.fleet.rollout import Measure, NodeRollout, Phase, Rollout, Strategy
from podline.store import Store, keys

NODE = Node(
    name="cellar",
    address="http://10.0.0.7:8500",
    podline="0.2.0",
    started=1764342000.0,
    seen=1764342100.0,
    every=15.0,
    memory=104_000_000,
    models=(NodeModel("power", "edge", 2, None, "READY", "", 812, 0, 0.0011, 0.0034, 40, 0.21),),
)

WAY = (
    Phase("publish", -4.0, 4.0),
    Phase("notice", 0.0, 0.1),
    Phase("swap", 0.4, 0.1),
)

ROLLOUT = Rollout(
    id="20261128T150000.000Z-1a2b3c4d",
    model="power",
    alias="edge",
    version=3,
    before=2,
    started_by="by hand: ada@workshop",
    started=1764342000.0,
    updated=1764342062.5,
    ended=1764342062.5,
    state="promoted",
    step="end",
    decision="version 3 answered 812 requests on 1 node with 0 errors (0.0 %)",
    strategy=Strategy(),
    new=Measure(1, 812, 0, 0.0011, 0.0034),
    old=Measure(1, 790, 0, 0.0011, 0.0031),
    nodes=(
        NodeRollout("cellar", "http://10.0.0.7:8500", 0, "serving", "", 1, 2, 3, phases=WAY),
        NodeRollout("roof", "http://10.0.0.8:8500", None, "unreachable", "no answer", tries=6),
    ),
)


def _key(record: Node | Rollout) -> str:
    if isinstance(record, Node):
        return keys.node_key(record.name)
    return keys.rollout_key(record.model, record.id)


@contextmanager
def kept(store: Store, records: Sequence[Node | Rollout]) -> Iterator[None]:
    """Have records in the store, until the end of the block."""
    written = [_key(record) for record in records]
    for key, record in zip(written, records, strict=True):
        store.put(key, record.to_json().encode())
    try:
        yield
    finally:
        store.delete(written)
