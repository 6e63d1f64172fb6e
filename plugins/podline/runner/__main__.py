"""The process of a stage: reads its task, runs it, and ends with 0 only if it succeeded."""

import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, cast

from podline.runner.clock import Clock

if TYPE_CHECKING:
    from podline.contract import StagePlan, StageTask
    from podline.exceptions import PodlineError
    from podline.runner.head_start import HeadStart
    from podline.runner.runner import Runner
    from podline.store import Store

_GRACE = 0.7  # seconds that the main thread has to notice SIGTERM; in C code it does not


def read_task(store: "Store") -> "StageTask":
    """Read the task, from the environment in a pod, else from standard input.

    Raises:
        StoreError: it is in the store, which does not answer.
        ContractError: it is of another version of podline, or another task.
    """
    from podline.contract import TASK_VARIABLE, StageTask
    from podline.runner.standby import resolved

    # A cell has no use for it, and what a cell starts would inherit it.
    text = os.environ.pop(TASK_VARIABLE, "")
    return StageTask.read(resolved(text, store) if text else sys.stdin.read())


@contextmanager
def _ended_by_sigterm(runner: "Runner") -> Iterator[threading.Thread]:
    """Have SIGTERM end the stage with a result that says so, whatever the main thread does.

    Where Python notices the signal, the main thread raises `Terminated`. In C code, or in a cell
    that catches all exceptions, nothing comes of that: so a second thread, which hears of the
    signal at once, waits for a moment, then stores the result itself and ends the process. The
    block is given that thread.
    """
    from podline.runner.runner import Terminated

    news, wakeup = socket.socketpair()
    wakeup.setblocking(False)

    def stop(signum: int, frame: FrameType | None) -> None:
        """End what the main thread does.

        Raises:
            Terminated: the stage has no result yet.
        """
        if not runner.finishing:
            raise Terminated

    def watch() -> None:
        # The byte is the signal's number; it comes at once, even while we are in C code.
        while (byte := news.recv(1)) and byte[0] != signal.SIGTERM:
            pass
        if not byte:
            return  # the stage is done
        if runner.patience.waits:  # there is nowhere to keep a result
            runner.tell("the stage was told to stop (SIGTERM) while it waited for the store")
            os._exit(128 + signal.SIGTERM)
        runner.patience.end()
        time.sleep(_GRACE)
        if runner.finish(runner.heap, runner.terminated()):
            os._exit(128 + signal.SIGTERM)

    def forked() -> None:
        # A pool ends its children by SIGTERM, which is none for the stage.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, stop)
    signal.set_wakeup_fd(wakeup.fileno())
    os.register_at_fork(after_in_child=forked)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    with wakeup:  # closing it ends the thread
        try:
            yield thread
        finally:
            signal.set_wakeup_fd(-1)  # the number may be another file's next


def _wait(given: str, environment: dict[str, str], store: "Store") -> "tuple[StageTask, HeadStart]":
    """Begin with a stage whose task is not due yet, and wait for that.

    Args:
        given: how plan and task come.
        environment: that this process began with.
        store: where they may come from.

    Raises:
        ContractError: the task is of another version of podline, or not of who made this pod.
    """
    from podline.contract import ON_INPUT, Preparation
    from podline.runner.standby import Standby

    if given != ON_INPUT:
        standby = Standby(given, store)
        head = _head_start(standby.plan(), environment, standby.about.libraries)
        return standby.task(), head
    prepared = Preparation.from_json(sys.stdin.readline())
    head = _head_start(prepared.plan, environment, prepared.libraries)
    return read_task(store), head


def _head_start(
    plan: "StagePlan", environment: dict[str, str], libraries: tuple[str, ...] = ()
) -> "HeadStart":
    from podline.contract import AHEAD_VARIABLE
    from podline.runner.head_start import HeadStart
    from podline.runner.kernel import Kernel

    environment.pop(AHEAD_VARIABLE)
    head = HeadStart(Kernel(), environment)
    head.take(plan, libraries)
    import podline.runner.runner  # noqa: F401 - what it will need, too

    return head


def main() -> int:
    """Run the stage whose task is in the environment or on standard input.

    Returns:
        The exit code: 0 where the stage succeeded.
    """
    clock = Clock()
    # One at a time, so that the clock counts our own imports as boot.
    from podline import secrecy, settings
    from podline.contract import AHEAD_VARIABLE, PARENT_VARIABLE
    from podline.exceptions import ContractError
    from podline.runner import termination_message
    from podline.signals import adopt_orphans, end_with
    from podline.store import StoreConnection, StoreError, open_store
    from podline.store.client import wait_for_stores
    from podline.store.patience import Patience

    # It has the store's keys, and only a process that may begin anew needs it again.
    environment = dict(os.environ) if AHEAD_VARIABLE in os.environ else {}
    if parent := os.environ.pop(PARENT_VARIABLE, ""):
        end_with(int(parent))
    adopt_orphans()  # `!server &` is left behind by its shell
    for stream in (sys.stdout, sys.stderr):
        # Whatever a cell prints is no reason to fail.
        cast(io.TextIOWrapper, stream).reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        # Before any other import may look at the environment, and keep it.
        connection = StoreConnection.take()
        secrecy.hide_variables()
        patience = Patience(settings.store_patience(), partial(print, flush=True))
        wait_for_stores(patience)
        store = open_store(connection)
        head: HeadStart | None = None
        if given := os.environ.pop(AHEAD_VARIABLE, ""):
            task, head = _wait(given, environment, store)
        else:
            task = read_task(store)
    except (StoreError, ContractError) as error:
        termination_message.leave(str(error))
        print(error, flush=True)
        return _exit_code(error)
    from podline.runner.head_start import Begun
    from podline.runner.runner import Runner

    sys.stdin = open(os.devnull)  # noqa: SIM115 - a cell's input() must not wait
    begun = Begun.take()
    if head:
        clock = Clock(age=0.0)
    elif begun:
        clock = Clock(age=begun.age)
    runner = Runner(task, store, clock, patience, head, begun.note if begun else None)
    try:
        with _ended_by_sigterm(runner) as ender:
            result = runner.run()
            if result is None:  # the other thread is storing one, and then ends the process
                ender.join()
    except StoreError as error:  # there is nowhere to keep a result
        runner.tell(str(error))
        return _exit_code(error)
    finally:
        runner.clean()
    return 0 if result and result.succeeded else 1


def _exit_code(error: "PodlineError") -> int:
    """The exit code of a stage that ends without a result."""
    from podline.contract import FINAL_EXIT

    return FINAL_EXIT if error.final else 1


if __name__ == "__main__":
    # Threads that a notebook left behind must not keep a stage that is done.
    os._exit(main())
