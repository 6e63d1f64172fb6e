"""Running another program with a store: the configured one, or else the embedded one."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from podline import settings
from podline.store import seaweedfs


def run(command: Sequence[str], folder: Path) -> int:
    """Run `command` with a store that it finds in its environment; returns its exit code.

    Where the connection's environment variable is set already, that store is used; otherwise the
    embedded one of `folder` runs for as long as the command does.

    Raises:
        EmbeddedStoreError: the embedded store does not start.
        FileNotFoundError: there is no such program.
    """
    with environment(folder) as variables, _forwarding() as to:
        child = subprocess.Popen(command, env=os.environ | variables)
        to(child)
        code = child.wait()
    return code if code >= 0 else 128 - code  # as a shell says it


@contextmanager
def environment(folder: Path) -> Iterator[dict[str, str]]:
    """The variables that name the store to a child process, with the store up meanwhile.

    Raises:
        EmbeddedStoreError: the embedded store does not start.
    """
    if os.environ.get(f"AIRFLOW_CONN_{settings.store_conn_id().upper()}"):
        yield {}
        return
    with seaweedfs.running(folder) as connection:
        yield connection.to_env()


@contextmanager
def _forwarding() -> Iterator[Callable[[subprocess.Popen[bytes]], None]]:
    """A child gets our signals, and we live on to stop the store.

    Yields what names the child. A signal that comes before it is named waits until then.
    """
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        if not children:
            early.append(number)
        elif number != signal.SIGINT:  # A terminal sends Ctrl-C to both by itself.
            children[0].send_signal(number)

    def to(child: subprocess.Popen[bytes]) -> None:
        children.append(child)
        for number in early:
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
