"""Running another program with a store: the configured one, or else the embedded one."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGTERM

from podline import settings
from podline.signals import handled
from podline.store import seaweedfs
from podline.store.connection import variable


def run(command: Sequence[str], folder: Callable[[], Path], linger: float = 0.0) -> int:
    """Run `command` with a store that it finds in its environment; returns its exit code.

    Where the connection's environment variable is set already, that store is used; otherwise the
    embedded one runs for as long as the command does.

    Args:
        command: the program and its arguments.
        folder: where the embedded store is; asked only if the environment names no other.
        linger: seconds for which the embedded one goes on afterwards.

    Raises:
        EmbeddedStoreError: the embedded store does not start.
        FileNotFoundError: there is no such program.
    """
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []  # signals that came before the child did

    def forward(number: int) -> None:
        if not children:
            early.append(number)
        elif number != SIGINT:  # a terminal sends Ctrl-C to both by itself
            children[0].send_signal(number)

    # The child gets our signals, and we live on to stop the store.
    with environment(folder, linger) as variables, handled(forward, SIGINT, SIGTERM):
        child = subprocess.Popen(command, env=os.environ | variables)
        children.append(child)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    return code if code >= 0 else 128 - code  # as a shell says it


@contextmanager
def environment(folder: Callable[[], Path], linger: float = 0.0) -> Iterator[dict[str, str]]:
    """The variables that name the store to a child process, with the store up meanwhile.

    Args:
        folder: where the embedded one is; asked only if the environment names no other.
        linger: seconds for which the embedded one goes on afterwards.

    Raises:
        EmbeddedStoreError: the embedded store does not start.
    """
    if os.environ.get(variable(settings.store_conn_id())):
        yield {}
        return
    with seaweedfs.running(folder(), linger) as connection:
        yield connection.to_env()
