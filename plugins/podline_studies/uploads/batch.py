"""A batch of the study: pairs of uploads at one point, and what they came to.

``python -m podline_studies.uploads.batch`` makes one, in a pod or as a process of its own. It reads
a `BatchTask` from the variable PODLINE_BATCH, and the stores' keys from connections in the
environment; its last line is a mark and a `BatchResult` as JSON.
"""

import hashlib
import itertools
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Self

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.store.connection import StoreConnection
from podline_studies.batch_process import read_result
from podline_studies.machine import busy_share, code_digest
from podline_studies.uploads.clients import CLIENTS, Client
from podline_studies.uploads.delay_link.measurement import LinkMeasurement
from podline_studies.uploads.delay_link.probe import Probe, Prober
from podline_studies.uploads.design import Batch

VARIABLE = "PODLINE_BATCH"
MARK = "podline-batch"
_CHUNK = 8 << 20  # bytes that are made at once


@dataclass(frozen=True)
class Target(Json):
    """A store: its connection's id, its address behind the link, and around it."""

    conn_id: str
    link: str
    direct: str


@dataclass(frozen=True)
class BatchTask(Json):
    """What a batch does.

    Attributes:
        targets: the stores.
        client: by which.
        size: of the random bytes to upload, unless `model` names an object of the first store.
        pairs: how many, each to both stores.
        prefix: of the keys.
        around: whether to upload once to each store around the link, too.
        sink: the address of the probe's other end.
        seed: of the bytes.
        point: a word for what is measured, which makes the orders of its pairs.
        first: the number of this visit's first pair among the point's.
        authority: who vouches for the stores' certificates, in PEM; empty: whom the system trusts.
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
    point: str = ""
    first: int = 0
    authority: str = ""


@dataclass(frozen=True)
class Upload(Json):
    """An upload, in seconds; None: the client does not say.

    Attributes:
        store: its connection's id.
        pair: which; -1: of none.
        warm: over a connection that has sent as much before.
        direct: around the link.
        seconds: the whole.
        transfer: until its last byte was acknowledged, or, in older studies, only handed to the
            kernel (not `exact`).
        commit: from then until the answer.
    """

    store: str
    key: str
    pair: int = -1
    warm: bool = False
    direct: bool = False
    seconds: float = 0.0
    transfer: float | None = None
    commit: float | None = None
    exact: bool = False


@dataclass(frozen=True)
class BatchResult(Json):
    """What a batch's process measured: the uploads, and the link before and after them.

    Attributes:
        sha256: of what was uploaded.
        busy: share of the processors' time that was taken in half a second after the uploads.
        versions: of what it ran by; ``code`` is the hash of our own.
    """

    uploads: tuple[Upload, ...]
    before: Probe
    after: Probe
    sha256: str
    busy: float | None
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, printed: str) -> Self:
        """Find the result in what the process printed.

        Raises:
            BatchFailed: it is not there.
        """
        return read_result(cls, MARK, printed)


@dataclass(frozen=True)
class Measurement(LinkMeasurement):
    """A batch that was made: its uploads, verified, and the link as it was.

    Attributes:
        visit: the batch, under the name by which it is stored.
        sitting: which one it was made in.
        attempt: from 1; more where one before was disturbed or failed.
        started, ended: when (epoch).
        uploads: all of them; each was read back and is what was sent.
        versions: of what made them.
    """

    visit: Batch
    sitting: int
    attempt: int
    started: float
    ended: float
    uploads: tuple[Upload, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def index(self) -> int:
        """Of the batch."""
        return self.visit.index

    def __str__(self) -> str:
        return f"{len(self.uploads)} uploads"


def upload_batch(task: BatchTask) -> BatchResult:
    """Upload pairs, in orders that are balanced, and measure the link around them."""
    orders = orders_of(task.targets, task.point)
    with tempfile.TemporaryDirectory() as folder, Prober(task.sink) as prober:
        _trust(task.authority, Path(folder))
        path = _data(task, Path(folder))
        before = prober.measure()
        uploads = list(_direct(task, orders[task.first % len(orders)], path)) if task.around else []
        for pair in range(task.pairs):
            for target in orders[(task.first + pair) % len(orders)]:
                uploads += _cold_and_warm(task, target, path, pair)
        busy = busy_share(0.5)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        after = prober.measure()
        return BatchResult(tuple(uploads), before, after, digest, busy, versions())


def orders_of(targets: Sequence[Target], point: str) -> list[tuple[Target, ...]]:
    """All orders of some stores, each followed by its reverse.

    So any even number of them has each store before each other one as often as after it.

    Args:
        targets: the stores.
        point: a word for what is measured, which says with which order it begins.
    """
    found = list(itertools.permutations(targets))
    half = [order for order in found if found.index(order) < found.index(order[::-1])]
    random.Random(point).shuffle(half)
    return [order for first in half or found for order in (first, first[::-1])]


def versions() -> dict[str, str]:
    """What a batch of this process runs by."""
    return {
        "python": platform.python_version(),
        "boto3": version("boto3"),
        "code": code_digest(),
    }


def _trust(authority: str, folder: Path) -> None:
    """Have all clients of this process trust it."""
    if authority:
        path = folder / "authority.pem"
        path.write_text(authority)
        os.environ |= {"SSL_CERT_FILE": str(path), "AWS_CA_BUNDLE": str(path)}


def _data(task: BatchTask, folder: Path) -> Path:
    path = folder / "data"
    if task.model:
        from podline.store import open_store

        open_store(_connection(task.targets[0], task.targets[0].direct)).download(task.model, path)
        return path
    return write_random(path, task.size, task.seed)


def write_random(path: Path, size: int, seed: int) -> Path:
    """Write a file of random bytes, a part at a time.

    Args:
        path: the file.
        size: in bytes.
        seed: of the bytes.

    Returns:
        The path.
    """
    source = random.Random(seed)
    with path.open("wb") as file:
        for first in range(0, size, _CHUNK):
            file.write(source.randbytes(min(_CHUNK, size - first)))
    return path


def _direct(task: BatchTask, order: Sequence[Target], path: Path) -> Iterator[Upload]:
    """One upload to each store around the link: how fast the store itself is."""
    for target in order:
        with closing(CLIENTS[task.client](_connection(target, target.direct))) as client:
            key = f"{task.prefix}/{target.conn_id}/direct"
            yield _timed(client, path, Upload(target.conn_id, key, direct=True))


def _cold_and_warm(task: BatchTask, target: Target, path: Path, pair: int) -> Iterator[Upload]:
    """A cold upload over the link by a new client, and a warm one right after it."""
    with closing(CLIENTS[task.client](_connection(target, target.link))) as client:
        for warm in (False,) if client.cold_only else (False, True):
            key = f"{task.prefix}/{target.conn_id}/{pair}-{'warm' if warm else 'cold'}"
            yield _timed(client, path, Upload(target.conn_id, key, pair, warm))


def _timed(client: Client, path: Path, planned: Upload) -> Upload:
    began = time.perf_counter()
    parts = client.upload(path, planned.key)
    seconds = time.perf_counter() - began
    return replace(planned, seconds=seconds, **vars(parts))


def _connection(target: Target, address: str) -> StoreConnection:
    return replace(StoreConnection.from_env(target.conn_id), endpoint_url=address)


def main() -> None:
    """Make the batch that the environment asks for."""
    task = BatchTask.from_json(os.environ[VARIABLE])
    try:
        print(MARK, upload_batch(task).to_json())
    except PodlineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
