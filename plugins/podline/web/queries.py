"""What the API reads in Airflow's database: runs, and the DAGs that have records."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from airflow.models.dagrun import DagRun
from airflow.models.task_state_store import TaskStateStoreModel as Store
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from podline.latency.answers import History, NotFound, Run, of_dag
from podline.latency.record import Record, epoch
from podline.latency.record_reader import read_records
from podline.latency.record_store import PREFIX
from podline.web import stored

_TRIES_OF_A_DAG = 5000  # that its history looks at, the latest


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
    query = select(DagRun.state, DagRun.start_date, DagRun.end_date).where(
        DagRun.dag_id == dag_id, DagRun.run_id == run_id
    )
    found = session.execute(query).first()
    if found is None:
        raise NotFound(f"the DAG {dag_id!r} has no run {run_id!r}")
    state, *times = found
    start, end = map(epoch, times)
    records = read_records(session, dag_id, [run_id], partial(stored.find, first=first))
    return Run(dag_id, run_id, str(state), start, end, records)


def read_before(session: Session, run: Run, runs: int) -> list[Record]:
    """Read the records of the last runs that began before a run.

    Args:
        session: of Airflow's database.
        run: the run.
        runs: how many.
    """
    return [] if run.start is None else _read_last(session, run.dag_id, runs, run.start)[1]


def read_history(session: Session, dag_id: str, runs: int) -> History:
    """Read what a DAG's last runs say together.

    Args:
        session: of Airflow's database.
        dag_id: the DAG.
        runs: how many.
    """
    return of_dag(dag_id, *_read_last(session, dag_id, runs))


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
    session: Session, dag_id: str, runs: int, before: float | None = None
) -> tuple[float | None, list[Record]]:
    """When a DAG's latest run began, and the records of the last: as many as can be read."""
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
    return last, read_records(session, dag_id, ids) if ids else []
