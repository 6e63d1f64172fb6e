"""A fleet in this process: real servers of edges, each below a path of one port."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import uvicorn
from onnx import TensorProto, helper, numpy_helper

from podline.edge.serve import Options, build
from podline.edge.server import Server
from podline.fleet.member import Target
from podline.models.publishing import publish
from podline.store import Store
from tests.support.edge import COLUMNS, Load, request


@dataclass
class Fleet:
    """Servers by their names, which are their paths, too.

    Attributes:
        servers: real ones.
        url: of the port.
        silent: those that take requests and never answer.
        most_told: to load at once, at most.
        looks: how often each was asked how it is.
    """

    servers: dict[str, Server]
    url: str = ""
    silent: set[str] = field(default_factory=set)
    most_told: int = 0
    looks: Counter[str] = field(default_factory=Counter)
    _told: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request to its server."""
        name, _, path = scope["path"].lstrip("/").partition("/")
        self.looks[name] += path == "status"
        told = int("repository" in path)
        self._told += told
        self.most_told = max(self.most_told, self._told)
        try:
            if name in self.silent:
                while (await receive())["type"] != "http.disconnect":
                    pass
                return
            below: Any = {**scope, "path": f"/{path}"}
            await self.servers[name](below, receive, send)
        finally:
            self._told -= told

    def targets(self) -> list[Target]:
        """All of them."""
        return [Target(name, f"{self.url}/{name}") for name in self.servers]

    def versions(self) -> list[int | None]:
        """What each answers with."""
        return [model.current and model.current.number for model in self._models()]

    def pinned(self) -> list[int]:
        """What each was told to stay at."""
        return [model.pinned for model in self._models()]

    def _models(self) -> Iterator[Any]:
        for server in self.servers.values():
            yield server.models["power"]

    @contextmanager
    def asked(self, *row: float, names: Sequence[str] = ()) -> Iterator[list[Load]]:
        """Requests to each without a pause, while the block runs.

        Args:
            row: that is asked for.
            names: to these alone.
        """
        with ExitStack() as stack:
            yield [
                stack.enter_context(Load(f"{self.url}/{name}", 1, row))
                for name in names or self.servers
            ]

    def ask(self, name: str, times: int) -> None:
        """Send a server requests, one after the other."""
        for _ in range(times):
            url = f"{self.url}/{name}/v2/models/power/infer"
            httpx.post(url, json=request(), timeout=30).raise_for_status()

    def tell(self, name: str, version: int, answers: Any, labels: Any) -> None:
        """Tell a server what was true."""
        body = {"model": "power", "version": version, "answers": answers, "labels": labels}
        httpx.post(f"{self.url}/{name}/feedback", json=body).raise_for_status()


@contextmanager
def fleet(
    store: Store, folder: Path, *names: str, token: str = "", interval: float = 0.1
) -> Iterator[Fleet]:
    """Servers of `power@edge`, until the end of the block.

    Args:
        store: theirs.
        folder: of their caches.
        names: of the servers.
        token: what loading asks for.
        interval: seconds between two looks at the alias.
    """
    found = Fleet({name: _server(store, folder / name, name, token, interval) for name in names})
    config = uvicorn.Config(
        found, port=0, lifespan="off", interface="asgi3", log_config=None, access_log=False
    )
    running = uvicorn.Server(config)
    listening = config.bind_socket()
    found.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    thread = threading.Thread(target=running.run, args=([listening],))
    for server in found.servers.values():
        server.follower.start()
    thread.start()
    try:
        yield found
    finally:
        running.force_exit = running.should_exit = True
        for server in found.servers.values():
            server.follower.stop()
            server.threads.shutdown()
        thread.join()


def _server(store: Store, folder: Path, name: str, token: str, interval: float) -> Server:
    options = Options(["power@edge"], folder, token=token, node=name, interval=interval)
    return build(options, store)


def publish_touchy(folder: Path) -> int:
    """Publish a version of `power` that answers zeros, and fails at anything else."""
    nodes = [
        helper.make_node("Cast", ["input"], ["numbers"], to=TensorProto.INT64),
        helper.make_node("ReduceSum", ["numbers", "axes"], ["index"], keepdims=1),
        helper.make_node("Gather", ["table", "index"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "touchy",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["rows", COLUMNS])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["rows", 1])],
        [
            numpy_helper.from_array(np.array([1]), "axes"),
            numpy_helper.from_array(np.zeros(1, "float32"), "table"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / "touchy.onnx"
    onnx.save(model, path)
    return publish(path, "power", example=np.zeros((4, COLUMNS), "float32")).number
