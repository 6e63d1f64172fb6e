"""A notebook's objects from stage to stage: what is stored, what stays shared, what is refused."""

import gc

import pytest

from podline.contract import Artifact, Binding, Heap
from podline.exceptions import ArtifactError
from podline.runner.heap_needs import needs_of

from .conftest import Chain, carry, make_plan

# --- what a stage needs -------------------------------------------------------------------------


def _heap(**objects: tuple[str, int, tuple[str, ...], tuple[str, ...]]) -> Heap:
    """Names bound to objects: (stage, cell, what the object requires, the names it reads)."""
    names = {n: Binding(f"{s}:{n}", s, 0, cell) for n, (s, cell, _, _) in objects.items()}
    return Heap(
        names,
        {
            f"{stage}:{n}": Artifact(n, "json", 1, "", stage, cell, "", requires, reads)
            for n, (stage, cell, requires, reads) in objects.items()
        },
    )


def test_needs_are_what_is_read_and_what_that_refers_to() -> None:
    heap = _heap(
        a=("s", 1, ("s:b",), ()), b=("s", 1, (), ()), c=("s", 1, (), ()), f=("s", 1, (), ("c", "k"))
    )
    carried = (carry("k = j", "k", "j"), carry("j = 1", "j"), carry("z = 1", "z"))
    needs = needs_of(make_plan("", reads="a f", carried=carried), heap)
    assert needs.names == {"a", "f", "c"}
    assert needs.objects == {"s:a", "s:b", "s:f", "s:c"}
    assert [c.source for c in needs.preamble] == ["k = j", "j = 1"]


def test_the_later_of_a_definition_and_a_stage_s_value_counts() -> None:
    heap = _heap(k=("s", 3, (), ()))
    before, after = carry("k = 1", "k", cell=2), carry("k = 1", "k", cell=4)
    needs = needs_of(make_plan("", reads="k", carried=(before,)), heap)
    assert (needs.names, needs.preamble) == ({"k"}, [])
    needs = needs_of(make_plan("", reads="k", carried=(after,)), heap)
    assert (needs.names, needs.preamble) == (set(), [after])


def test_what_a_definition_reads_must_be_defined_as_well() -> None:
    heap = _heap(k=("s", 3, (), ()))
    carried = (carry("k = 1", "k", cell=1), carry("def f(x=k): ...", "f", "k", cell=2))
    needs = needs_of(make_plan("", reads="f", carried=carried), heap)
    assert needs.preamble == list(carried)
    assert needs.names == {"k"}


def test_statements_without_a_trigger_run_everywhere() -> None:
    everywhere = carry("print(x)", "", "x")
    carried = (carry("x = 1", "x"), everywhere)
    needs = needs_of(make_plan("", carried=carried), Heap())
    assert needs.preamble == list(carried)


def test_a_deleted_name_is_no_need() -> None:
    heap = Heap({"x": Binding(None, "s", 0, 1)})
    needs = needs_of(make_plan("", reads="x"), heap)
    assert (needs.names, needs.objects) == (set(), set())


# --- values go from stage to stage --------------------------------------------------------------


def test_each_type_in_its_format(chain: Chain) -> None:
    left = chain.stage(
        "import numpy as np, pandas as pd\n"
        "n = 1; a = np.zeros(2); d = pd.DataFrame({'x': [1]}); s = {1}; f = lambda: n; m = np",
        hands_on="n a d s f m",
    )
    kinds = ["json", "npy", "parquet", "pickle", "pickle", "module"]
    assert left.kinds == dict(zip("nadsfm", kinds, strict=True))
    objects = left.heap.objects
    assert (objects["s1:a"].type, objects["s1:f"].names) == ("ndarray", ("n",))
    again = chain.stage("v = n, a.tolist(), d.x.tolist(), s, f(), m.pi", reads="n a d s f m")
    assert again.namespace["v"][:5] == (1, [0.0, 0.0], [1], {1}, 1)


def test_a_name_that_a_function_in_a_list_reads_is_the_latest(chain: Chain) -> None:
    """No cell names it: that the list needs it is known of the list alone."""
    chain.stage("k = 2; calls = [lambda x: x * k]", hands_on="calls")
    chain.stage("k = 3", hands_on="calls")
    assert chain.stage("v = calls[0](2)", reads="calls").namespace["v"] == 6


def test_only_what_changed_is_stored_again(chain: Chain) -> None:
    chain.stage("a = [1]; b = [2]; c = 3", hands_on="a b c")
    left = chain.stage("a.append(1); b[0]; d = b", reads="a b c", hands_on="a b c d")
    assert left.kinds == {"a": "json"}
    assert left.heap.names["d"].object == "s1:b"
    assert left.heap.names["a"] == Binding("s1:a", "s1", 1, 1)  # the name is bound as before
    assert left.heap.objects["s1:a"].stage == "s2"
    assert chain.stage("", reads="a").namespace["a"] == [1, 1]


def test_a_value_without_an_identity_is_bound_anew(chain: Chain) -> None:
    chain.stage("n = 1; t = (1, 2)", hands_on="n t")
    left = chain.stage("n += 1; t", reads="n t", hands_on="n t")
    assert left.kinds == {"n": "json"}
    assert left.heap.names["n"].object == "s2:n"


def test_what_nobody_reads_is_not_stored(chain: Chain) -> None:
    assert chain.stage("import threading\nlock = threading.Lock(); x = 1", hands_on="x").kinds == {
        "x": "json"
    }


def test_a_deletion_goes_on(chain: Chain) -> None:
    chain.stage("x = [1]", hands_on="x")
    left = chain.stage("del x", reads="x", hands_on="x")
    assert left.heap.names["x"].object is None
    assert "x" not in chain.stage("", reads="x").namespace


def test_a_name_that_was_not_read_stays_as_it_was(chain: Chain) -> None:
    chain.stage("x = 1; y = 2", hands_on="x y")
    chain.stage("y = 3", hands_on="x y")
    later = chain.stage("v = x, y", reads="x y")
    assert later.namespace["v"] == (1, 3)


# --- what is shared stays shared ----------------------------------------------------------------

SHARED = [
    ("a = b = []", "a.append(1)", "a is b and b == [1]"),
    ("a = []\nb = {'k': a}", "a.append(1)", "b['k'] is a and b == {'k': [1]}"),
    ("a = []\nb = {'k': a}", "b['k'].append(1)", "b['k'] is a and a == [1]"),
    ("x = []\na = {'k': x}; b = [x]\ndel x", "a['k'].append(1)", "b[0] is a['k'] and b == [[1]]"),
    ("a = []; a.append(a); b = a", "b.append(1)", "a[0] is a is b and len(a) == 2"),
    ("a = {}; b = {'up': a}; a['down'] = b", "a['n'] = 1", "b['up'] is a and a['down'] is b"),
    ("class T: pass\na = T(); b = T(); a.to = b; b.to = a", "b.n = 1", "a.to is b and b.to is a"),
    (
        "import pandas as pd\na = pd.DataFrame({'x': [1]}); b = {'d': a}",
        "a['y'] = 2",
        "b['d'] is a and list(a) == ['x', 'y']",
    ),
    (
        "import numpy as np\na = np.arange(6).reshape(2, 3); b = a[:, 1]",
        "b[0] = 50",
        "a[0, 1] == 50 and np.shares_memory(a, b)",
    ),
    (
        "import numpy as np\nx = np.arange(4); a = x[:3]; b = x[1:]\ndel x",
        "a[2] = 50",
        "b[1] == 50 and np.shares_memory(a, b)",
    ),
    ("def a(): return 1\nb = [a]", "a.calls = 1", "b[0] is a and a.calls == 1"),
    ("class A: pass\na = A; b = A()", "a.n = 1", "type(b) is a and b.n == 1"),
    (
        "def make():\n    n = [0]\n    def add(): n[0] += 1\n    def get(): return n[0]\n"
        "    return add, get\na, b = make()",
        "a()",
        "b() == 1",
    ),
]


@pytest.mark.parametrize(("source", "change", "test"), SHARED)
def test_identity(chain: Chain, source: str, change: str, test: str) -> None:
    chain.stage(source, hands_on="a b np pd A T")
    chain.stage(change, reads="a b np pd A T", hands_on="a b np pd A T")
    assert chain.stage(f"v = {test}", reads="a b np pd A T").namespace["v"] is True


@pytest.mark.parametrize(("source", "change", "test"), SHARED)
def test_identity_when_the_change_sees_one_of_the_two(
    chain: Chain, source: str, change: str, test: str
) -> None:
    """The stage between reads only what it changes; the other name must follow."""
    chain.stage(source, hands_on="a b np pd A T")
    read = change[0] if change[0] in "ab" else "a"
    chain.stage(change, reads=read, hands_on="a b np pd A T")
    assert chain.stage(f"v = {test}", reads="a b np pd A T").namespace["v"] is True


def test_slices_that_do_not_overlap_are_copies(chain: Chain) -> None:
    left = chain.stage(
        "import numpy as np\nx = np.arange(6.).reshape(3, 2); a = x[:, 0]; b = x[:, 1]",
        hands_on="a b",
    )
    assert all("view" not in kind for kind in left.kinds.values())


def test_what_cannot_be_taken_apart_is_refused(chain: Chain) -> None:
    with pytest.raises(ArtifactError) as caught:
        chain.stage(
            "import numpy as np\nx = bytearray(4); a = np.frombuffer(x, 'i1')\n"
            "b = np.frombuffer(x, 'i1')",
            hands_on="a b",
        )
    assert "share one array's memory, and stored they would become two" in str(caught.value)


# --- carried definitions ------------------------------------------------------------------------


@pytest.fixture
def settings(chain: Chain) -> Chain:
    chain.carried = (
        carry("LIMITS = [1]", "LIMITS"),
        carry("NOW = HERE + '!'", "NOW", value=True),
        carry("class Config:\n    rate = 1", "Config"),
        carry("def f(): return LIMITS", "f", "LIMITS"),
    )
    return chain


def test_an_unchanged_definition_is_made_again(settings: Chain) -> None:
    left = settings.stage("f(); Config.rate", reads="f Config", hands_on="f Config LIMITS")
    assert left.kinds == {}
    assert settings.stage("v = f()", reads="f").namespace["v"] == [1]


def test_a_changed_one_is_stored(settings: Chain) -> None:
    left = settings.stage("f().append(2)", reads="f", hands_on="LIMITS")
    assert left.kinds == {"LIMITS": "json"}
    assert settings.stage("v = f()", reads="f").namespace["v"] == [1, 2]


def test_a_changed_class_is_stored(settings: Chain) -> None:
    settings.stage("Config.rate = 2", reads="Config", hands_on="Config")
    left = settings.stage("v = Config.rate", reads="Config", hands_on="Config")
    assert left.namespace["v"] == 2
    assert left.kinds == {}


def test_a_computed_value_is_made_once(settings: Chain) -> None:
    first = settings.stage("NOW", reads="NOW", hands_on="NOW")
    assert first.kinds == {"NOW": "pickle"}  # it holds a path, which moves along
    second = settings.stage("v = NOW, HERE", reads="NOW", hands_on="NOW")
    now, here = second.namespace["v"]
    assert now == f"{here}!"


def test_an_instance_of_a_carried_class(settings: Chain) -> None:
    settings.stage("c = Config(); c.x = 1", reads="Config", hands_on="c")
    left = settings.stage("v = isinstance(c, Config), c.x", reads="c Config")
    assert left.namespace["v"] == (True, 1)


# --- guards -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "refused"),
    [("x.append(1)", True), ("y = x; y[0] = 5", True), ("len(x)", False), ("x = 3", True)],
)
def test_a_change_that_a_stage_beside_must_not_miss(
    chain: Chain, source: str, refused: bool
) -> None:
    chain.stage("x = [1]", hands_on="x")
    guarded = {"x": ("other", "third")}
    if not refused:
        chain.stage(source, reads="x", guarded=guarded)
        return
    with pytest.raises(ArtifactError) as caught:
        chain.stage(source, reads="x", guarded=guarded)
    assert str(caught.value) == (
        "cell 2 changes the variable 'x', which the stage 'other' and 'third' reads without "
        "waiting for 's2'. fix: tag it prev:s2, or change a copy"
    )


def test_a_guard_needs_no_import() -> None:
    plan = make_plan(
        "",
        guarded={"keras": ("other",), "x": ("other",)},
        carried=(carry("import keras", "keras"),),
    )
    needs = needs_of(plan, _heap(x=("s", 1, (), ())))
    assert (needs.names, needs.preamble) == ({"x"}, [])


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import threading\nx = threading.Lock()", "cannot pickle '_thread.lock' object"),
        ("x = (i for i in [])", "cannot pickle 'generator' object"),
        ("x = {'deep': [open(HERE + '/f', 'w')]}", "an open file belongs to the process"),
        ("import sqlite3\nx = sqlite3.connect(':memory:')", "cannot pickle 'sqlite3.Connection'"),
        ("import pandas as pd\nx = pd.DataFrame({'p': [HERE]})", "paths of the working directory"),
        ("class M(type): pass\nclass x(metaclass=M): pass", "would run its metaclass"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_cannot_be_stored_is_named(chain: Chain, source: str, reason: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        chain.stage(source, hands_on="x")
    text = str(caught.value)
    assert text.startswith("cell 1: the variable 'x' (")
    assert reason in text
    assert "fix: " in text
    del caught
    gc.collect()  # what is open is closed here, and not in another test


@pytest.mark.parametrize(
    ("value", "file"), [("[(1,)]", "0-x.pickle"), ("np.zeros(9)", "0-x.npy"), ("[1]", "0-x.json")]
)
def test_a_full_disk_is_no_fault_of_the_variable(chain: Chain, value: str, file: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        chain.stage(
            f"import os, numpy as np\nx = {value}\n"
            f"os.symlink('/dev/full', HERE.replace('work', 'scratch') + '/{file}')",
            hands_on="x",
        )
    assert str(caught.value).startswith("the variable 'x' cannot be written: the disk of /")
    assert " is full: " in str(caught.value)


def test_what_cannot_be_loaded_is_named(chain: Chain) -> None:
    source = (
        "class Bad:\n    def __reduce__(self): return (fail, ())\n"
        "def fail(): raise ValueError('no more')\nx = Bad()"
    )
    chain.stage(source, hands_on="x")
    with pytest.raises(ArtifactError) as caught:
        chain.stage("", reads="x")
    assert str(caught.value).startswith(
        "the variable 'x' (Bad) of the stage 's1' cannot be loaded: ValueError: no more. fix: "
    )


def test_a_figure_has_its_picture_beside_it(chain: Chain) -> None:
    chain.stage(
        "from matplotlib.figure import Figure\nfig = Figure(); ax = fig.subplots()",
        hands_on="fig ax",
    )
    (picture,) = chain.folder.glob("scratch1/*.png")
    pickles = list(chain.folder.glob("scratch1/*.pickle"))
    assert [path.stem for path in pickles] == [picture.stem]
    later = chain.stage("v = ax.figure is fig", reads="fig ax")
    assert later.namespace["v"] is True


def test_many_objects_that_share(chain: Chain) -> None:
    source = "shared = []\nrows = [{'s': shared, 'n': i} for i in range(300)]\nlast = rows[-1]"
    chain.stage(source, hands_on="shared rows last")
    later = chain.stage(
        "last['n'] = 5; v = rows[-1] is last, all(r['s'] is shared for r in rows)",
        reads="shared rows last",
    )
    assert later.namespace["v"] == (True, True)
