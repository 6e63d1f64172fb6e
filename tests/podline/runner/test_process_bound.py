"""What belongs to its process: each stage makes its own, unless more than that is in it."""

import concurrent.futures
import queue
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from podline.exceptions import ArtifactError
from podline.runner import process_bound

from .conftest import Chain, carry


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (threading.Lock(), True),
        (threading.RLock(), True),
        (threading.Event(), True),
        (concurrent.futures.ThreadPoolExecutor(1), True),
        (sqlite3.connect(":memory:"), True),
        (sqlite3.Connection, False),
        (requests.Session(), False),  # it can be stored, with its headers
        (queue.Queue(), False),
        ((x for x in [1]), False),
        ([], False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_belongs_to_its_process(value: Any, expected: bool) -> None:
    assert process_bound.is_bound(value) is expected
    assert process_bound.is_new(value) is expected


def test_a_class_of_the_notebook_does_not() -> None:
    kind = type("Client", (), {"__module__": "__main__", "lock": threading.Lock()})
    assert not process_bound.is_bound(kind())


def test_what_a_new_one_would_not_have(tmp_path: Path) -> None:
    lock, event, memory = threading.Lock(), threading.Event(), sqlite3.connect(":memory:")
    file = sqlite3.connect(tmp_path / "a.db")
    file.execute("create table t (n)")
    file.row_factory = lambda cursor, row: {}
    file.row_factory = None
    assert [*map(process_bound.state_of, (lock, event, memory, file))] == [""] * 4
    event.set()
    memory.execute("create table t (n)")
    file.execute("insert into t values (1)")
    with lock:
        assert all(map(process_bound.state_of, (lock, event, memory, file)))
    file.commit()
    assert process_bound.state_of(file) == ""
    file.close()
    assert process_bound.state_of(file) == "closed"


@pytest.mark.parametrize(
    ("make", "use"),
    [
        ("threading.Lock()", "with made: pass"),
        ("ThreadPoolExecutor(2)", "list(made.map(abs, [-1]))"),
        ("sqlite3.connect(HERE + '/a.db')", "made.execute('create table t (n)')"),
    ],
)
def test_each_stage_makes_its_own(chain: Chain, make: str, use: str) -> None:
    imports = "import threading, sqlite3\nfrom concurrent.futures import ThreadPoolExecutor"
    chain.carried = (carry(imports, ""), carry(f"made = {make}", "made", value=True))
    chain.carried += (carry("def f(x=made): return x", "f", "made"),)
    left = chain.stage(f"{use}\nholder = [made]", reads="made", hands_on="made holder f")
    assert left.kinds == {"holder": "pickle"}
    later = chain.stage(f"{use}\nv = holder[0] is made is f()", reads="made holder f")
    assert later.namespace["v"] is True


@pytest.mark.parametrize(
    ("make", "change"),
    [
        ("made = sqlite3.connect(':memory:')", "made.execute('create table t (n)')"),
        ("made = threading.Event()", "made.set()"),
        ("class made:\n    lock = threading.Lock()\n    n = 0", "made.n += 1"),
        ("made = (n for n in ROWS)", "next(made)"),
    ],
)
def test_what_a_stage_leaves_in_it_is_not_lost(chain: Chain, make: str, change: str) -> None:
    chain.carried = (
        carry("import threading, sqlite3\nROWS = [1, 2]", ""),
        carry(make, "made"),
    )
    with pytest.raises(ArtifactError, match=r"the variable 'made' .* cannot be stored.* fix: "):
        chain.stage(change, reads="made", hands_on="made")


@pytest.mark.parametrize(
    ("write", "refused"),
    [
        ("made.execute('create table if not exists t (n)')", False),
        ("made.execute('drop table t'); made.execute('create table t (n)')", True),
        ("made.execute('delete from t'); made.commit()", True),
        ("made.execute('delete from t where n > 5'); made.commit()", False),
    ],
)
def test_the_preamble_does_not_write_again(
    chain: Chain, tmp_path: Path, write: str, refused: bool
) -> None:
    with sqlite3.connect(tmp_path / "a.db") as file:
        file.execute("create table t (n)")
        file.execute("insert into t values (1)")
    chain.carried = (
        carry(f"import sqlite3\nmade = sqlite3.connect('{tmp_path}/a.db')", "made", value=True),
        carry(write, "", "made"),
    )
    rows = "v = made.execute('select n from t').fetchall()"
    if refused:
        with pytest.raises(ArtifactError, match="is written again in every stage. fix: "):
            chain.stage(rows, reads="made", ancestors={"s0": ()})
    else:
        assert chain.stage(rows, reads="made", ancestors={"s0": ()}).namespace["v"] == [(1,)]
    chain.stage("", reads="made")
