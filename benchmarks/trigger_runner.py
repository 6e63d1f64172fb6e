"""Runs triggers as Airflow's triggerer does, without a database, and measures what they cost.

Reads {"classpath": …, "triggers": {name: arguments}, "seconds": limit} as JSON from standard
input; the first trigger warms up alone. Prints JSON: when each other trigger's event came, when
all were running, the requests of the process, and its memory.
"""

import json
import multiprocessing
import socket
import sys
import time
from collections import deque
from typing import Any, TypedDict

import aiohttp
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import (
    TriggerEventEntry,
    TriggerRunner,
    TriggerRunnerSupervisor,
)
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent

Arguments = dict[str, Any]  # of a trigger

# Shared with the process that runs the triggers, which is forked.
_requests = multiprocessing.Value("q", 0)
_running = multiprocessing.Value("d", 0.0)  # when most triggers ran, and how many
_most = multiprocessing.Value("q", 0)


class Stamped(deque[TriggerEventEntry]):
    """Notes when an event comes."""

    def append(self, entry: TriggerEventEntry) -> None:
        entry.event.payload["at"] = time.time()
        super().append(entry)


class Runner(TriggerRunner):
    """Airflow's own, with clocks."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.events = Stamped()

    async def create_triggers(self) -> None:
        await super().create_triggers()  # type: ignore[no-untyped-call]
        if len(self.triggers) > _most.value:
            _most.value, _running.value = len(self.triggers), time.time()


class Supervisor(TriggerRunnerSupervisor):
    """Airflow's own, with a list instead of a database."""

    @classmethod
    def run_in_process(cls) -> None:
        request = aiohttp.ClientSession._request

        async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            _requests.value += 1
            return await request(self, *args, **kwargs)

        aiohttp.ClientSession._request = counted  # type: ignore[method-assign]
        Runner().run()  # type: ignore[no-untyped-call]

    def load_triggers(self) -> None:
        pass

    def clean_unused(self) -> None:
        pass

    def heartbeat(self) -> None:
        pass

    def metric_tags(self) -> dict[str, str]:
        return {"hostname": socket.gethostname()}

    def on_trigger_event(self, trigger_id: int, event: TriggerEvent) -> None:
        _came[trigger_id] = event.payload["at"]

    def on_trigger_failure(self, trigger_id: int, exc: list[str] | None) -> None:
        raise SystemExit("".join(exc or ["a trigger ended without an event"]))

    def give(self, triggers: dict[int, Arguments], classpath: str) -> None:
        """Have triggers run."""
        for number, arguments in triggers.items():
            packed = Trigger.encrypt_kwargs(arguments)
            workload = RunTrigger(id=number, classpath=classpath, encrypted_kwargs=packed)
            self.creating_triggers.append(workload)

    def memory(self) -> float:
        """The resident memory of the triggers' process, in MB."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * 4096 / 1e6


_came: dict[int, float] = {}


class Memory(TypedDict):
    """Of the process, in MB: before any trigger, after the first, and at most."""

    fresh: float
    warm: float
    peak: float


class Found(TypedDict):
    """What triggers cost: when each one's event came and all ran (epoch), requests, memory."""

    events: dict[str, float]
    all_ran: float | None
    requests: int
    memory_mb: Memory


def measure(classpath: str, triggers: dict[str, Arguments], seconds: float) -> Found:
    """Run the first trigger, then all others at once until each had its event, or for too long.

    Args:
        classpath: the triggers' class.
        triggers: what each is made from, by name.
        seconds: how long is too long.
    """
    names = dict(enumerate(triggers, start=1))
    numbered = {number: triggers[name] for number, name in names.items()}
    supervisor = Supervisor.start(job=None, capacity=len(triggers))
    for _ in range(3):  # until it has started
        supervisor.run_once()
    fresh = supervisor.memory()
    supervisor.give({1: numbered.pop(1)}, classpath)
    while not _came or supervisor.running_triggers:
        supervisor.run_once()
    before, requests = supervisor.memory(), _requests.value
    peak, deadline = before, time.time() + seconds
    supervisor.give(numbered, classpath)
    while len(_came) < len(names) and time.time() < deadline:
        supervisor.run_once()
        peak = max(peak, supervisor.memory())
    found: Found = {
        "events": {names[number]: at for number, at in _came.items() if number > 1},
        "all_ran": _running.value if _most.value == len(numbered) else None,
        "requests": _requests.value - requests,
        "memory_mb": {"fresh": fresh, "warm": before, "peak": peak},
    }
    supervisor.kill(force=True)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(**json.load(sys.stdin))))
