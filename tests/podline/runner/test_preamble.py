"""What the preamble makes: again in each stage, unless a stage changed it; and which is which."""

import re
from dataclasses import replace

import pytest

from podline.contract import Heap
from podline.exceptions import ArtifactError
from podline.runner.heap_merge import merge

from .conftest import Chain, carry, make_plan

F = carry("def f(x, seen=[]):\n    seen.append(x)\n    return list(seen)", "f")
T = carry("class T:\n    n = 0\n    log = []\n    def __init__(self): T.n += 1", "T")
NAMES = "f g h A_ Z_ T S t u C p CFG R"

# --- a function that a later cell defines again -----------------------------------------------


@pytest.mark.parametrize("by_a_stage", [False, True])
@pytest.mark.parametrize(
    ("old", "new", "make", "expected"),
    [
        ("def f(): return 1", "def f(): return 2", "h = [f]", "(h[0](), f()) == (1, 2)"),
        ("def f(): return 1", "def f(): return 2", "h = [lambda: f()]", "h[0]() == 2"),
        (
            "class f:\n    def m(self): return 1",
            "class f:\n    def m(self): return 2",
            "h = f(), f()",
            "[x.m() for x in h] == [1, 1] and type(h[0]) is type(h[1]) and f().m() == 2",
        ),
        ("f = [1]", "f = [2]", "h = {'f': f}", "(h, f) == ({'f': [1]}, [2])"),
        (
            "def f(n=[]):\n    n.append(1)\n    return len(n)",
            "def f(): return 'new'",
            "h = [f]; f()",
            "(h[0](), f()) == (2, 'new')",
        ),
    ],
)
def test_what_holds_the_old_one_keeps_it(
    chain: Chain, by_a_stage: bool, old: str, new: str, make: str, expected: str
) -> None:
    chain.carried = (carry(old, "f", cell=1),)
    chain.stage(make, reads="f", hands_on="f h")
    if by_a_stage:
        chain.stage(new, hands_on="f h")
    else:
        chain.stage("", hands_on="f h")
        chain.carried += (carry(new, "f", cell=2),)
    assert chain.stage(f"v = {expected}", reads="f h").namespace["v"] is True


def test_functions_of_one_name_in_a_registry(chain: Chain) -> None:
    define = "@register\ndef _(): return {}"
    chain.carried = (
        carry("R = []\ndef register(f):\n    R.append(f)\n    return f", "R register"),
        replace(carry(define.format(1), "R _", "register"), line=5),
        replace(carry(define.format(2), "R _", "register"), line=8),
    )
    chain.stage("h = R[:1]", reads="R", hands_on="h R")
    chain.stage("R.append(3)", reads="R", hands_on="h R")
    later = chain.stage("v = [f() for f in R[:2]], R[2], h[0] is R[0], h[0]()", reads="h R")
    assert later.namespace["v"] == ([1, 2], 3, True, 1)


def test_it_is_not_changed_before_and_after(chain: Chain) -> None:
    chain.carried = (carry("R = []", "R", cell=0),)
    chain.stage("R.append(1)", reads="R", hands_on="R")
    chain.carried += (carry("R.append(2)", "R", cell=2),)
    with pytest.raises(ArtifactError) as caught:
        chain.stage("", reads="R")
    assert str(caught.value) == (
        "the stage 's1' (up to cell 1) changes 'R', and cell 2 changes it further; but that cell "
        "is run at the start of every stage that needs it, without the change. fix: move it "
        "above 's1', or into a step"
    )
    chain.carried = (chain.carried[0], carry("R = [7]", "R", cell=2))
    assert chain.stage("v = R", reads="R").namespace["v"] == [7]


# --- what a stage changes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("carried", "change", "test"),
    [
        ((F,), "f(1)", "f(2) == [1, 2]"),
        ((F, carry("Z_ = {'f': f}; A_ = [f]", "A_ Z_", "f")), "f(1)", "A_[0] is f is Z_['f']"),
        ((F, carry("g = f", "g", "f")), "g(1)", "f is g and f(2) == [1, 2]"),
        (
            (F, carry("def g(h=f): return h", "g", "f")),
            "f(1)",
            "g() is f and g()(2) == [1, 2]",
        ),
        (
            (T, carry("class S(T): pass", "S", "T"), carry("class A_(T): pass", "A_", "T")),
            "t = S()",
            "T.n == 1 and issubclass(S, T) and issubclass(A_, T) and type(t) is S",
        ),
        ((carry("C = [1]", "C"),), "h = [C]", "h[0] is C"),
        (
            (
                carry("import typing\nC = typing.NewType('C', int)", "C", value=True),
                carry("def f(x: C): return C(x)", "f", "C"),
            ),
            "h = [C]",
            "h[0] is C is f.__annotations__['x'] and f(1) == 1",
        ),
        ((carry("C = {'p': []}", "C"),), "p = C['p']", "p is C['p']"),
        ((carry("C = {'p': []}", "C"),), "h = [C['p']]", "h[0] is C['p']"),
        ((T,), "p = T.log", "p is T.log"),
        ((F,), "p = f.__defaults__[0]", "p is f.__defaults__[0]"),
        (
            (carry("CFG = dict(a=[])", "CFG", value=True), carry("def f(c=CFG): ...", "f", "CFG")),
            "CFG['a'].append(1)",
            "f.__defaults__[0] is CFG",
        ),
    ],
)
def test_what_it_shares_stays_shared(
    chain: Chain, carried: tuple[object, ...], change: str, test: str
) -> None:
    chain.carried = carried  # type: ignore[assignment]
    chain.carried = tuple(replace(c, line=line) for line, c in enumerate(chain.carried, 1))
    chain.stage(change, reads=NAMES, hands_on=NAMES)
    chain.stage("", reads="T C", hands_on=NAMES)
    assert chain.stage(f"v = {test}", reads=NAMES).namespace["v"] is True


def test_a_change_reaches_what_holds_it_and_was_not_loaded(chain: Chain) -> None:
    chain.carried = (carry("C = [1, 2]", "C"),)
    chain.stage("h = iter(C); next(h)", reads="C", hands_on="C h")
    chain.stage("C.append(3)", reads="C", hands_on="h")
    assert chain.stage("v = list(h)", reads="h").namespace["v"] == [2, 3]


def test_made_of_what_was_computed_elsewhere_is_made_of_the_same(chain: Chain) -> None:
    chain.carried = (
        carry("CFG = dict(a=[])", "CFG", value=True, cell=0),
        replace(carry("def f(c=CFG): return c", "f", "CFG", cell=0), line=2),
    )
    chain.stage("CFG", reads="CFG", hands_on="CFG f")
    later = chain.stage("f()['a'].append(1); v = CFG, f() is CFG", reads="CFG f")
    assert later.namespace["v"] == ({"a": [1]}, True)


def test_made_of_what_was_changed_elsewhere_is_refused(chain: Chain) -> None:
    chain.carried = (F, replace(carry("def g(h=f): return h(0)", "g", "f"), line=2))
    chain.stage("f(1)", reads="f", hands_on="f g")
    with pytest.raises(ArtifactError) as caught:
        chain.stage("g()", reads="f g")
    assert str(caught.value) == (
        "cell 0 makes 'g' of 'f', which is as the stage 's1' left it; made here, it would be of "
        "another. fix: make it above 's1' and name it there, or make it in a step"
    )


@pytest.mark.parametrize(
    ("kind", "use", "test"),
    [
        (
            "import enum\nclass T(enum.Enum):\n    A = 1\n    B = [2]",
            "h = [T.B]; t = T.A",
            "C[h[0]] and t is T.A and h[0] is T.B and C[t]",
        ),
        (
            "class T:\n    A = 'a'\n    class B:\n        log = []",
            "h = [T.B]; t = T.B()",
            "type(t) is T.B is h[0] and C[h[0]] and t.log is T.B.log",
        ),
    ],
)
def test_what_is_in_a_class_is_the_class_s(chain: Chain, kind: str, use: str, test: str) -> None:
    made_of_it = replace(carry("C = {T.A: 1, T.B: 2}", "C", "T"), line=9)
    chain.carried = (carry(kind, "T"), made_of_it)
    assert chain.stage(use, reads="T", hands_on=NAMES).kinds.keys() == {"h", "t"}
    chain.stage("", reads="h", hands_on=NAMES)
    assert chain.stage(f"v = bool({test})", reads=NAMES).namespace["v"] is True


def test_an_annotation_is_no_use(chain: Chain) -> None:
    chain.carried = (T, replace(carry("def g(t: T) -> T: return t.n", "g", "T"), line=2))
    chain.stage("T()", reads="T", hands_on="T g")
    assert chain.stage("v = g(T())", reads="T g").namespace["v"] == 2


@pytest.mark.parametrize(
    ("made", "use"),
    [
        ("@runtime_checkable\nclass T(Protocol):\n    def m(self): ...", "isinstance(1, T)"),
        ("class T: pass", "T.__annotations__; copy.copy(T())"),
        ("class T(ABC): pass", "isinstance(1, T); issubclass(int, T)"),
        ("class T(enum.Enum):\n    A = 1", "T(1); T['A']; T.A.name"),
        (
            "@dataclasses.dataclass\nclass T:\n    x: int = 1",
            "T() == T(2); dataclasses.replace(T())",
        ),
        ("def T(x: int = 1): ...", "T.__annotations__; inspect.signature(T)"),
    ],
)
def test_to_use_it_is_no_change(chain: Chain, made: str, use: str) -> None:
    imports = "import copy, dataclasses, enum, inspect\nfrom abc import ABC\n"
    chain.carried = (
        carry(f"{imports}from typing import Protocol, runtime_checkable", ""),
        carry(made, "T", cell=1),
    )
    assert chain.stage(use, reads="T", hands_on="T", guarded={"T": ("other",)}).kinds == {}


# --- side by side -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "refused"),
    [("f(1)", True), ("h = [f]; h[0](1)", True), ("f.n = 1", True), ("f", False)],
)
def test_a_change_that_a_stage_beside_must_not_miss(
    chain: Chain, change: str, refused: bool
) -> None:
    chain.carried = (F,)
    guarded = {"f": ("other",)}
    if not refused:
        chain.stage(change, reads="f", guarded=guarded)
        return
    with pytest.raises(ArtifactError, match="changes the variable 'f', which the stage 'other' "):
        chain.stage(change, reads="f", guarded=guarded)


def test_a_change_by_two_is_refused_where_they_meet(chain: Chain) -> None:
    chain.carried = (F,)
    heaps = []
    for _ in range(2):
        chain.heap = Heap()
        heaps.append(chain.stage("f(1)", reads="f", hands_on="f").heap)
    plan = make_plan("f(1)", reads="f", ancestors={"s1": (), "s2": ()})
    with pytest.raises(ArtifactError, match=re.escape("the variable 'f' was changed by the stage")):
        merge(plan, heaps)


def test_parts_of_a_constant_are_those_of_the_next_stage_s(chain: Chain) -> None:
    chain.carried = (carry("LIMITS = {'a': [1], 'b': ([2], {'c': [3]})}", "LIMITS"),)
    made = chain.stage(
        "x = LIMITS['a']; y = [LIMITS['b'][0]]", reads="LIMITS", hands_on="x y LIMITS"
    )
    assert set(made.heap.objects) == {"s1:x", "s1:y"}  # the constant is not stored
    later = chain.stage("x.append(4)", reads="x y LIMITS", hands_on="x y LIMITS").namespace
    assert later["y"][0] is later["LIMITS"]["b"][0]
    last = chain.stage("", reads="x LIMITS").namespace
    assert last["x"] is last["LIMITS"]["a"]
    assert last["LIMITS"]["a"] == [1, 4]
