"""Caches of functions: what they remember and count goes on in the next stage."""

import functools
import importlib
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from podline.contract import Heap
from podline.exceptions import ArtifactError
from podline.runner import caches
from podline.runner.heap import Memory

from .conftest import Chain, carry, make_plan
from .test_pickling import Notebook, dump, load, moved

CACHED = "import functools\ncalls = []\n@functools.lru_cache({})\ndef f(*a, **k):\n"
CACHED += "    calls.append(a)\n    if -1 in a: raise ValueError\n    return [a, k]\n"


@pytest.mark.parametrize("options", ["", "None", "maxsize=2", "typed=True", "3, True", "0"])
@pytest.mark.parametrize(
    "calls",
    [
        [],
        ["f(1)", "f(1)", "f(1.0)", "f(True)"],
        ["f()", "f((1, 2))", "f(1, 2)", "f('a')", "f(b'a')", "f(None)"],
        ["f(1, x=2)", "f(x=1, y=2)", "f(y=2, x=1)", "f(x=1.0, y=2)", "f(1, 2, x=3, y=4)"],
        ["f(1)", "f(2)", "f(3)", "f(1)", "f(-1)", "f(2)"],
        ["f(1)", "f.cache_clear()", "f(2)", "f(2)"],
    ],
)
def test_it_goes_on_as_if_it_had_stayed(options: str, calls: list[str]) -> None:
    def run(notebook: Notebook) -> list[Any]:
        seen = []
        for call in calls:
            try:
                seen.append(eval(call, notebook.names))
            except ValueError:
                seen.append("failed")
        return seen

    stayed = Notebook(CACHED.format(options))
    run(stayed)
    there = Notebook("calls = []")
    data = dump(stayed.context(), f=stayed.names["f"], calls=stayed.names["calls"])
    there.names |= load(data, there)
    assert run(there) == run(stayed)
    f, other = there.names["f"], stayed.names["f"]
    assert there.names["calls"] == stayed.names["calls"]
    assert (f.cache_info(), f.cache_parameters()) == (other.cache_info(), other.cache_parameters())


def test_it_keeps_what_belongs_to_it() -> None:
    source = (
        "import functools\n@functools.cache\ndef f(x: int = 3) -> list:\n    'doc'\n"
        "    return [x]\nf.extra = [1]\nvalue = [f, f(), f.__wrapped__]"
    )
    (f, result, inner), _ = moved(source, "value")
    assert (f.__name__, f.__doc__, f.extra, f.__annotations__["x"]) == ("f", "doc", [1], int)
    assert f() is result
    assert f.__wrapped__ is inner


def test_one_that_remembers_itself() -> None:
    source = (
        "import functools\ndef make():\n    @functools.cache\n    def f(n): return f, n\n"
        "    return f\nf = make(); f(1)"
    )
    f, _ = moved(source, "f")
    assert f(1)[0] is f
    assert f.cache_info().hits == 1


def test_methods_of_a_class_with_keys_of_its_own() -> None:
    source = (
        "import dataclasses, functools\n@dataclasses.dataclass(frozen=True)\nclass P:\n"
        "    x: int\n    @functools.lru_cache\n    def rows(self): return [self.x]\n"
        "    @classmethod\n    @functools.cache\n    def name(cls): return [cls.__name__]\n"
        "p = P(1); p.rows().append(2); p.name().append(3)\nvalue = [p, P]"
    )
    (p, kind), _ = moved(source, "value")
    assert kind(1).rows() is p.rows()
    assert (p.rows(), kind.name()) == ([1, 2], ["P", 3])


def test_a_connection_is_left_out_and_made_again() -> None:
    source = "import functools, sqlite3\n@functools.cache\ndef f(p): return sqlite3.connect(p)\n"
    (f,), _ = moved(f"{source}f(':memory:'); value = [f]", "value", into="import sqlite3")
    assert isinstance(f(":memory:"), sqlite3.Connection)
    notebook = Notebook(f"{source}f(':memory:').execute('create table t (n)')")
    with pytest.raises(TypeError, match="cannot pickle 'sqlite3.Connection'"):
        dump(notebook.context(), f=notebook.names["f"])


def test_a_carried_function_s_draws(chain: Chain) -> None:
    chain.carried = (
        carry("import functools, random", "functools random"),
        carry("@functools.cache\ndef draw(k): return random.random()", "draw", "functools random"),
    )
    first = chain.stage("x = draw(1)", reads="draw", hands_on="draw x")
    chain.stage("draw(2)", reads="draw", hands_on="draw x")
    later = chain.stage("v = draw(1) == x, draw.cache_info()[:2]", reads="draw x")
    assert later.namespace["v"] == (True, (1, 2))
    assert first.kinds == {"draw": "pickle", "x": "json"}


def test_a_cache_that_does_not_come_back_alike_is_no_cache() -> None:
    state = caches.state_of(functools.cache(len))
    with pytest.raises(pickle.PicklingError, match="does not come back alike"):
        caches.fill(caches.empty(2, False), state._replace(calls=(), hits=0, misses=-1))


@pytest.mark.parametrize(
    ("body", "beside", "counts", "refused"),
    [
        ("k * 2", ("other",), False, False),
        ("k * 2", ("other",), True, True),
        ("[k]", ("other",), False, True),
        ("rng.random()", ("other",), False, True),
    ],
)
def test_stages_side_by_side_may_each_compute_the_same(
    chain: Chain, body: str, beside: tuple[str, ...], counts: bool, refused: bool
) -> None:
    chain.carried = (
        carry("import functools, random\nrng = random.Random(1)", "functools rng"),
        carry(f"@functools.cache\ndef f(k): return {body}", "f", "functools rng"),
    )
    plan = {"guarded": {"f": beside}, "beside": beside, "counts_calls": counts}
    if refused:
        with pytest.raises(
            ArtifactError, match="changes the variable 'f', which the stage 'other'"
        ):
            chain.stage("f(1)", reads="f", **plan)
    else:
        assert chain.stage("f(1)", reads="f", hands_on="f", **plan).kinds == {}


def test_a_cache_of_a_module_beside_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cached_helpers.py").write_text(
        "import functools, random\n@functools.cache\ndef draw(k): return random.random()\n"
        "@functools.cache\ndef twice(k): return 2 * k\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    helpers = importlib.import_module("cached_helpers")
    memory = Memory(make_plan("", later_modules="cached_helpers"), Heap(), {})
    before = memory.module_prints(tmp_path)
    helpers.twice(1)
    assert memory.module_prints(tmp_path) == before
    helpers.draw(1)
    after = memory.module_prints(tmp_path)
    assert [name for name in after if after[name] != before[name]] == ["cached_helpers.draw"]
