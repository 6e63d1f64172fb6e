"""Runs that a test puts into the API server's database: copies of a real one, some hours before it."""

import json
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.records import Server, insert

_TIMES = ("start", "end", "run_start", "gone")  # of a record
_STATES = "task_state_store"


@contextmanager
def copied_run(
    server: Server,
    dag_id: str,
    run_id: str,
    hours: float,
    run: Mapping[str, Any] | None = None,
    tasks: Mapping[str, Mapping[str, Any]] | None = None,
    notes: Mapping[str, Mapping[str, Any]] | None = None,
    code: float | None = None,
) -> Iterator[None]:
    """Have a copy of a DAG's run, until the end of the block.

    Args:
        server: whose database.
        dag_id: the DAG.
        run_id: of the copy.
        hours: by how much it is earlier.
        run: other values of its columns; `conf` as a mapping.
        tasks: other values of its task instances, by task.
        notes: entries of the state store that take the record's place, by task: key to value.
        code: how long the code of its first stage takes, in seconds.
    """
    with closing(sqlite3.connect(server.database)) as database:
        database.row_factory = sqlite3.Row
        _copy(
            database,
            server.runs[dag_id],
            dag_id,
            run_id,
            hours,
            run or {},
            tasks or {},
            notes or {},
        )
        if code is not None:
            _lengthen(database, dag_id, run_id, code)
        database.commit()
    try:
        yield
    finally:
        with closing(sqlite3.connect(server.database)) as database:
            for table in (_STATES, "task_instance", "dag_run"):
                database.execute(f"DELETE FROM {table} WHERE run_id = ?", [run_id])
            database.commit()


def _copy(
    database: sqlite3.Connection,
    source: str,
    dag_id: str,
    run_id: str,
    hours: float,
    run: Mapping[str, Any],
    tasks: Mapping[str, Mapping[str, Any]],
    notes: Mapping[str, Mapping[str, Any]],
) -> None:
    (row,) = _rows(database, "dag_run", dag_id, source)
    number = 1 + database.execute("SELECT max(id) FROM dag_run").fetchone()[0]
    about = {"id": number, "run_id": run_id, "logical_date": None}
    changes = {k: json.dumps(v) if k == "conf" else v for k, v in run.items()}
    insert(database, "dag_run", _earlier(row, hours) | about | changes)
    for row in _rows(database, "task_instance", dag_id, source):
        mine = {"id": uuid.uuid4().hex, "run_id": run_id, **tasks.get(row["task_id"], {})}
        insert(database, "task_instance", _earlier(row, hours) | mine)
    for row in _rows(database, _STATES, dag_id, source):
        mine = {"id": None, "dag_run_id": number, "run_id": run_id}
        if row["task_id"] in notes:
            for key, value in notes[row["task_id"]].items():
                insert(database, _STATES, row | mine | {"key": key, "value": json.dumps(value)})
            continue
        record = json.loads(row["value"]) | {"run_id": run_id}
        moved = {name: record[name] - hours * 3600 for name in _TIMES if name in record}
        insert(database, _STATES, row | mine | {"value": json.dumps(record | moved)})


def _lengthen(database: sqlite3.Connection, dag_id: str, run_id: str, code: float) -> None:
    row = next(row for row in _rows(database, _STATES, dag_id, run_id) if row["task_id"] == "first")
    record, more = json.loads(row["value"]), 0.0
    for phase in record["phases"]:
        phase["start"] += more
        if phase["name"] == "code":
            more, phase["seconds"] = code - phase["seconds"], code
    record |= {"end": record["end"] + more, "cells": []}
    database.execute(
        f"UPDATE {_STATES} SET value = ? WHERE id = ?", [json.dumps(record), row["id"]]
    )
    ended = str(datetime.fromtimestamp(record["end"], UTC).replace(tzinfo=None))
    database.execute(
        "UPDATE task_instance SET end_date = ? WHERE run_id = ? AND task_id = 'first'",
        [ended, run_id],
    )


def have_pod_ahead(server: Server, run_id: str, task_id: str, **moments: float) -> None:
    """Have the record of a copied run say that a task's pod was made ahead.

    Args:
        server: whose database.
        run_id: the copy.
        task_id: its task, which has one record.
        moments: made, ready and claimed, in seconds from the try's start.
    """
    where = "run_id = ? AND task_id = ?"
    with closing(sqlite3.connect(server.database)) as database:
        query = f"SELECT value FROM {_STATES} WHERE {where}"
        ((text,),) = database.execute(query, [run_id, task_id]).fetchall()
        record = json.loads(text)
        pod = {name: record["start"] + seconds for name, seconds in moments.items()}
        record["ahead"] = pod | {"idle": moments["claimed"] - moments["ready"]}
        update = f"UPDATE {_STATES} SET value = ? WHERE {where}"
        database.execute(update, [json.dumps(record), run_id, task_id])
        database.commit()


def _rows(
    database: sqlite3.Connection, table: str, dag_id: str, run_id: str
) -> list[dict[str, Any]]:
    query = f"SELECT * FROM {table} WHERE dag_id = ? AND run_id = ?"
    return [dict(row) for row in database.execute(query, [dag_id, run_id])]


def _earlier(row: Mapping[str, Any], hours: float) -> dict[str, Any]:
    """A row whose times are hours before."""
    dates = {name: value for name, value in row.items() if name.endswith(("_date", "_dttm"))}
    moved = {
        name: str(datetime.fromisoformat(value) - timedelta(hours=hours))
        for name, value in dates.items()
        if isinstance(value, str)
    }
    return {**row, **moved}
