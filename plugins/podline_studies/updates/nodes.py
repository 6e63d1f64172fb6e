"""The nodes that are compared: servers that take up a model's new versions, each in its own way.

Each runs on this machine, and reads a store behind the link. All answer the Open Inference
Protocol, with one session of ONNX Runtime of one thread.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from podline.exceptions import PodlineError
from podline.store import StoreConnection, keys
from podline.store.boto3_client import boto3_client
from podline_studies.uploads.delay_link.subprocesses import ended

FILE = "model.onnx"  # of a version, as it is published
_START = 120.0  # seconds
_ANSWER = 120.0
_NOTED = 2.0  # seconds after a version's first answer in which its swap is noted
_PLUGINS = Path(__file__).parents[2]


class NodeError(PodlineError):
    """A node does not start, or does not take up a version."""


@dataclass(frozen=True)
class Taken:
    """How a node took up a version.

    Attributes:
        noticed, swapped: when (epoch): it knew of it; it answered by it.
        fetch, verify, load, warm_up: how long, in seconds; 0: it does no such thing.
    """

    noticed: float
    fetch: float
    verify: float
    load: float
    warm_up: float
    swapped: float


class Node(ABC):
    """A server of one model.

    Args:
        folder: its own, which is made.
        store: the store behind the link.
        model: the model's name in the registry.

    Attributes:
        program: that must be installed.
    """

    program: ClassVar[str] = ""

    def __init__(self, folder: Path, store: StoreConnection, model: str) -> None:
        if not self.is_installed():
            raise NodeError(f"{self.program} is not on the PATH: pip install {self.program}")
        folder.mkdir(parents=True)
        self.folder, self.store, self.model = folder, store, model
        self.port = free_ports(1)[0]

    @classmethod
    def is_installed(cls) -> bool:
        """Whether it can be used here."""
        return not cls.program or shutil.which(cls.program) is not None

    @contextmanager
    def running(self) -> Iterator[Self]:
        """The node serves until the block ends; version 1 must be published.

        Raises:
            NodeError: it does not start.
        """
        log = self.folder / "log"
        with log.open("w") as out:
            process = subprocess.Popen(
                self.command(), env=os.environ | self.variables(), stdout=out, stderr=out
            )
        with ended(process):
            limit = time.monotonic() + _START
            while not self._serves():
                if process.poll() is not None or time.monotonic() > limit:
                    said = log.read_text()[-1000:]
                    raise NodeError(f"{type(self).__name__} does not serve: {said}")
                time.sleep(0.05)
            yield self

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What starts it."""

    def variables(self) -> Mapping[str, str]:
        """Of its environment, besides ours: the store as it sees it."""
        return {
            "AIRFLOW__PODLINE__STORE_CONN_ID": self.store.conn_id,
            "PYTHONPATH": os.pathsep.join([str(_PLUGINS), *sys.path]),
            **self.store.to_env(),
        }

    @abstractmethod
    def tell(self, version: int, file: str) -> None:
        """Have it take up a version now.

        Args:
            version: its number.
            file: of the model, in the version.

        Raises:
            NodeError: it does not.
        """

    @abstractmethod
    def taken(self, version: int) -> Taken:
        """How it took up a version, by which it answers by now.

        Raises:
            NodeError: it has not.
        """

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Its answer to a request.

        Args:
            method: such as ``GET``.
            path: of the request.
            body: sent as JSON.

        Raises:
            NodeError: it refuses, or does not answer.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            found = connection.getresponse()
            said = found.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise NodeError(f"{type(self).__name__} does not answer: {error}") from None
        finally:
            connection.close()
        if found.status != http.HTTPStatus.OK:
            raise NodeError(f"{type(self).__name__} answers {found.status}: {said[:300]}")
        return json.loads(said) if said else None

    def _serves(self) -> bool:
        try:
            self.ask("GET", f"/v2/models/{self.model}/ready")
        except NodeError:
            return False
        return True


class Podline(Node):
    """`podline edge serve`, as it is."""

    def command(self) -> Sequence[str]:
        serve = (sys.executable, "-m", "podline.cli", "edge", "serve", self.model)
        return (*serve, "--port", str(self.port), "--folder", str(self.folder / "versions"))

    def tell(self, version: int, file: str) -> None:
        path = f"/v2/repository/models/{self.model}/load"
        self.ask("POST", path, {"parameters": {"version": version}})
        self.ask("POST", path, {})  # it follows the alias again

    def taken(self, version: int) -> Taken:
        until = time.monotonic() + _NOTED
        while time.monotonic() < until:
            (model,) = self.ask("GET", "/status")["models"]
            for swap in reversed(model["swaps"]):
                if swap["version"] == version:
                    return Taken(**{name: swap[name] for name in Taken.__dataclass_fields__})
        raise NodeError(f"podline did not take up version {version}: {model['reason']}")


class Polling(Node):
    """A server that lists the store each second, as TensorFlow Serving does its model's folder.

    It is `podline_studies.updates.polling`: TensorFlow Serving itself reads no such store here.
    """

    def command(self) -> Sequence[str]:
        module = "podline_studies.updates.polling"
        return (sys.executable, "-m", module, self.model, str(self.folder), str(self.port))

    def tell(self, version: int, file: str) -> None:
        raise NodeError("a node that polls is told of nothing")

    def taken(self, version: int) -> Taken:
        found = self.ask("GET", "/status").get(str(version))
        if found is None:
            raise NodeError(f"the node that polls did not take up version {version}")
        return Taken(**found)


class MlServer(Node):
    """MLServer: whoever tells it fetches the file by boto3, then calls its load."""

    program = "mlserver"

    def __init__(self, folder: Path, store: StoreConnection, model: str) -> None:
        super().__init__(folder, store, model)
        self.port, *self._others = free_ports(3)
        self._client = boto3_client(store, {})
        self._taken: dict[int, Taken] = {}
        self._fetch(1, FILE)

    def command(self) -> Sequence[str]:
        write_mlserver_settings(self.folder, (self.port, *self._others))
        found = shutil.which(self.program)
        assert found
        # Its own interpreter, whose packages ours has no part in.
        return (str(Path(found).with_name("python")), found, "start", str(self.folder))

    def variables(self) -> Mapping[str, str]:
        return {"PYTHONPATH": ""}

    def tell(self, version: int, file: str) -> None:
        noticed, began = time.time(), time.perf_counter()
        self._fetch(version, file)
        fetched = time.perf_counter()
        self.ask("POST", f"/v2/repository/models/{self.model}/load")
        loaded = time.perf_counter()
        fetch, load = fetched - began, loaded - fetched
        self._taken[version] = Taken(noticed, fetch, 0.0, load, 0.0, time.time())

    def taken(self, version: int) -> Taken:
        return self._taken[version]

    def _fetch(self, version: int, file: str) -> None:
        name = f"{version}.onnx"
        key = keys.version_key(self.model, version, file)
        self._client.download_file(self.store.bucket, key, str(self.folder / name))
        write_mlserver_model(self.folder, self.model, name, version)


def write_mlserver_settings(folder: Path, ports: Sequence[int]) -> None:
    """Write what MLServer needs to run as fast as it can be set up: in one process, without logs.

    Args:
        folder: of its models.
        ports: of HTTP, gRPC and metrics.
    """
    names = ("http_port", "grpc_port", "metrics_port")
    values: dict[str, object] = dict(zip(names, ports, strict=True))
    values |= {"host": "127.0.0.1", "parallel_workers": 0, "debug": False}
    values |= {"use_structured_logging": False}
    (folder / "settings.json").write_text(json.dumps(values))
    shutil.copy(Path(__file__).with_name("mlserver_model.py"), folder)


def write_mlserver_model(folder: Path, model: str, file: str, version: int) -> None:
    """Have MLServer's next load of a model take a file.

    Without a version of MLServer's own: it would register a new one before it has loaded it, and
    refuse requests meanwhile.

    Args:
        folder: of its models.
        model: the model's name.
        file: in the folder.
        version: that its answers name.
    """
    found = {
        "name": model,
        "implementation": "mlserver_model.OnnxModel",
        "parameters": {"uri": f"./{file}", "extra": {"version": str(version)}},
    }
    (folder / "model-settings.json").write_text(json.dumps(found))


@dataclass(frozen=True)
class Way:
    """How a node hears of a version.

    Attributes:
        node: which.
        told: whether it is told when the version is published; else it finds out.
    """

    node: type[Node]
    told: bool


WAYS: dict[str, Way] = {
    "podline": Way(Podline, False),
    "podline-told": Way(Podline, True),
    "polling": Way(Polling, False),
    "mlserver": Way(MlServer, True),
}


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return [port, *(free_ports(number - 1) if number > 1 else ())]
