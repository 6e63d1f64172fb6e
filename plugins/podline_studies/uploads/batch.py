"""A visit of a point: pairs of uploads, measured. Runs in a pod, or as a process of its own.

``python -m podline_studies.uploads.batch`` reads a `VisitTask` from the variable PODLINE_VISIT,
and the stores' keys from connections in the environment; its last line is a mark and a `Visited` as
JSON.
"""

import hashlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.store.connection import StoreConnection
from podline_studies.machine import busy_share
from podline_studies.uploads.clients import CLIENTS, COLD_ONLY, Client
from podline_studies.uploads.delay_link.probe import Probe, Prober

VARIABLE = "PODLINE_VISIT"
MARK = "podline-visited"
_CHUNK = 8 << 20  # bytes that are made at once


@dataclass(frozen=True)
class Target(Json):
    """A store: its connection's id, its address behind the link, and around it."""

    conn_id: str
    link: str
    direct: str


@dataclass(frozen=True)
class VisitTask(Json):
    """What a visit does.

    Attributes:
        targets: the stores.
        client: by which.
        size: bytes of chance to upload, unless `model` names an object of the first store.
        pairs: how many, each to both stores.
        prefix: of the keys.
        around: whether to upload once to each store around the link, too.
        sink: the address of the probe's other end.
        seed: of the bytes, and of the order in each pair.
    """

    targets: tuple[Target, ...]
    client: str
    size: int
    model: str
    pairs: int
    prefix: str
    around: bool
    sink: str
    seed: int


@dataclass(frozen=True)
class Upload(Json):
    """An upload, in seconds; None: the client does not say.

    Attributes:
        store: its connection's id.
        pair: which.
        warm: over a connection that has sent as much before.
        direct: around the link.
        seconds: the whole.
        transfer: until its last byte was acknowledged, or only handed to the kernel (not `exact`).
        commit: from then until the answer.
    """

    store: str
    pair: int
    warm: bool
    direct: bool
    key: str
    seconds: float
    transfer: float | None
    commit: float | None
    exact: bool


@dataclass(frozen=True)
class Visited(Json):
    """What a visit measured, and the link before and after it."""

    uploads: tuple[Upload, ...]
    before: Probe
    after: Probe
    sha256: str
    busy: float | None


def visit(task: VisitTask) -> Visited:
    """Upload pairs, each in an order of chance, and measure the link around them."""
    order = random.Random(task.seed)
    with tempfile.TemporaryDirectory() as folder, Prober(task.sink) as prober:
        path = _data(task, Path(folder))
        before = prober.measure()
        uploads = list(_direct(task, path)) if task.around else []
        for pair in range(task.pairs):
            for target in order.sample(task.targets, len(task.targets)):
                uploads += _upload(task, target, path, pair)
        busy = busy_share(0.5)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Visited(tuple(uploads), before, prober.measure(), digest, busy)


def _data(task: VisitTask, folder: Path) -> Path:
    path = folder / "data"
    if task.model:
        from podline.store import open_store

        open_store(_connection(task.targets[0], task.targets[0].direct)).download(task.model, path)
        return path
    return write_chance(path, task.size, task.seed)


def write_chance(path: Path, size: int, seed: int) -> Path:
    """Write a file of bytes of chance, a part at a time; returns its path."""
    chance = random.Random(seed)
    with path.open("wb") as file:
        for first in range(0, size, _CHUNK):
            file.write(chance.randbytes(min(_CHUNK, size - first)))
    return path


def _direct(task: VisitTask, path: Path) -> Iterator[Upload]:
    """One upload to each store around the link: how fast the store itself is."""
    for target in task.targets:
        client = CLIENTS[task.client](_connection(target, target.direct))
        key = f"{task.prefix}/{target.conn_id}/direct"
        yield _timed(client, target, path, key, pair=-1, warm=False, direct=True)
        client.close()


def _upload(task: VisitTask, target: Target, path: Path, pair: int) -> Iterator[Upload]:
    """A cold upload over the link by a new client, and a warm one right after it."""
    client = CLIENTS[task.client](_connection(target, target.link))
    for warm in (False,) if task.client in COLD_ONLY else (False, True):
        key = f"{task.prefix}/{target.conn_id}/{pair}-{'warm' if warm else 'cold'}"
        yield _timed(client, target, path, key, pair, warm)
    client.close()


def _timed(
    client: Client,
    target: Target,
    path: Path,
    key: str,
    pair: int,
    warm: bool,
    direct: bool = False,
) -> Upload:
    began = time.perf_counter()
    times = client.upload(path, key)
    seconds = time.perf_counter() - began
    return Upload(
        target.conn_id, pair, warm, direct, key, seconds,
        times.transfer, times.commit, times.exact,
    )  # fmt: skip


def _connection(target: Target, address: str) -> StoreConnection:
    return replace(StoreConnection.from_env(target.conn_id), endpoint_url=address)


def main() -> None:
    """Make the visit that the environment asks for."""
    task = VisitTask.from_json(os.environ[VARIABLE])
    try:
        print(MARK, visit(task).to_json())
    except PodlineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
