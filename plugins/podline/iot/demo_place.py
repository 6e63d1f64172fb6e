"""Where the store and the edges of `make edge-demo` run: here, or in a cluster."""

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Protocol, TypeVar

import httpx

from podline import settings
from podline.exceptions import PodlineError
from podline.fleet.discovery import LABEL
from podline.fleet.token import VARIABLE
from podline.iot.meter import NOTEBOOK as MODEL
from podline.store import Store, open_store, seaweedfs

ALIAS = "edge"
PODLINE = (sys.executable, "-m", "podline.cli")
PATIENCE = 300.0  # seconds for each step
_FORWARDS = re.compile(r"Forwarding from (127\.0\.0\.1:\d+)")
_T = TypeVar("_T")


class DemoError(PodlineError):
    """A step did not come to its end."""


class Place(Protocol):
    """Where store and edges run."""

    def store(self) -> AbstractContextManager[Store]:
        """The store that stages and edges are to use."""

    def edges(self) -> AbstractContextManager[list[str]]:
        """The URLs of edges that serve the alias."""


@dataclass(frozen=True)
class Here:
    """This machine, without a cluster: a store and an edge that end with the demo.

    Args:
        folder: that the store, the edge's disk and its log are in.
    """

    folder: Path

    @contextmanager
    def store(self) -> Iterator[Store]:
        """See `Place`."""
        with seaweedfs.running(self.folder / "store") as connection:
            os.environ.update(connection.to_env())
            store = Store(connection)
            store.ensure_bucket()
            yield store

    @contextmanager
    def edges(self) -> Iterator[list[str]]:
        """See `Place`.

        Raises:
            DemoError: the edge is not ready in time.
        """
        log, disk = self.folder / "edge.log", self.folder / "edge"
        shutil.rmtree(disk, ignore_errors=True)
        words = ("edge", "serve", f"{MODEL}@{ALIAS}", "--port", "0", "--folder", str(disk))
        with running(log, *PODLINE, *words) as said:
            url = wait_for(f"the edge, whose log is {log}", lambda: _address(said()))
            wait_for(f"the edge's model: see {log}", lambda: said() and is_ready(url))
            yield [url]


@dataclass(frozen=True)
class InCluster:
    """Pods of the cluster, as `make cluster-store` and `make cluster-edge` make them.

    Args:
        folder: for logs.
    """

    folder: Path

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store that the environment names: `podline store env --cluster`."""
        yield open_store()

    @contextmanager
    def edges(self) -> Iterator[list[str]]:
        """The edges' pods, each forwarded to a port of this machine.

        Raises:
            DemoError: they do not get ready.
        """
        command = ["make", "cluster-edge", f"EDGE_MODEL={MODEL}@{ALIAS}"]
        command.append(f"NAMESPACE={settings.namespace()}")
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            raise DemoError(f"`make cluster-edge` failed:\n{(made.stdout + made.stderr)[-1000:]}")
        token = _ask("get", "secret", "edge-token", "-o", f"jsonpath={{.data.{VARIABLE}}}")
        os.environ[VARIABLE] = base64.b64decode(token).decode()
        with ExitStack() as stack:
            ready = "--field-selector=status.phase=Running"
            pods = _ask("get", "pods", "-l", LABEL, ready, "-o", "name").split()
            yield [stack.enter_context(self._forwarded(pod)) for pod in pods]

    @contextmanager
    def _forwarded(self, pod: str) -> Iterator[str]:
        log = self.folder / f"{pod.rpartition('/')[2]}.log"
        words = ("port-forward", "--address", "127.0.0.1", pod, ":8500")
        with running(log, *_kubectl(), *words) as said:
            found = wait_for(f"{pod}: see {log}", lambda: _FORWARDS.search(said()))
            url = f"http://{found[1]}"
            wait_for(f"{pod}'s model", lambda: is_ready(url))
            yield url


# --- processes ---------------------------------------------------------------------------------


@contextmanager
def running(log: Path, *command: str) -> Iterator[Callable[[], str]]:
    """A command, until the end of the block; gives what it has said by now.

    Args:
        log: the file for what it says.
        command: with its arguments.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def said() -> str:
        text = log.read_text(errors="replace")
        if process.poll() is not None:
            raise DemoError(f"`{shlex.join(command)}` has ended:\n{text[-1000:]}")
        return text

    try:
        yield said
    finally:
        process.send_signal(SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


def wait_for(what: str, condition: Callable[[], _T | None]) -> _T:
    """Wait until a condition holds; returns what it gave.

    Raises:
        DemoError: it does not in time.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise DemoError(f"{what}: not there after {PATIENCE:g} s")


def _address(log: str) -> str:
    for line in log.splitlines():
        with suppress(ValueError):
            if url := json.loads(line).get("url"):
                return str(url)
    return ""


def is_ready(url: str) -> bool:
    """Whether an edge serves its model."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    return False


def _kubectl() -> tuple[str, ...]:
    return "kubectl", "--namespace", settings.namespace()


def _ask(*words: str) -> str:
    done = subprocess.run([*_kubectl(), *words], capture_output=True, text=True)
    if done.returncode:
        raise DemoError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
