"""The keeper of a local process that is begun ahead: hands it to the task that asks, once.

It is the parent of the process, since the task that began it ends before the one that gets it. Who
connects to its socket and says what the process is gets its two pipes and, in the end, its exit
code; the process ends with who got it, as any child of a task does. Who says anything else has it
ended. It ends too when its time is over.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from podline.contract import AHEAD_VARIABLE, ON_INPUT, PARENT_VARIABLE, Json

_STOP_GRACE = 5.0  # seconds from SIGTERM to SIGKILL
_EVERY = 1.0  # seconds after which it is seen that the process has ended, or nobody came
_LONGEST_WORD = 128  # bytes


@dataclass(frozen=True)
class Kept(Json):
    """What a keeper reads on standard input.

    Attributes:
        path: of its socket, which it listens to already.
        identity: the hash of what the process is and will do.
        preparation: what the process gets before its task, as JSON.
        made: when it was begun (epoch).
        seconds: for which it waits at most.
    """

    path: str
    identity: str
    preparation: str
    made: float
    seconds: float


def main() -> None:
    """Keep a process; the argument is the number of the socket."""
    kept = Kept.from_json(sys.stdin.buffer.read())
    process = _begin(kept.preparation)
    connection = None
    try:
        with socket.socket(fileno=int(sys.argv[1])) as listener:
            connection = _asked(listener, kept, process)
    finally:
        if connection is None:
            Path(kept.path).unlink(missing_ok=True)
            _end(process)
    if connection is not None:
        _follow(connection, process)


def _begin(preparation: str) -> "subprocess.Popen[bytes]":
    about = {PARENT_VARIABLE: str(os.getpid()), AHEAD_VARIABLE: ON_INPUT}
    process = subprocess.Popen(
        [sys.executable, "-m", "podline.runner"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **about},
        start_new_session=True,
    )
    assert process.stdin
    process.stdin.write(f"{preparation}\n".encode())
    process.stdin.flush()
    return process


def _asked(
    listener: socket.socket, kept: Kept, process: "subprocess.Popen[bytes]"
) -> socket.socket | None:
    """Wait for who wants the process, and hand it over; None: nobody has it."""
    until = time.monotonic() + kept.seconds
    listener.settimeout(_EVERY)
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(TimeoutError):
            connection, _ = listener.accept()
            connection.settimeout(_EVERY)
            if _hand_over(connection, kept, process):
                return connection
            connection.close()
            return None
    return None


def _hand_over(connection: socket.socket, kept: Kept, process: "subprocess.Popen[bytes]") -> bool:
    """Give the process to who asks for what it is; False: that is another thing."""
    try:
        if connection.recv(_LONGEST_WORD).decode(errors="replace") != kept.identity:
            return False
        Path(kept.path).unlink(missing_ok=True)  # nobody else gets it
        assert process.stdin
        assert process.stdout
        about = json.dumps([process.pid, kept.made]).encode()
        socket.send_fds(connection, [about], [process.stdin.fileno(), process.stdout.fileno()])
    except OSError:
        return False
    process.stdin.close()
    process.stdout.close()
    return True


def _follow(connection: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    """Say how the process ends; end it if who has it is gone before."""

    def watch() -> None:
        connection.settimeout(None)
        with contextlib.suppress(OSError):
            connection.recv(1)
        _end(process)

    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    with contextlib.suppress(OSError):
        connection.sendall(str(code).encode())


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process, and what it has started."""
    process.terminate()
    try:
        process.wait(_STOP_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
