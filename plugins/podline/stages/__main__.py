"""The process of a stage: reads its task, runs it, and ends with 0 only if it succeeded."""

import os
import signal
import socket
import sys
import threading
import time
from types import FrameType

from podline.stages.clock import Clock

_GRACE = 1.0  # seconds that the main thread has to notice SIGTERM; in C code it does not


def main() -> int:
    """Run the stage whose task is on standard input."""
    clock = Clock()
    # One at a time, so that the clock counts our own imports as boot.
    from podline.contract import StageTask
    from podline.stages.runner import Runner, Terminated
    from podline.store import open_store

    task = StageTask.from_json(sys.stdin.read())
    sys.stdin = open(os.devnull)  # noqa: SIM115 - a cell's input() must not wait
    runner = Runner(task, open_store(), clock)
    news, wakeup = socket.socketpair()
    wakeup.setblocking(False)

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Terminated

    def watch() -> None:
        news.recv(1)  # arrives at once, even while the main thread is in C code
        time.sleep(_GRACE)
        if runner.finish(runner.heap, runner.terminated()):
            os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.set_wakeup_fd(wakeup.fileno())
    threading.Thread(target=watch, daemon=True).start()
    try:
        result = runner.run()
    finally:
        runner.clean()
    sys.stdout.flush()
    return 0 if result and result.succeeded else 1


if __name__ == "__main__":
    # Threads that a notebook left behind must not keep a stage that is done.
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
