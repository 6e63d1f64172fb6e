"""Whether an edge gains by answering requests that come together in one run of the model.

The server as it is, beside a prototype that gathers requests for a while and has the model answer
them at once; rounds of all alternate. Models are dense networks, whose run takes the longer the
more bytes they have.
"""

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np

from benchmarks.edge import load
from benchmarks.report import print_last_line, summary
from podline.edge import protocol, serve
from podline.edge.protocol import InferRequest
from podline.edge.server import Answer, Server
from podline.edge.version import LoadedVersion
from podline.models.publishing import publish
from podline.store import Store, open_store, seaweedfs
from podline_studies.updates.models import COLUMNS, write_dense
from podline_studies.updates.nodes import free_ports
from tests.support.waiting import until

SIZES = (200_000, 2_000_000, 8_000_000, 32_000_000)  # bytes of the models
CLIENTS = (1, 8, 32)
PLAIN = -1.0
WINDOWS = (PLAIN, 0.0, 0.001)  # seconds; 0: what came with the same look at the sockets
MOST = 32  # requests of a run
INLINE = 0.002  # seconds of a run: as the server has it


@dataclass(frozen=True)
class _Waiting:
    request: InferRequest
    version: LoadedVersion
    answered: "asyncio.Future[dict[str, Any]]"


@dataclass
class Batching(Server):
    """Gathers requests with one row of one input, and has the model answer them at once."""

    window: ClassVar[float] = 0.0
    _waiting: list[_Waiting] = field(default_factory=list)
    _runs: set["asyncio.Future[None]"] = field(default_factory=set)

    async def _infer_by(
        self, version: LoadedVersion, name: str, headers: Any, body: bytes
    ) -> Answer:
        request = protocol.read_request(body, None)
        loop = asyncio.get_running_loop()
        one = _Waiting(request, version, loop.create_future())
        self._waiting.append(one)
        if len(self._waiting) == 1:
            if self.window:
                loop.call_later(self.window, self._run)
            else:
                loop.call_soon(self._run)
        elif len(self._waiting) == MOST:
            self._run()
        outputs = await one.answered
        return Answer(protocol.write_response(name, version.number, request, outputs)[0])

    def _run(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._runs.add(asyncio.ensure_future(self._answer_all(waiting)))

    async def _answer_all(self, waiting: Sequence[_Waiting]) -> None:
        rows = np.concatenate([one.request.inputs["input"] for one in waiting])
        version = waiting[0].version
        if version.run_seconds < INLINE:
            found = version.infer({"input": rows})
        else:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self.threads, version.infer, {"input": rows})
        for number, one in enumerate(waiting):
            one.answered.set_result({"output": found["output"][number : number + 1]})
        self._runs = {run for run in self._runs if not run.done()}


def serve_one(folder: Path, port: int, window: float) -> None:
    """Serve the model of the environment's store until the process is ended.

    Args:
        folder: for versions.
        port: where to listen.
        window: one of `WINDOWS`.
    """
    if window != PLAIN:
        Batching.window = window
        serve.Server = Batching  # type: ignore[attr-defined]
    serve.run(serve.Options(["power"], folder, port=port), open_store())


@contextmanager
def serving(folder: Path, window: float) -> Iterator[str]:
    """A server of its own process; yields its address.

    Args:
        folder: for versions.
        window: one of `WINDOWS`.
    """
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.edge_batching", "--serve", str(folder)]
    command += ["--port", str(port), "--window", str(window)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _is_ready(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def measure(folder: Path, size: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure all windows and clients with a model.

    Args:
        folder: for it.
        size: its bytes.
        rounds: how often.
        seconds: of each load.
    """
    folder.mkdir()
    publish(write_dense(folder, size, 1), "power")
    found: dict[tuple[float, int], list[tuple[float, float]]] = {}
    for number in range(rounds):
        for window in WINDOWS[:: -1 if number % 2 else 1]:
            with serving(folder / f"served-{window}", window) as url:
                for clients in CLIENTS:
                    with load(url, seconds, clients, columns=COLUMNS) as became:
                        pass
                    assert not became[0].failures, became[0].failures[:3]
                    pair = became[0].rate, became[0].quantile(0.99)
                    found.setdefault((window, clients), []).append(pair)
    rows = [_row(size, *point, pairs) for point, pairs in found.items()]
    for row in rows:
        print(json.dumps(row), flush=True)
    return rows


def _row(
    size: int, window: float, clients: int, pairs: Sequence[tuple[float, float]]
) -> dict[str, Any]:
    rates, lates = zip(*pairs, strict=True)
    about = {"bytes": size, "clients": clients, "window_s": None if window == PLAIN else window}
    return about | {"rate": summary(rates)["median"], "p99_s": summary(lates)["median"]}


def _gains(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of each model and number of clients: the best window, beside none."""
    for size, clients in itertools.product(SIZES, CLIENTS):
        mine = [row for row in rows if (row["bytes"], row["clients"]) == (size, clients)]
        if not mine:
            continue
        plain = next(row for row in mine if row["window_s"] is None)
        best = max((row for row in mine if row is not plain), key=lambda row: row["rate"])
        yield {
            **{"bytes": size, "clients": clients, "window_s": best["window_s"]},
            **{name: round(best[name] / plain[name], 3) for name in ("rate", "p99_s")},
        }


def main() -> None:
    """Measure, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=3, help="rounds (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load (3)")
    parser.add_argument("--size", type=int, action="append", help="of a model, in bytes")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--window", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve_one(asked.serve, asked.port, asked.window)
        return
    rows: list[dict[str, Any]] = []
    for size in asked.size or SIZES:
        with tempfile.TemporaryDirectory() as name, seaweedfs.running(Path(name) / "s") as store:
            os.environ.update(store.to_env())
            Store(store).ensure_bucket()
            rows += measure(Path(name) / "models", size, asked.n, asked.seconds)
    print_last_line("edge-batching", asked.n, {}, gains=list(_gains(rows)), points=rows)


if __name__ == "__main__":
    main()
