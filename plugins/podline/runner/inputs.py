"""What a stage takes in: results of the stages before, objects, states and files.

All are checked by the hash that the control plane, or a result that it vouches for, has of them.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from podline.contract import Heap, StageResult, StageTask
from podline.exceptions import ArtifactError
from podline.models import lineage
from podline.runner import working_dir
from podline.runner.heap_merge import merge
from podline.runner.heap_needs import Needs, needs_of
from podline.store import Store, keys

_TRANSFERS = 8  # at once


class Inputs:
    """The inputs of a try, whose results are on their way from the start.

    Objects go on coming while the libraries are imported that they need.

    Attributes:
        heap: what the stages before left, once it is fetched.
        bytes: that were read.
    """

    def __init__(self, task: StageTask, store: Store, work: Path, scratch: Path) -> None:
        """Begin to fetch the results.

        Args:
            task: the stage's.
            store: where they are.
            work: the stage's working directory.
            scratch: where artifacts come to.
        """
        self.task, self.plan, self.store = task, task.plan, store
        self.work, self.scratch = work, scratch
        self.heap = Heap()
        self.bytes = 0
        self._lock = threading.Lock()
        self._transfers = ThreadPoolExecutor(_TRANSFERS)
        self._pending = self._transfers.submit(self._results)
        self._objects: list[Future[None]] = []

    def fetch(self) -> tuple[Needs, dict[str, Path]]:
        """Fetch what the stage needs before its preamble; files come into the working directory.

        Returns:
            What it needs, and where the artifacts are, or come to (`arrive`), by their keys.

        Raises:
            ArtifactError: something is not what was stored.
        """
        self.heap = merge(self.plan, [result.heap for result in self._pending.result()])
        needs = needs_of(self.plan, self.heap)
        wanted: dict[str, tuple[str, str, Path]] = {}
        objects = needs.artifacts(self.heap)
        for artifact in [*objects, *self.heap.state.values()]:
            path = self.scratch / f"in-{len(wanted)}{Path(artifact.key).suffix}"
            wanted.setdefault(artifact.key, (artifact.key, artifact.sha256, path))
        run = keys.run_of(self.task.prefix)
        shipped = {n: d for n, d in self.plan.files.items() if n not in self.heap.files}
        for name, digest in shipped.items():
            if not digest:
                (self.work / name).mkdir(parents=True, exist_ok=True)
            else:
                wanted[f"files/{name}"] = (keys.file_key(run, digest), digest, self.work / name)
        for name, artifact in self.heap.files.items():
            if artifact.kind == "folder":
                (self.work / name).mkdir(parents=True, exist_ok=True)
            elif artifact.sha256:
                wanted[f"work/{name}"] = (artifact.key, artifact.sha256, self.work / name)
        later = {artifact.key: wanted[artifact.key] for artifact in objects}
        parallel([partial(self._download, *wanted[key]) for key in wanted.keys() - later.keys()])
        self._objects = [self._transfers.submit(self._download, *one) for one in later.values()]
        for name in filter(shipped.get, shipped):
            working_dir.make_executable(self.work / name)
        for name, artifact in self.heap.files.items():
            working_dir.restore(self.work / name, artifact.type)
        return needs, {key: path for key, (_, _, path) in wanted.items()}

    def arrive(self) -> None:
        """Wait for the objects.

        Raises:
            ArtifactError: one is not what was stored.
        """
        with self._transfers:
            for one in self._objects:
                one.result()

    def _results(self) -> list[StageResult]:
        results = [self._result(ref.key, ref.sha256) for ref in self.task.inputs]
        for result in results:
            for name, digest in result.data.items():
                lineage.note_data(name, digest)
        return results

    def _result(self, key: str, digest: str) -> StageResult:
        data = self.store.get(key)
        if hashlib.sha256(data).hexdigest() != digest:
            raise ArtifactError(f"{key} is not what the stage before wrote: its hash differs")
        self.bytes += len(data)
        return StageResult.from_json(bytes(data))

    def _download(self, key: str, digest: str, path: Path) -> None:
        found = self.store.download(key, path)
        if found != digest:
            raise ArtifactError(
                f"{key} is corrupt: its sha256 is {found}, and {digest} was stored. fix: run the "
                "stage again that wrote it"
            )
        with self._lock:
            self.bytes += path.stat().st_size


def parallel(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run some jobs at once and return what they do; a single one needs no thread."""
    if len(jobs) < 2:
        return [job() for job in jobs]
    with ThreadPoolExecutor(min(_TRANSFERS, len(jobs))) as pool:
        return list(pool.map(lambda job: job(), jobs))
