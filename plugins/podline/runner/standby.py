"""A pod that was made before its task is due: it gets ready, and waits for the task in the store.

The object that it waits for has the seal of who made the pod (`Ahead.sealed`). Whoever puts
`keys.taken_key` first decides: the pod, which then runs the task, or who handed it over, and goes
on without the pod. So a task is never run twice, however late a message comes.
"""

import hashlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from podline.contract import AHEAD_MARK, BEGUN, READY, TAKEN, Ahead, StagePlan, StageTask, unpack
from podline.exceptions import ContractError
from podline.store import ObjectMissing, StoreUnavailable, keys

if TYPE_CHECKING:
    from podline.store import Store

_EVERY = 0.03  # seconds between two requests, which cost 1.5 % of a processor


class Standby:
    """The wait of one pod; from the start of it on the process ends by itself.

    Args:
        text: the variable's, an `Ahead` as JSON.
        store: where plan and task are.
    """

    def __init__(self, text: str, store: "Store") -> None:
        self.about, self.store = Ahead.from_json(text), store.hasty
        self._over = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
        threading.Thread(target=self._limit, daemon=True).start()
        _say(BEGUN)

    def plan(self) -> StagePlan:
        """The stage's plan."""
        return StagePlan.from_json(resolved(self.about.plan, self.store))

    def task(self) -> StageTask:
        """Wait for the task.

        Raises:
            ContractError: it is not of who made this pod.
        """
        _say(READY)
        key = keys.go_key(self.about.run, self.about.token)
        while True:
            try:
                data = bytes(self.store.get(key))
                break
            except (ObjectMissing, StoreUnavailable):
                time.sleep(_EVERY)
        task = self.about.opened(data)
        if not self.store.put_if_absent(keys.taken_key(self.about.run, self.about.token), b"pod"):
            os._exit(0)  # it took too long: another pod does it
        self._over.set()
        _say(TAKEN)
        return task

    def _limit(self) -> None:
        """End the process when its time is over: what it imports may never come to an end."""
        if not self._over.wait(self.about.seconds):
            print(f"no task has come for {self.about.seconds:g} s", flush=True)
            os._exit(0)


def resolved(text: str, store: "Store") -> str:
    """The JSON of a variable that has it packed, or says where it lies in the store.

    Args:
        text: the variable's.
        store: where it may lie.

    Raises:
        ContractError: what lies there is another one.
    """
    if not text.startswith("@"):
        return unpack(text)
    key, digest = text[1:].split()
    data = bytes(store.get(key))
    if hashlib.sha256(data).hexdigest() != digest:
        raise ContractError(f"{key} is not what was to be run: its hash differs")
    return data.decode()


def _say(word: str) -> None:
    """Say how far the process is, on a line of its own."""
    print(f"\n{AHEAD_MARK} {word}", flush=True)
