"""A batch of the study: updates of nodes that are started for it, and what they came to.

``python -m podline_studies.updates.batch`` makes one, as a process of its own. It reads a
`BatchTask` from the variable PODLINE_UPDATES, and the store's keys from its connection in the
environment; its last line is a mark and a `BatchResult` as JSON.
"""

import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.models.registry import Model
from podline.store import Store, StoreConnection
from podline.store.boto3_client import boto3_client
from podline_studies.batch_process import BatchFailed, read_result
from podline_studies.machine import busy_share
from podline_studies.updates.design import Batch, Cell, Planned
from podline_studies.updates.models import COLUMNS, ROW, file_of, publish_cell, write_dense
from podline_studies.updates.nodes import FILE, WAYS, Node, Taken
from podline_studies.uploads.delay_link.measurement import LinkMeasurement
from podline_studies.uploads.delay_link.probe import Probe, Prober

VARIABLE = "PODLINE_UPDATES"
MARK = "podline-updates"
PARTS = ("publish", "notice", "fetch", "verify", "load", "warm_up", "swap", "first")
_PATIENCE = 600.0  # seconds that an update may take
_PAUSE = 0.01  # seconds between an answer and the next request
_SMALLEST = 100_000  # bytes of the first versions


@dataclass(frozen=True)
class BatchTask(Json):
    """What a batch does.

    Attributes:
        batch: its store, link and models.
        ways: by which they are taken up.
        link: the store's address behind the link; its connection has the one around it.
        bucket: of its own, which is made, and deleted in the end.
        sink: the address of the probe's other end.
        seed: of the weights, and of the order.
    """

    batch: Batch
    ways: tuple[str, ...]
    link: str
    bucket: str
    sink: str
    seed: int


@dataclass(frozen=True)
class Update(Json):
    """An update, from before its publish to the first answer by the new version, in seconds.

    Attributes:
        size, form, repeat, way: as planned.
        bytes: of the file that a node fetches.
        seconds: the whole, by the clock of the client that asks for predictions.
        parts: of the whole by their names, `PARTS`; they sum up to it.
        asked, refused: requests from the publish's end on, and those that were not answered.
    """

    size: int
    form: str
    repeat: int
    way: str
    bytes: int
    seconds: float
    parts: dict[str, float]
    asked: int
    refused: int


@dataclass(frozen=True)
class BatchResult(Json):
    """What a batch's process measured: the updates, and the link before and after them."""

    updates: tuple[Update, ...]
    before: Probe
    after: Probe
    busy: float | None

    @classmethod
    def read(cls, printed: str) -> Self:
        """Find the result in what the process printed.

        Raises:
            BatchFailed: it is not there.
        """
        return read_result(cls, MARK, printed)


@dataclass(frozen=True)
class Measurement(LinkMeasurement):
    """A batch that was made.

    Attributes:
        batch: which.
        sitting: the number of its session.
        attempt: from 1; more where one before failed.
        started, ended: when (epoch).
        updates: all of them.
    """

    batch: Batch
    sitting: int
    attempt: int
    started: float
    ended: float
    updates: tuple[Update, ...] = ()

    @property
    def index(self) -> int:
        """Of the batch."""
        return self.batch.index

    def __str__(self) -> str:
        return f"{len(self.updates)} updates"


# --- a batch ------------------------------------------------------------------------------------


def make_batch(task: BatchTask) -> BatchResult:
    """Start the nodes, have them take up versions in order, and measure the link around that."""
    direct = replace(StoreConnection.from_env(task.batch.store), bucket=task.bucket)
    os.environ |= {"AIRFLOW__PODLINE__STORE_CONN_ID": direct.conn_id, **direct.to_env()}
    behind = replace(direct, endpoint_url=task.link)
    with (
        tempfile.TemporaryDirectory() as name,
        bucket(direct),
        Prober(task.sink) as prober,
        _nodes(task, Path(name), behind) as nodes,
    ):
        files = {cell.size: _file(Path(name), cell.size, task.seed) for cell in task.batch.cells}
        before = prober.measure()
        planned = task.batch.updates(task.ways, task.seed)
        updates = tuple(_update(nodes[one.way], files[one.cell.size], one) for one in planned)
        busy = busy_share(0.5)
        return BatchResult(updates, before, prober.measure(), busy)


@contextmanager
def bucket(store: StoreConnection) -> Iterator[None]:
    """The connection's bucket, which goes in the end: the server gives its disk back with it."""
    there = Store(store)
    there.ensure_bucket()
    try:
        there.put("first", b"makes the server make room")
        yield
    finally:
        there.delete([item.key for item in there.list("")])
        boto3_client(store, {}).delete_bucket(Bucket=store.bucket)


@contextmanager
def _nodes(task: BatchTask, folder: Path, behind: StoreConnection) -> Iterator[dict[str, Node]]:
    """A node for each way; ways of one kind share it. Each serves a version of every form."""
    first = _file(folder, _SMALLEST, task.seed)
    forms = dict.fromkeys(["float32", *(cell.form for cell in task.batch.cells)])
    kinds = dict.fromkeys(WAYS[way].node for way in task.ways)
    with ExitStack() as stack:
        started: dict[type[Node], Node] = {}
        for kind in kinds:
            model = f"updates-{kind.__name__.lower()}"
            for form in forms:
                publish_cell(first, model, Cell(_SMALLEST, form, 1))
            started[kind] = stack.enter_context(kind(folder / model, behind, model).running())
        yield {way: started[WAYS[way].node] for way in task.ways}


def _file(folder: Path, size: int, seed: int) -> Path:
    own = folder / str(size)
    if own.is_dir():
        return own / FILE
    own.mkdir()
    return write_dense(own, size, seed)


# --- an update ------------------------------------------------------------------------------------


def _update(node: Node, path: Path, planned: Planned) -> Update:
    """Publish a version, and ask the node for predictions until they are the new version's."""
    began = time.time()
    version = publish_cell(path, node.model, planned.cell).number
    published = time.time()
    asker, file = Asker(node.port, node.model), file_of(planned.cell.form)
    with ThreadPoolExecutor(1) as pool:
        order = pool.submit(node.tell, version, file) if WAYS[planned.way].told else None
        first = asker.wait_for(str(version), published + _PATIENCE)
        if order:
            order.result()
    parts = parts_of(began, published, node.taken(version), first)
    cell, seconds = planned.cell, first - began
    return Update(
        *(cell.size, cell.form, planned.repeat, planned.way, _bytes(node.model, version, file)),
        *(seconds, parts, asker.asked, asker.refused),
    )


def _bytes(model: str, version: int, file: str) -> int:
    """How large a file of a version is."""
    found = Model(Store(StoreConnection.read()), model).version(version).files
    return next(each.bytes for each in found if each.path == file)


def parts_of(began: float, published: float, taken: Taken, first: float) -> dict[str, float]:
    """What an update is made of, in seconds; the parts sum up to the whole.

    A node may notice a version before `publish` has returned, and answer by it before its load has:
    the part that is over then ends there.

    Args:
        began: when (epoch) `publish` was called.
        published: when it returned.
        taken: how the node took the version up.
        first: when (epoch) the version first answered.
    """
    noticed = min(max(taken.noticed, began), first)
    published, swapped = min(published, noticed), min(taken.swapped, first)
    swap = swapped - noticed - taken.fetch - taken.verify - taken.load - taken.warm_up
    values = (
        *(published - began, noticed - published, taken.fetch, taken.verify),
        *(taken.load + min(swap, 0.0), taken.warm_up, max(swap, 0.0), first - swapped),
    )
    return dict(zip(PARTS, values, strict=True))


class Asker:
    """A client that asks a node for predictions, over a connection that it keeps.

    Args:
        port: of the node.
        model: the model's name.

    Attributes:
        asked, refused: requests so far.
    """

    def __init__(self, port: int, model: str) -> None:
        self.port, self.path = port, f"/v2/models/{model}/infer"
        tensor = {"name": "input", "datatype": "FP32", "shape": [1, COLUMNS], "data": ROW}
        self.body = json.dumps({"inputs": [tensor]})
        self.asked = self.refused = 0

    def wait_for(self, version: str, until: float) -> float:
        """Ask until a version answers; returns when (epoch) it first did.

        Args:
            version: its number.
            until: when (epoch) to give up.

        Raises:
            BatchFailed: it does not answer in time.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        with closing(connection):
            while time.time() < until:
                try:
                    if self._version(connection) == version:
                        return time.time()
                except (OSError, http.client.HTTPException, ValueError):
                    self.refused += 1
                    connection.close()
                time.sleep(_PAUSE)
        raise BatchFailed(f"version {version} did not answer in time")

    def _version(self, connection: http.client.HTTPConnection) -> str:
        self.asked += 1
        connection.request("POST", self.path, self.body, {"Content-Type": "application/json"})
        found = connection.getresponse()
        said = found.read()
        if found.status != http.HTTPStatus.OK:
            raise ValueError(said)
        version: str = json.loads(said)["model_version"]
        return version


def main() -> None:
    """Make the batch that the environment asks for."""
    task = BatchTask.from_json(os.environ[VARIABLE])
    try:
        print(MARK, make_batch(task).to_json())
    except PodlineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
