"""Edges for tests and benchmarks: models that are quick to make, and servers of their own."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from podline.models.publishing import publish

COLUMNS = 3


def write_line(path: Path, slope: float, filling: int = 0) -> Path:
    """Write a model in ONNX that answers the sum of three columns, times a slope.

    Args:
        path: where to.
        slope: by which versions are told apart.
        filling: bytes that the file has more, which no compression makes less.
    """
    inner = max(1, filling // (4 * (COLUMNS + 1)))
    generator = np.random.default_rng(int(slope * 1000) % 2**32)
    widths = generator.uniform(0.5, 1.5, size=inner)
    first = np.tile(widths, (COLUMNS, 1)).astype("float32")
    second = (slope / inner / widths)[:, None].astype("float32")
    nodes = [
        helper.make_node("MatMul", ["input", "first"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "second"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "line",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", COLUMNS])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", 1])],
        [numpy_helper.from_array(first, "first"), numpy_helper.from_array(second, "second")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return path


def publish_line(folder: Path, slope: float, name: str = "power", filling: int = 0) -> int:
    """Publish such a model in the environment's store; returns its version.

    Args:
        folder: for its file.
        slope: by which versions are told apart.
        name: the model's.
        filling: bytes that it has more.
    """
    return publish(write_line(folder / "model.onnx", slope, filling), name).number


def request(*row: float, **more: Any) -> dict[str, Any]:
    """A request for one row."""
    row = row or (1.0, 2.0, 3.0)
    tensor = {"name": "input", "datatype": "FP32", "shape": [1, len(row)], "data": [*row]}
    return {"inputs": [tensor], **more}


@dataclass
class Edge:
    """A server of its own process.

    Attributes:
        process: it.
        lines: of its log, as they come.
        url: where it listens.
    """

    process: "subprocess.Popen[str]"
    lines: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def read_log(self) -> None:
        """Take in what it logs, until it ends."""
        assert self.process.stderr
        for line in self.process.stderr:
            entry = json.loads(line) if line.startswith("{") else {"event": "text", "text": line}
            self.lines.append(entry)
            self.url = entry.get("url", self.url)

    def events(self, event: str) -> list[dict[str, Any]]:
        """What it logged of a kind."""
        return [line for line in self.lines if line["event"] == event]

    def infer(self, body: Any = None, model: str = "power") -> httpx.Response:
        """Its answer to a request."""
        path = f"/v2/models/{model}/infer"
        return httpx.post(self.url + path, json=body or request(), timeout=30)

    def answer(self) -> tuple[str, float]:
        """The version that answers six, and what it answers: six times its slope."""
        found = self.infer()
        assert found.status_code == 200, found.text
        answer = found.json()
        return answer["model_version"], round(answer["outputs"][0]["data"][0], 3)

    def model(self, name: str = "power") -> dict[str, Any]:
        """What it says of a model."""
        models = httpx.get(f"{self.url}/status", timeout=30).json()["models"]
        return next(model for model in models if model["name"] == name)

    def load(self, version: int = 0, model: str = "power") -> httpx.Response:
        """Have it load a version, or what its alias means."""
        parameters = {"parameters": {"version": version}} if version else {}
        path = f"/v2/repository/models/{model}/load"
        return httpx.post(self.url + path, json=parameters, timeout=60)

    def wait_for(self, **wanted: Any) -> dict[str, Any]:
        """Wait until what it says of its model has these fields; a text: begins or ends so."""
        limit = time.monotonic() + 120
        while True:
            found = self.model()
            if all(_is(found[name], value) for name, value in wanted.items()):
                return found
            assert time.monotonic() < limit, (found, self.lines[-5:])
            time.sleep(0.02)


def _is(found: Any, wanted: Any) -> bool:
    return wanted in found if isinstance(wanted, str) else found == wanted


@contextmanager
def serving(
    folder: Path,
    *options: str,
    models: Sequence[str] = ("power",),
    variables: Mapping[str, str] | None = None,
    ready: bool = True,
    wrapped: Sequence[str] = (),
) -> Iterator[Edge]:
    """A server with the environment's store, until the end of the block.

    Args:
        folder: of its cache.
        options: of ``podline edge serve``.
        models: what it serves.
        variables: of its environment, besides ours.
        ready: whether to wait until it answers requests.
        wrapped: a command that runs it.
    """
    command = [sys.executable, "-m", "podline.cli", "edge", "serve", *models]
    command += ["--port", "0", "--folder", str(folder), "--interval", "0.1", *options]
    process = subprocess.Popen(
        [*wrapped, *command],
        env=os.environ | (variables or {}),
        stderr=subprocess.PIPE,
        text=True,
    )
    edge = Edge(process)
    reader = threading.Thread(target=edge.read_log, daemon=True)
    reader.start()
    try:
        limit = time.monotonic() + 120
        while not edge.url or (ready and not _is_ready(edge.url)):
            assert process.poll() is None, edge.lines
            assert time.monotonic() < limit, edge.lines
            time.sleep(0.01)
        yield edge
    finally:
        process.kill()
        process.wait()
        reader.join()
        assert process.stderr
        process.stderr.close()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


class Load:
    """Requests without a pause from threads, while the block runs; counts what failed."""

    def __init__(self, edge: Edge | str, threads: int = 2, row: Sequence[float] = ()) -> None:
        url = edge if isinstance(edge, str) else edge.url
        self.url, self.row = f"{url}/v2/models/power/infer", row
        self.failures: list[str] = []
        self.versions: list[str] = []  # as they answered
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._ended.is_set():
                try:
                    found = client.post(self.url, json=request(*self.row))
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                    continue
                if found.status_code != 200:
                    self.failures.append(found.text)
                else:
                    self.versions.append(found.json()["model_version"])
