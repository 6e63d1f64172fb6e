"""What runs left in the store: their tries, results and executed notebooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from podline.contract import StageResult
from podline.exceptions import PodlineError
from podline.store import keys
from podline.store.keys import EXECUTED, LATENCY, RESULT, TryKey

if TYPE_CHECKING:
    from podline.store import ObjectInfo, Store

_AT_ONCE = 16  # requests
_SO_FAR = re.compile(r"executed-(\d+)\.ipynb")  # stored while a stage runs


class HistoryError(PodlineError):
    """There is no such DAG, run or stage in the store."""


@dataclass
class Try:
    """One try of a stage; `objects` are the keys of its result and notebooks, by name."""

    where: TryKey
    newest: datetime
    objects: dict[str, str] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The stage's name, with the map index where there is one."""
        index = self.where.map_index
        return self.where.task_id if index < 0 else f"{self.where.task_id}[{index}]"

    @property
    def executed(self) -> str | None:
        """The key of the executed notebook, failing that of the last state stored."""
        if EXECUTED in self.objects:
            return self.objects[EXECUTED]
        states = {int(m[1]): key for name, key in self.objects.items() if (m := _so_far(name))}
        return states[max(states)] if states else None


@dataclass
class Run:
    """A run of a DAG, and the tries of its stages that wrote anything."""

    dag_id: str
    run_id: str
    tries: list[Try] = field(default_factory=list)

    @property
    def newest(self) -> datetime:
        """When it wrote last."""
        return max(attempt.newest for attempt in self.tries)

    @property
    def last_tries(self) -> list[Try]:
        """The last try of each stage, in the order in which the stages ended."""
        last: dict[str, Try] = {}
        for attempt in sorted(self.tries, key=lambda t: (t.where.try_number, t.newest)):
            last[attempt.stage] = attempt
        return sorted(last.values(), key=lambda attempt: attempt.newest)

    @property
    def earlier_tries(self) -> list[Try]:
        """All tries but the last ones."""
        last = self.last_tries
        return [attempt for attempt in self.tries if attempt not in last]

    def try_of(self, stage: str) -> Try:
        """The last try of a stage.

        Raises:
            HistoryError: no such stage wrote anything.
        """
        last = {attempt.stage: attempt for attempt in self.last_tries}
        if stage not in last:
            raise HistoryError(
                f"the run {self.run_id} of {self.dag_id} has no stage {stage!r}; it has: "
                f"{', '.join(last)}"
            )
        return last[stage]


def runs(store: Store, dag_id: str | None = None, run_id: str | None = None) -> list[Run]:
    """Return the runs in the store, the one that wrote last first.

    Args:
        store: where to look.
        dag_id: only this DAG's.
        run_id: only this one.
    """
    parts = [part for part in (dag_id, run_id) if part is not None]
    found: dict[tuple[str, str], Run] = {}
    for where, tries in _tries(store.list(keys.join(keys.RUNS, *parts))).items():
        run = found.setdefault((where.dag_id, where.run_id), Run(where.dag_id, where.run_id))
        run.tries.append(tries)
    return sorted(found.values(), key=lambda run: run.newest, reverse=True)


def find_run(store: Store, dag_id: str, name: str = "latest") -> Run:
    """Return a run by name.

    Args:
        store: where to look.
        dag_id: the run's DAG.
        name: its id, a part of it that no other run has, or ``latest``.

    Raises:
        HistoryError: there is none, or there are several.
    """
    known = runs(store, dag_id)
    if not known:
        raise HistoryError(f"the store has no run of {dag_id!r}: `podline runs` lists what it has")
    exact = [run for run in known if run.run_id == name]
    if exact or name == "latest":
        return (exact or known)[0]
    near = [run for run in known if name in run.run_id]
    if len(near) == 1:
        return near[0]
    listed = ", ".join(run.run_id for run in (near or known)[:5])
    problem = "several runs" if near else "no run"
    raise HistoryError(f"{dag_id} has {problem} with {name!r} in the id, such as {listed}")


def executed_key(store: Store, dag_id: str, run: str, stage: str) -> str:
    """Return the key of the executed notebook of a stage.

    Args:
        store: where to look.
        dag_id: the run's DAG.
        run: its name, as `find_run` takes it.
        stage: the stage's name.

    Raises:
        HistoryError: there is no such run or stage, or it left no notebook.
    """
    attempt = find_run(store, dag_id, run).try_of(stage)
    if attempt.executed is None:
        raise HistoryError(
            f"the stage {stage!r} left no executed notebook in {attempt.where.prefix}: it runs "
            "still, or was killed within its first seconds"
        )
    return attempt.executed


def results(store: Store, tries: Sequence[Try]) -> dict[str, StageResult | None]:
    """Return the results of tries by stage; None where a stage left none that can be read."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = list(pool.map(lambda attempt: _result(store, attempt), tries))
    return {attempt.stage: result for attempt, result in zip(tries, read, strict=True)}


def metrics_of(results: Iterable[StageResult]) -> dict[str, float]:
    """Return the metrics of all stages together."""
    return {name: value for result in results for name, value in result.metrics.items()}


def _result(store: Store, attempt: Try) -> StageResult | None:
    if RESULT not in attempt.objects:
        return None
    try:
        return StageResult.from_json(bytes(store.get(attempt.objects[RESULT])))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # of another version of podline


def last_objects(store: Store, dag_id: str, run_id: str) -> dict[str, dict[str, str]]:
    """Return the keys of what the last try of each task left, by task id and object's name.

    Mapped tasks are passed over.

    Args:
        store: where to look.
        dag_id: the run's DAG.
        run_id: the run.
    """
    found: dict[str, dict[int, dict[str, str]]] = {}
    for where, name, item in _parsed(store.list(keys.run_prefix(dag_id, run_id))):
        if where.map_index < 0:
            tries = found.setdefault(where.task_id, {})
            tries.setdefault(where.try_number, {})[name] = item.key
    return {task: tries[max(tries)] for task, tries in found.items()}


def _tries(objects: Iterable[ObjectInfo]) -> dict[TryKey, Try]:
    found: dict[TryKey, Try] = {}
    for where, name, item in _parsed(objects):
        if name == LATENCY:  # tasks that are no stages have one too
            continue
        attempt = found.setdefault(where, Try(where, item.modified))
        attempt.newest = max(attempt.newest, item.modified)
        if name in (RESULT, EXECUTED) or _so_far(name):
            attempt.objects[name] = item.key
    return found


def _parsed(objects: Iterable[ObjectInfo]) -> Iterator[tuple[TryKey, str, ObjectInfo]]:
    for item in objects:
        try:
            where, name = TryKey.parse(item.key)
        except ValueError:
            continue  # a file that was shipped with the run, or none of ours
        yield where, name, item


def _so_far(name: str) -> re.Match[str] | None:
    return _SO_FAR.fullmatch(name)
