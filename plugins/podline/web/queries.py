"""What the API reads in Airflow's database: runs, and the DAGs that have records."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.task_state_store import TaskStateStoreModel as Store
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from podline.latency import trend
from podline.latency.answers import History, KnownRun, NotFound, Run, of_dag
from podline.latency.record import Record, epoch
from podline.latency.record_reader import read_records
from podline.latency.record_store import PREFIX
from podline.secrecy import redacted_value
from podline.web import stored

_TRIES_OF_A_DAG = 5000  # that its history looks at, the latest
_ABOUT = (DagRun.dag_id, DagRun.run_id, DagRun.run_type, DagRun.state)
_TIMES = (DagRun.logical_date, DagRun.start_date, DagRun.end_date)


def read_run(
    session: Session, dag_id: str, run_id: str, first: tuple[str, int] | None = None
) -> Run:
    """Read a run.

    Args:
        session: of Airflow's database.
        dag_id: the DAG.
        run_id: the run.
        first: task and map index of what is wanted most: few records are looked for elsewhere.

    Raises:
        NotFound: there is none.
    """
    query = select(*_ABOUT, *_TIMES, DagRun.conf)
    row = session.execute(query.where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).first()
    if row is None:
        raise NotFound(f"the DAG {dag_id!r} has no run {run_id!r}")
    *known, conf = row
    records = read_records(session, dag_id, [run_id], partial(stored.find, first=first))
    return Run(**vars(_known(known, redacted_value(conf or {}))), records=records)


def defaults_of(session: Session, run: KnownRun) -> Mapping[str, Any]:
    """Return the parameters of a run's DAG as its file had them then, as far as Airflow kept it."""
    query = (
        select(SerializedDagModel)
        .join(DagRun, DagRun.created_dag_version_id == SerializedDagModel.dag_version_id)
        .where(DagRun.dag_id == run.dag_id, DagRun.run_id == run.run_id)
    )
    kept = session.scalar(query)
    if kept is None:
        return {}
    found: Mapping[str, Any] = redacted_value(kept.dag.params.dump())
    return found


def read_before(session: Session, run: Run, runs: int) -> list[Record]:
    """Read the records of the last runs that began before a run and succeeded.

    Args:
        session: of Airflow's database.
        run: the run.
        runs: how many.
    """
    if run.start_date is None:
        return []
    usual = DagRun.start_date < run.start_date, DagRun.state == "success"
    return _read_last(session, run.dag_id, runs, *usual)[1]


def read_history(session: Session, dag_id: str, runs: int) -> History:
    """Read what a DAG's last runs say together.

    Args:
        session: of Airflow's database.
        dag_id: the DAG.
        runs: how many.
    """
    return of_dag(dag_id, *_read_last(session, dag_id, runs))


def read_trend(session: Session, dag_id: str, runs: int, task_id: str | None) -> trend.Trend:
    """Read how long a DAG's last runs took.

    Args:
        session: of Airflow's database.
        dag_id: the DAG.
        runs: how many.
        task_id: a task, whose trend is wanted.

    Raises:
        NotFound: the runs have no such task.
    """
    begun = DagRun.dag_id == dag_id, DagRun.start_date.is_not(None)
    total = session.scalar(select(func.count(DagRun.id)).where(*begun)) or 0
    last, records = _read_last(session, dag_id, runs)
    if task_id is not None and all(record.task_id != task_id for record in records):
        raise NotFound(f"the last runs of the DAG {dag_id!r} have no task {task_id!r}")
    return trend.of_runs(dag_id, last[::-1], total, records, task_id)


def recorded_dags(session: Session, search: str) -> list[str]:
    """Return the ids of the DAGs with records, the one recorded last first."""
    query = (
        select(Store.dag_id)
        .where(Store.key.startswith(PREFIX), Store.dag_id.contains(search, autoescape=True))
        .group_by(Store.dag_id)
        .order_by(func.max(Store.updated_at).desc())
    )
    return list(session.scalars(query))


def recorded_since(session: Session, dag_ids: Sequence[str]) -> float | None:
    """Return when the first record of these DAGs was written (epoch)."""
    query = select(func.min(Store.updated_at)).where(
        Store.key.startswith(PREFIX), Store.dag_id.in_(dag_ids)
    )
    return epoch(session.scalar(query))


def _read_last(
    session: Session, dag_id: str, runs: int, *where: ColumnElement[bool]
) -> tuple[list[KnownRun], list[Record]]:
    """A DAG's last runs, the latest first, and their records: as many as can be read."""
    query = (
        select(*_ABOUT, *_TIMES, func.count(TaskInstance.id))
        .join(DagRun.task_instances, isouter=True)
        .where(DagRun.dag_id == dag_id, DagRun.start_date.is_not(None), *where)
        .group_by(*_ABOUT, *_TIMES)
        .order_by(DagRun.start_date.desc())
        .limit(runs)
    )
    found: list[KnownRun] = []
    tries = 0
    for *known, count in session.execute(query):
        tries += count
        if found and tries > _TRIES_OF_A_DAG:
            break
        found.append(_known(known))
    ids = [run.run_id for run in found]
    return found, read_records(session, dag_id, ids) if ids else []


def _known(row: Sequence[Any], conf: Mapping[str, Any] | None = None) -> KnownRun:
    dag_id, run_id, kind, state, logical, start, end = row
    return KnownRun(dag_id, run_id, str(kind), str(state), logical, start, end, conf)
