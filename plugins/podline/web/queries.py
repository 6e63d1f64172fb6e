"""What the API answers, made from records."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from podline.exceptions import PodlineError
from podline.latency import run_summary
from podline.latency.record import Record
from podline.latency.record_reader import read_records
from podline.latency.record_store import PREFIX
from podline.phases import OWN, PHASES, WHERE
from podline.web import stored

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_TRY_FIELDS = (
    "task_id", "map_index", "try_number", "kind", "backend", "state", "partial", "start", "end",
    "deferred", "adopted_from",
)  # fmt: skip
_TRIES_OF_A_DAG = 5000  # that its history looks at, the latest
_IPYNB = "application/x-ipynb+json"


class NotFound(PodlineError):
    """Airflow knows no such run, task or try, or nothing is recorded of it."""


@dataclass(frozen=True)
class Run:
    """A run: what is known of it, and the records of its tries."""

    dag_id: str
    run_id: str
    state: str
    start: float | None
    end: float | None
    records: list[Record]

    @classmethod
    def read(
        cls, session: "Session", dag_id: str, run_id: str, first: tuple[str, int] | None = None
    ) -> Self:
        """Read a run.

        Args:
            session: of Airflow's database.
            dag_id: the DAG.
            run_id: the run.
            first: task and map index of what is wanted most: few records are looked for elsewhere.

        Raises:
            NotFound: there is none.
        """
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        query = select(DagRun.state, DagRun.start_date, DagRun.end_date).where(
            DagRun.dag_id == dag_id, DagRun.run_id == run_id
        )
        found = session.execute(query).first()
        if found is None:
            raise NotFound(f"the DAG {dag_id!r} has no run {run_id!r}")
        state, *times = found
        start, end = (None if time is None else time.timestamp() for time in times)
        records = read_records(session, dag_id, [run_id], partial(stored.find, first=first))
        return cls(dag_id, run_id, str(state), start, end, records)

    def answer(self, session: "Session", runs: int, limit: int, offset: int) -> dict[str, Any]:
        """Return the run with a page of its tries, phases as columns."""
        before = _earlier(session, self, runs)
        usual = run_summary.usual(before)
        lengths = [s for s in map(run_summary.run_seconds, _by_run(before)) if s is not None]
        return {
            **{name: getattr(self, name) for name in ("dag_id", "run_id", "state", "start", "end")},
            "seconds": run_summary.run_seconds(self.records),
            "usual_seconds": asdict(run_summary.percentiles(lengths)) if lengths else None,
            "overhead_share": run_summary.overhead_share(self.records),
            "totals": run_summary.totals(self.records),
            "where": WHERE,
            "own": OWN,
            "critical_path": [asdict(step) for step in run_summary.critical_path(self.records)],
            "slow": [asdict(s) for s in run_summary.slow_phases(self.records, usual)[:20]],
            "compared_with": len(lengths),
            "tries": columns(self.records[offset : offset + limit]),
            "total": len(self.records),
            "limit": limit,
            "offset": offset,
        }


@dataclass(frozen=True)
class OneTry:
    """One try of a run, and the numbers of its task instance's tries."""

    run: Run
    record: Record
    numbers: list[int]

    @classmethod
    def read(
        cls, session: "Session", dag_id: str, run_id: str, task_id: str, map_index: int,
        try_number: int | None,
    ) -> Self:  # fmt: skip
        """Read one try, by default the last.

        Raises:
            NotFound: there is none.
        """
        run = Run.read(session, dag_id, run_id, (task_id, map_index))
        tries = [r for r in run.records if (r.task_id, r.map_index) == (task_id, map_index)]
        tries.sort(key=lambda record: record.try_number)
        wanted = [r for r in tries if try_number in (None, r.try_number)]
        if not wanted:
            what = task_id if map_index < 0 else f"{task_id}[{map_index}]"
            which = "" if try_number is None else f", try {try_number}"
            raise NotFound(f"the run {run_id!r} has no task instance {what!r}{which}")
        return cls(run, wanted[-1], [record.try_number for record in tries])

    def answer(self, session: "Session", runs: int) -> dict[str, Any]:
        """Return all that the record says, beside what is usual."""
        usual = run_summary.usual(_earlier(session, self.run, runs)).get(self.record.task_id, {})
        record, whole = self.record, run_summary.is_whole(self.record)
        return {
            **record.model_dump(mode="json"),
            "duration": round(record.duration, 6),
            "overhead": round(record.overhead, 6) if whole else None,
            "where": WHERE,
            "own": OWN,
            "usual": {name: asdict(found) for name, found in usual.items()},
            "tries": self.numbers,
        }

    def notebook(self) -> tuple[bytes, str]:
        """Return the executed notebook, as a page if there is one, and its media type.

        Raises:
            NotFound: the try left none, or the store does not have it any more.
        """
        from podline.runner.html_export import PAGE
        from podline.store import ObjectMissing, open_store
        from podline.store.keys import EXECUTED, TryKey

        key = self.record.executed_notebook
        try:
            where, name = TryKey.parse(key)
        except ValueError:
            raise NotFound("the try left no executed notebook") from None
        record = self.record
        # The record says so, which a user may have written: it is not to open other doors.
        mine = (record.dag_id, record.run_id, record.task_id, record.map_index)
        if (where.dag_id, where.run_id, where.task_id, where.map_index) != mine:
            raise NotFound("the record names a notebook of another task instance")
        store = open_store()
        for name, kind in ((PAGE, "text/html; charset=utf-8"), (EXECUTED, _IPYNB)):
            try:
                return bytes(store.get(where.key(name))), kind
            except ObjectMissing:
                continue
        raise NotFound(f"the store has no {key} any more")


# --- DAGs ---------------------------------------------------------------------------------------


def recorded_dags(session: "Session", search: str) -> list[str]:
    """Return the ids of the DAGs with records, the one recorded last first."""
    from airflow.models.task_state_store import TaskStateStoreModel as Store
    from sqlalchemy import func, select

    query = (
        select(Store.dag_id)
        .where(Store.key.startswith(PREFIX), Store.dag_id.contains(search, autoescape=True))
        .group_by(Store.dag_id)
        .order_by(func.max(Store.updated_at).desc())
    )
    return list(session.scalars(query))


def recorded_since(session: "Session", dag_ids: Sequence[str]) -> float | None:
    """Return when the first record of these DAGs was written (epoch)."""
    from airflow.models.task_state_store import TaskStateStoreModel as Store
    from sqlalchemy import func, select

    query = select(func.min(Store.updated_at)).where(
        Store.key.startswith(PREFIX), Store.dag_id.in_(dag_ids)
    )
    first = session.scalar(query)
    return None if first is None else first.timestamp()


def overview(session: "Session", dag_id: str, runs: int) -> dict[str, Any]:
    """Return what a DAG's last runs say together."""
    found = history(session, dag_id, runs)
    slowest = sorted(
        ((task, name, p) for task, phases in found["tasks"].items() for name, p in phases.items()
         if name not in OWN),
        key=lambda entry: -entry[2]["p50"],
    )  # fmt: skip
    return {
        **{name: found[name] for name in ("dag_id", "runs", "seconds", "overhead_share", "last")},
        "slowest": [{"task_id": t, "phase": n, **p} for t, n, p in slowest[:3]],
    }


def history(session: "Session", dag_id: str, runs: int) -> dict[str, Any]:
    """Return the distribution of each phase of each task over a DAG's last runs."""
    ids, last = _last_runs(session, dag_id, runs)
    records = read_records(session, dag_id, ids) if ids else []
    by_run = _by_run(records)
    seconds = [s for s in map(run_summary.run_seconds, by_run) if s is not None]
    shares = [s for s in map(run_summary.overhead_share, by_run) if s is not None]
    return {
        "dag_id": dag_id,
        "runs": len(by_run),
        "last": last,
        "seconds": asdict(run_summary.percentiles(seconds)) if seconds else None,
        "overhead_share": asdict(run_summary.percentiles(shares)) if shares else None,
        "run_list": [_run_line(run) for run in by_run],
        "tasks": {
            task: {name: asdict(found) for name, found in phases.items()}
            for task, phases in run_summary.usual(records).items()
        },
    }


def _run_line(records: Sequence[Record]) -> dict[str, Any]:
    """A run in the list of a DAG's runs."""
    states = {record.state for record in run_summary.last_tries(records)}
    return {
        "run_id": records[0].run_id,
        "start": records[0].run_start,
        "seconds": run_summary.run_seconds(records),
        "overhead_share": run_summary.overhead_share(records),
        "failed": "failed" in states,
    }


def _last_runs(
    session: "Session", dag_id: str, runs: int, before: float | None = None
) -> tuple[list[str], float | None]:
    """The ids of a DAG's last runs, and when the latest began; no more than can be looked at."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import func, select

    query = (
        select(DagRun.run_id, DagRun.start_date, func.count(TaskInstance.id))
        .join(DagRun.task_instances)
        .where(DagRun.dag_id == dag_id, DagRun.start_date.is_not(None))
        .group_by(DagRun.run_id, DagRun.start_date)
        .order_by(DagRun.start_date.desc())
        .limit(runs)
    )
    if before is not None:
        query = query.where(DagRun.start_date < datetime.fromtimestamp(before, UTC))
    ids: list[str] = []
    last, tries = None, 0
    for run_id, start, count in session.execute(query):
        tries += count
        if start is None or (ids and tries > _TRIES_OF_A_DAG):
            break
        ids.append(run_id)
        last = last or start.timestamp()
    return ids, last


def _earlier(session: "Session", run: Run, runs: int) -> list[Record]:
    """The records of the runs that began before a run."""
    if run.start is None:
        return []
    ids, _ = _last_runs(session, run.dag_id, runs, run.start)
    return read_records(session, run.dag_id, ids) if ids else []


def _by_run(records: Iterable[Record]) -> list[list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.run_id, []).append(record)
    return list(found.values())


# --- forms --------------------------------------------------------------------------------------


def columns(records: Sequence[Record]) -> dict[str, Any]:
    """Return records as columns: a third of the bytes, and of the time to write and read them."""
    phases: dict[str, dict[str, list[float | None]]] = {}
    for row, record in enumerate(records):
        for phase in record.phases:
            column = phases.get(phase.name)
            if column is None:
                column = phases[phase.name] = {
                    part: [None] * len(records) for part in ("start", "seconds")
                }
            column["start"][row] = phase.start
            column["seconds"][row] = phase.seconds
    return {
        **{name: [getattr(record, name) for record in records] for name in _TRY_FIELDS},
        "phases": {name: phases[name] for name in PHASES if name in phases},
    }


def phase_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Return a row a phase of each try."""
    return [
        {
            **{name: getattr(record, name) for name in ("dag_id", "run_id", *_TRY_FIELDS)},
            "phase": phase.name,
            "where": WHERE[phase.name],
            "phase_start": phase.start,
            "phase_seconds": phase.seconds,
            "source": phase.source,
            "precision": phase.precision,
        }
        for record in records
        for phase in record.phases
    ]


def history_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row a task and phase of a DAG's history."""
    return [
        {"dag_id": found["dag_id"], "task_id": task, "phase": name, **numbers}
        for task, phases in found["tasks"].items()
        for name, numbers in phases.items()
    ]
