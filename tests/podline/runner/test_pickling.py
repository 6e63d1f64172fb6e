"""Pickles: what goes by reference, what by value, and what keeps its identity."""

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from podline.equality import equal
from podline.runner import pickling
from podline.runner.object_walk import walk
from podline.runner.pickling import Context, has_identity


class Notebook:
    """A namespace to run cells in."""

    def __init__(self, source: str = "") -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        exec(source, self.names)

    def context(self, *carried: str, folder: str = "", roots: str = "") -> Context:
        context = Context(self.names, folder)
        context.preamble = {id(self.names[name]): name for name in carried}
        for name in roots.split():
            context.refer(f"s:{name}", self.names[name])
        return context


def dump(context: Context, **values: Any) -> bytes:
    file = io.BytesIO()
    pickling.dump(values, context, file)
    return file.getvalue()


def load(data: bytes, into: Notebook, objects: Any = None, folder: str = "") -> dict[str, Any]:
    """Load into another notebook, as a later stage does."""

    def name_of(name: str | None) -> Any:
        return into.names if name is None else into.names[name]

    loaded: dict[str, Any] = pickling.load(
        io.BytesIO(data), name_of, lambda object_id: objects[object_id], folder
    )
    return loaded


def moved(source: str, name: str, *carried: str, into: str = "") -> tuple[Any, Notebook]:
    """Run cells, and take one of their objects to another notebook."""
    first, second = Notebook(source), Notebook(into)
    data = dump(first.context(*carried), **{name: first.names[name]})
    value = load(data, second)[name]
    second.names[name] = value
    return value, second


# --- functions ----------------------------------------------------------------------------------


def test_a_function_reads_the_globals_of_where_it_is() -> None:
    f, there = moved("k = 1\ndef f(): return k", "f")
    assert f.__globals__ is there.names
    with pytest.raises(NameError):
        f()
    there.names["k"] = 2
    assert f() == 2


def test_a_function_keeps_what_belongs_to_it() -> None:
    source = (
        "def f(a, b=[1], *, c: int = 2) -> str:\n    'doc'\n    b.append(c)\n    return b\n"
        "f(0)\nf.calls = 1\n"
    )
    f, _ = moved(source, "f")
    assert (f(0), f.__doc__, f.calls, f.__qualname__) == ([1, 2, 2], "doc", 1, "f")
    assert f.__annotations__ == {"c": int, "return": str}
    assert f.__kwdefaults__ == {"c": 2}


def test_closures_go_on_sharing_their_cell() -> None:
    source = (
        "def make():\n    n = 0\n    def add():\n        nonlocal n\n        n += 1\n"
        "    def get():\n        return n\n    return add, get\npair = make()\npair[0]()"
    )
    (add, get), _ = moved(source, "pair")
    assert get() == 1
    add()
    assert get() == 2


def test_a_recursive_closure_and_one_that_is_not_bound_yet() -> None:
    f, _ = moved("def make():\n    def f(n): return n and f(n - 1)\n    return f\nf = make()", "f")
    assert f(3) == 0
    source = (
        "def make():\n    def f(): return late\n    if False: late = 1\n    return f\nf = make()"
    )
    f, _ = moved(source, "f")
    with pytest.raises(NameError):
        f()


def test_a_carried_function_goes_by_its_name() -> None:
    steps, there = moved("def f(): return 1\nsteps = [f]", "steps", "f", into="def f(): return 2")
    assert steps[0] is there.names["f"]


def test_functions_of_libraries_go_by_their_module() -> None:
    value, _ = moved("import json, os.path\nvalue = [json.dumps, os.path.join, len]", "value")
    import json
    import os.path

    assert value == [json.dumps, os.path.join, len]


def test_lambdas_partials_and_methods() -> None:
    source = (
        "import functools, operator\nclass A:\n    def __init__(self): self.n = 1\n"
        "    def get(self): return self.n\na = A()\n"
        "value = [lambda x: x + 1, functools.partial(pow, 2), a.get, a, operator.itemgetter(1)]"
    )
    (increase, power, get, a, item), _ = moved(source, "value")
    a.n = 5
    assert (increase(1), power(3), get(), item([1, 2])) == (2, 8, 5, 2)


# --- classes ------------------------------------------------------------------------------------


def test_a_class_of_a_step_goes_by_value() -> None:
    source = (
        "class A:\n    count = 1\n    def set(self, x):\n        self.x = x\n        return self\n"
        "class B(A):\n    def set(self, x): return super().set(x + 1)\nvalue = [A, B, B().set(1)]"
    )
    (a, b, instance), _ = moved(source, "value")
    assert type(instance) is b
    assert isinstance(instance, a)
    assert (instance.x, instance.set(5).x, a.count) == (2, 6, 1)


def test_a_carried_class_goes_by_its_name() -> None:
    source = "class A: pass\nvalue = A()"
    value, there = moved(source, "value", "A", into=source)
    assert type(value) is there.names["A"]


def test_a_cached_property_of_a_step_s_class() -> None:
    source = (
        "import functools\nclass A:\n    @functools.cached_property\n    def p(self): return [1]\n"
        "a = A(); a.p.append(2)\nvalue = [a, A()]"
    )
    (a, fresh), _ = moved(source, "value")
    assert (a.p, fresh.p) == ([1, 2], [1])
    assert fresh.p is fresh.p


def test_single_dispatch() -> None:
    source = (
        "import functools\n@functools.singledispatch\ndef f(x): return 'object'\n"
        "@f.register\ndef _(x: int): return 'int'\nf(1)"
    )
    notebook = Notebook(source)
    first = walk(notebook.names["f"], notebook.context()).print
    exec("@f.register\ndef _(x: list): return 'list'", notebook.names)
    assert walk(notebook.names["f"], notebook.context()).print != first
    there = Notebook()
    f = load(dump(notebook.context(), f=notebook.names["f"]), there)["f"]
    assert (f(1), f([]), f("x"), f.__name__) == ("int", "list", "object", "f")


def test_slots_properties_dataclasses_and_enums() -> None:
    source = (
        "import dataclasses, enum\n"
        "class S:\n    __slots__ = ('a',)\n    @property\n    def double(self): return self.a * 2\n"
        "s = S(); s.a = 2\n"
        "@dataclasses.dataclass(frozen=True)\nclass D:\n    x: int = 1\n"
        "class E(enum.Enum):\n    ONE = 1\n"
        "value = [s, D(3), D, E.ONE, E]"
    )
    (s, d, d_class, one, e_class), _ = moved(source, "value")
    assert (s.double, d == d_class(3), hash(d) == hash(d_class(3))) == (4, True, True)
    assert one is e_class.ONE


@pytest.mark.parametrize(
    "source",
    [
        "class M(type): pass\nclass A(metaclass=M): pass",
        "class P:\n    def __init_subclass__(cls): pass\nclass A(P): pass",
    ],
)
def test_a_class_whose_making_has_effects_is_refused(source: str) -> None:
    notebook = Notebook(source)
    with pytest.raises(Exception, match="to load the class 'A' would run its metaclass or"):
        dump(notebook.context(), A=notebook.names["A"])


def test_what_says_that_it_is_a_global_goes_by_value() -> None:
    source = (
        "import typing\nUid = typing.NewType('Uid', int)\nGid = typing.NewType('Gid', Uid)\n"
        "P = typing.ParamSpec('P', bound=int)\nTs = typing.TypeVarTuple('Ts')\n"
        "T = typing.TypeVar('T', covariant=True)\n"
        "import typing_extensions as te\nPair = te.TypeAliasType('Pair', tuple[T, T], type_params=(T,))\n"
        "class Missing:\n    n = 0\n    def __reduce__(self): return 'MISSING'\n"
        "MISSING = Missing(); MISSING.n = 1\nvalue = [Uid, Gid, P, Ts, T, MISSING, MISSING, Pair]"
    )
    (uid, gid, p, ts, t, missing, again, pair), _ = moved(source, "value")
    assert (uid(3), gid.__supertype__, uid.__module__) == (3, uid, "__main__")
    assert (p.__name__, p.__bound__, ts.__name__, t.__covariant__) == ("P", int, "Ts", True)
    assert (missing.n, missing is again) == (1, True)
    assert (pair.__name__, pair.__module__, pair[int].__origin__) == ("Pair", "__main__", pair)
    assert pair.__value__.__args__ == pair.__type_params__ * 2 == (t, t)


def test_functions_of_libraries_are_no_shared_parts() -> None:
    notebook = Notebook("import json\nvalue = [json.dumps, lambda: 1]")
    parts = walk(notebook.names["value"], notebook.context()).parts.values()
    assert len([part for part in parts if callable(part)]) == 1


# --- objects that others refer to ---------------------------------------------------------------


def test_a_shared_object_is_referred_to() -> None:
    notebook = Notebook("shared = [1]\nholder = {'a': shared, 'b': shared}")
    context = notebook.context(roots="shared holder")
    found = walk(notebook.names["holder"], context)
    assert found.requires == {"s:shared"}
    other = [2]
    dumped = dump(context, **{"s:holder": notebook.names["holder"]})
    holder = load(dumped, Notebook(), {"s:shared": other})["s:holder"]
    assert holder["a"] is holder["b"] is other


def test_the_namespace_itself_and_the_main_module() -> None:
    notebook, there = Notebook("x = 1"), Notebook()
    loaded = load(dump(notebook.context(), value=[notebook.names]), there)
    assert loaded["value"][0] is there.names


def test_nan_stays_the_very_object() -> None:
    value, _ = moved("import numpy as np\nvalue = [np.nan, float('nan')]", "value")
    assert value[0] is np.nan
    assert value[1] is not np.nan


def test_paths_of_the_working_directory_move_with_it() -> None:
    notebook = Notebook()
    values = ["/old/work/a.csv", Path("/old/work/b"), {"/old/work": "x"}, "elsewhere /old/work!"]
    notebook.names["values"] = values
    context = notebook.context(folder="/old/work")
    found = walk(values, context)
    assert found.placed
    assert not walk(["/old"], context).placed
    data = dump(context, values=values)
    assert b"/old/work" not in data
    loaded = load(data, Notebook(), folder="/new")["values"]
    assert loaded == ["/new/a.csv", Path("/new/b"), {"/new": "x"}, "elsewhere /new!"]


def test_paths_in_a_frame_are_refused() -> None:
    frame = pd.DataFrame({"path": ["/old/work/a.csv"]})
    with pytest.raises(Exception, match="it holds paths of the working directory"):
        walk(frame, Notebook().context(folder="/old/work"))


def test_an_array_in_a_file_is_refused_if_it_can_be_written(tmp_path: Path) -> None:
    array = np.memmap(tmp_path / "a", dtype="u1", mode="w+", shape=3)
    with pytest.raises(Exception, match="would not reach its file"):
        walk(array, Notebook().context())
    read = np.memmap(tmp_path / "a", dtype="u1", mode="r", shape=3)
    assert walk(read, Notebook().context()).print


@pytest.mark.parametrize("value", [(x for x in [1]), threading.Lock()], ids=["generator", "lock"])
def test_what_cannot_be_stored(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        walk([value], Notebook().context())


def test_an_open_file_cannot_and_a_buffer_can(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abc")
    for mode in ("r", "rb", "w"):
        with (tmp_path / "f").open(mode) as file, pytest.raises(Exception, match="an open file"):
            walk([file], Notebook().context())
    buffer = io.StringIO("abc")
    buffer.read(1)
    notebook = Notebook()
    assert load(dump(notebook.context(), b=buffer), notebook)["b"].read() == "bc"


# --- what a walk sees ---------------------------------------------------------------------------


def prints(notebook: Notebook, name: str) -> str:
    return walk(notebook.names[name], notebook.context()).print


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ("x = [1]", "x.append(2)"),
        ("x = {'a': [1]}", "x['a'][0] = 2"),
        ("x = {'a': 1, 'b': 2}", "x['a'] = x.pop('a')"),  # another order
        ("import numpy as np\nx = np.zeros(3)", "x[1] = 1"),
        ("import numpy as np\nx = np.zeros(3)", "x.shape = (3, 1)"),
        ("import numpy as np\nx = np.zeros(3)", "x.dtype = 'i8'"),
        ("import numpy as np\nx = [np.arange(4)[::2]]", "x[0][0] = 9"),
        ("import pandas as pd\nx = pd.DataFrame({'a': [1]})", "x.loc[0, 'a'] = 2"),
        ("import pandas as pd\nx = pd.DataFrame({'a': [1]})", "x['b'] = 2"),
        ("import pandas as pd\nx = pd.DataFrame({'a': [1]})", "x.attrs['k'] = 1"),
        ("class A: pass\nx = A()", "x.y = 1"),
        ("class A: pass\nx = A", "A.y = 1"),
        ("def x(a=[]): return a", "x().append(1)"),
        ("def x(): pass", "x.calls = 1"),
        ("import collections\nx = collections.deque([1])", "x.rotate()\nx.append(1)"),
        ("x = iter([1, 2])", "next(x)"),
        ("import random\nx = random.Random(1)", "x.random()"),
        ("import numpy as np\nx = np.random.default_rng(1)", "x.random()"),
    ],
)
def test_the_print_changes_with_the_object(before: str, change: str) -> None:
    notebook = Notebook(before)
    first = prints(notebook, "x")
    assert prints(notebook, "x") == first
    exec(change, notebook.names)
    assert prints(notebook, "x") != first


def test_the_names_that_functions_read() -> None:
    notebook = Notebook("def f(): return a + g()\nvalue = [f, lambda: b]")
    assert walk(notebook.names["value"], notebook.context()).names == {"a", "b", "g"}


def test_an_object_met_twice_is_no_tree() -> None:
    inner: list[int] = []
    context = Notebook().context()
    assert walk([inner, inner], context).repeated
    assert not walk([[], []], context).repeated
    assert not walk(["a", "a", 1, 1, (), ()], context).repeated


_WITHOUT = [1, "a", None, (1, []), frozenset(), len, np.float64(1), np.datetime64("2020"), int]
_WITH = [[], {}, set(), bytearray(), np.zeros(1), pd.DataFrame(), object(), lambda: 1]


@pytest.mark.parametrize("value", [*_WITHOUT, Path("a")], ids=lambda value: repr(value)[:20])
def test_what_has_no_identity(value: object) -> None:
    assert has_identity(value) is False


@pytest.mark.parametrize(
    "value", [*_WITH, type("A", (), {"__module__": "__main__"})], ids=lambda value: repr(value)[:20]
)
def test_what_has_an_identity(value: object) -> None:
    assert has_identity(value) is True


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, "a"], [1, "a"], True),
        ([1], [1.0], False),
        ([1], [True], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        (np.zeros(2), np.zeros(2), True),
        (np.zeros(2), np.zeros(2, "f4"), False),
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        (open, (x for x in [1]), False),
    ],
)
def test_equal_to_the_last_bit(first: Any, second: Any, expected: bool) -> None:
    assert equal(first, second) is expected
