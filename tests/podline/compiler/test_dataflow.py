"""What a run of statements reads, binds, changes and deletes: each case is an example."""

import ast
import sys
import textwrap

import pytest

from podline.compiler.dataflow import Flow
from podline.compiler.namespace import KNOWN_NAMES, Effects

from .conftest import Check


def effects(source: str, *before: str) -> Effects:
    """Follow `source`, after the cells `before`."""
    flow = Flow(1, {})
    for number, cell in enumerate(before):
        first = Flow(number, flow.known)
        first.run(ast.parse(textwrap.dedent(cell)).body)
        flow = Flow(1, first.known)
    flow.run(ast.parse(textwrap.dedent(source)).body)
    return flow.effects


def reads(source: str, *before: str) -> str:
    """The names that `source` reads, now or when its functions are called, without builtins."""
    found = effects(source, *before)
    return " ".join(sorted({*found.reads, *found.deferred} - KNOWN_NAMES))


def binds(source: str, *before: str) -> str:
    """The names that may be bound; those that are not certain in brackets."""
    found = effects(source, *before)
    names = sorted(found.may_bind)
    return " ".join(n if n in found.bound else f"[{n}]" for n in names)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a", "a"),
        ("a", "a"),
        ("a = 1\nb = a", ""),
        ("a.b.c(d)[e:f]", "a d e f"),
        ("f(*args, key=value, **options)", "args f options value"),
        ("print(f'{a:{width}} {b!r}')", "a b width"),
        ("a += 1", "a"),
        ("a.b += c", "a c"),
        ("a[i] = v", "a i v"),
        ("del a", "a"),
        ("del a[0], b.c", "a b"),
        ("x: kind = 1", "kind"),
        ("x: kind", "kind"),
        ("assert a, b", "a b"),
        ("raise a from b", "a b"),
        ("for x in xs: y = x", "xs"),
        ("for x in xs: pass\nprint(x)", "x xs"),  # xs may be empty
        ("while a: b = 1\nprint(b)", "a b"),
        ("if a: b = 1\nelse: b = 2\nprint(b)", "a"),
        ("if a: b = 1\nprint(b)", "a b"),
        ("if a: raise e\nelse: b = 2\nprint(b)", "a e"),
        ("if True: b = 1\nprint(b)", ""),
        ("if __name__ == '__main__': b = 1\nprint(b)", ""),
        ("with a as b, b.c as d: e = d\nprint(b, d, e)", "a"),
        ("try: x = 1\nexcept a: x = 2\nprint(x)", "a"),
        ("try: x = 1\nexcept a: pass\nprint(x)", "a x"),
        ("try: pass\nexcept a as error: pass\nprint(error)", "a error"),
        ("try: x = 1\nfinally: y = 2\nprint(x, y)", ""),
        ("match a:\n case [b, *c]: print(b, c)\n case {'k': d, **rest}: print(d, rest)", "a"),
        ("match a:\n case Point(x=0) if limit: pass", "Point a limit"),
        ("match a:\n case str() as text: print(text)", "a"),
        ("import a.b as c\nprint(c)", ""),
        ("import a.b\nprint(a)", ""),
        ("from a import b as c\nprint(c)", ""),
    ],
)
def test_reads_of_statements(source: str, expected: str) -> None:
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[x for x in xs]", "xs"),
        ("[x for x in x]", "x"),
        ("[y for x in xs if x > low for y in x]", "low xs"),
        ("{k: v for k, v in pairs}", "pairs"),
        ("[last := x for x in xs]\nprint(last)", "last xs"),
        ("sum(x * k for x in xs)", "k xs"),
        ("f = lambda x, y=d: x + y + g", "d g"),
        ("f = lambda x: x", ""),
        ("sorted(xs, key=lambda x: order[x])", "order xs"),
        ("if (n := len(xs)) > 1: print(n)", "n xs"),
    ],
)
def test_reads_of_inner_scopes(source: str, expected: str) -> None:
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x, *rest, y=d, **more) -> r: return x, rest, y, more, g", "d g r"),
        ("def f():\n a = 1\n return a", ""),
        ("def f():\n print(a)\n a = 1", ""),  # Python's own error, not a global
        ("def f():\n global a\n a += 1", "a"),
        ("def f():\n def g():\n  return a + b\n a = 1\n return g", "b"),
        ("def f():\n a = 1\n def g():\n  nonlocal a\n  a += b\n return g", "b"),
        ("def f(): return [x for x in x]", "x"),
        ("def f(): return [x for x in xs if x in known]", "known xs"),
        ("def f():\n import a\n from b import c\n return a, c", ""),
        ("def f():\n for a in b: pass\n with c as d: pass\n return a, d", "b c"),
        ("def f():\n try: pass\n except E as e: print(e)", "E"),
        ("def f():\n class A(Base):\n  x = y\n  def m(self): return x, z\n return A", "Base x y z"),
        ("def f(): return f", ""),
        ("def f(): return lambda x=k: x", "k"),
        ("async def f():\n async for a in b: await c(a)", "b c"),
        ("@a.b(c)\ndef f(): pass", "a c"),
        ("k = 1\ndef f(): return k", ""),
        ("def f(): return k\nk = 1", "k"),
        ("class A(B, metaclass=M):\n x = y\n def m(self, d=e): return g", "B M e g y"),
        ("class A:\n x = 1\n y = x", ""),
        ("class A:\n def m(self): return A", ""),
        ("class A:\n @property\n def p(self): return 1\n @p.setter\n def p(self, v): pass", ""),
    ],
)
def test_reads_of_functions(source: str, expected: str) -> None:
    assert reads(source) == expected


@pytest.mark.skipif(sys.version_info < (3, 12), reason="a syntax of Python 3.12")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f[T](x: T) -> T:\n def g[V](z: V) -> V: return z", ""),
        ("class Box[T](Base[T]):\n def get(self, x: T) -> T: return x", "Base"),
        ("type Pair[W] = Both[W, Other]", "Both Other"),
    ],
)
def test_type_parameters(source: str, expected: str) -> None:
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = b = 1", "a b"),
        ("a, (b, *c) = xs", "a b c"),
        ("a[0] = b.c = 1", ""),
        ("x: int", ""),
        ("x: int = 1", "x"),
        ("a += 1", "a"),
        ("for a, b in xs: c = 1", "[a] [b] [c]"),
        ("while x: a = 1", "[a]"),
        ("if x: a = b = 1\nelse: a = 2", "a [b]"),
        ("with x as (a, b): c = 1", "a b c"),
        ("try: a = 1\nexcept E as e: pass", "[a] [e]"),
        ("match x:\n case [a, *b]: c = 1\n case {**d}: pass", "[a] [b] [c] [d]"),
        ("import a.b, c as d", "a d"),
        ("from m import a, b as c", "a c"),
        ("def f(): a = 1", "f"),
        ("def f():\n global a\n a = 1", "f"),
        ("def f():\n global a\n a = 1\nf()", "[a] f"),
        ("def f():\n class A:\n  x = 1\nf()", "f"),
        ("class A:\n x = 1", "A"),
        ("[a for a in xs]", ""),
        ("[(a := b) for b in xs]", "[a]"),
        ("(a := 1)", "[a]"),
        ("lambda a: a", ""),
        ("a = 1\ndel a", "[a]"),
        ("globals()['a'] = 1", "a"),
        ("exec('a = 1')", "a"),
    ],
)
def test_binds(source: str, expected: str) -> None:
    assert binds(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a[0] = 1", "a"),
        ("a.b.c = 1", "a"),
        ("a.loc[m, 'x'] = 1", "a"),
        ("a.b()[0] = 1", "a"),
        ("del a[0]", "a"),
        ("a += [1]", "a"),
        ("a.append(1)", "a"),
        ("a.b.sort()", "a"),
        ("a.fit(x, y)", "a"),
        ("a.dropna(inplace=True)", "a"),
        ("np.add(a, 1, out=b)", "b np"),  # `add` changes a set; the compiler knows np
        ("heapq.heappush(a, 1)", "a"),
        ("next(a)", "a"),
        ("setattr(a, 'x', 1)", "a"),
        ("random.shuffle(a)", "a"),
        ("[a.append(x) for x in xs]", "a"),
        ("[x.append(1) for x in xs]", ""),
        ("f = lambda: a.append(1)\nf()", "a"),
        ("def f(): a.append(1)", ""),
        ("def f(): a.append(1)\nf()", "a"),
        ("def f(a): a.append(1)\nf(b)", ""),  # seen at run time only
        ("def f(): g()\ndef g(): a.x = 1\nf()", "a"),
        ("class A:\n def m(self): a.x = 1\nA().m()", "a"),
        ("class A:\n a.append(1)", "a"),
        ("@a.register\ndef f(): pass", "a"),
        ("@a.route('/')\ndef f(): pass", "a"),
        ("a.head()\nlen(a)\na + 1", ""),
    ],
)
def test_visible_changes(source: str, expected: str) -> None:
    assert " ".join(sorted(effects(source).changes)) == expected


def test_a_function_of_an_earlier_cell_acts_where_it_is_used() -> None:
    definition = "def f(x):\n global total\n total = x + rate\n log.append(x)"
    assert reads("f(1)", definition) == "f log rate"
    assert binds("f(1)", definition) == "[total]"
    assert effects("f(1)", definition).changes == {"log"}
    assert reads("map(f, xs)", definition) == "f log rate xs"
    assert reads("g = f\ng(1)", definition) == "f log rate"
    assert reads("f = print\nf(1)", definition) == ""


def test_where_a_name_is_read_first() -> None:
    found = effects("x = 1\n\ny = a\nz = a + b").reads
    assert {name: (place.cell, place.line) for name, place in found.items()} == {
        "a": (1, 3),
        "b": (1, 4),
    }


def test_a_caught_name_error_is_a_question() -> None:
    question = "try: a\nexcept NameError: a = 1"
    assert effects(question).guarded == {"a"}
    assert effects("try: a\nexcept ValueError: pass").guarded == set()
    assert effects("'a' in globals()").guarded == {"a"}
    assert effects(f"{question}\nb = 2").may_bind == {"a", "b"}


def test_a_deletion_that_may_not_happen_deletes_nothing() -> None:
    assert list(effects("del a").deleted) == ["a"]
    assert list(effects("if x: del a").deleted) == []
    assert list(effects("del a\na = 1").deleted) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("df.query('x > @low and y < @high')", "df high low"),
        ("df.eval('z = x * @k')", "df k"),
        ("pd.eval('a + b.c')", "a b pd"),
        ("text = 'x > @low'\ndf.query(text)", "df low"),
        ("def f(df): return df.query('x > @low')", "low"),
        ("mail = 'me@example.com'\nprint(mail)", ""),
    ],
)
def test_names_in_texts_for_pandas(source: str, expected: str) -> None:
    assert reads(source) == expected


def test_a_text_of_an_earlier_cell_is_read_where_it_is_used() -> None:
    found = effects("df.query(text)", "text = 'x > @low'")
    assert set(found.deferred) == {"low"}
    assert found.guarded == {"low"}  # it may be no name at all


def test_whoever_unpickles_may_need_every_class() -> None:
    before = "class Net: pass\ndef scale(x): return x"
    for call in ("pickle.load(f)", "joblib.load('m')", "pd.read_pickle('m')"):
        assert {"Net", "scale"} <= set(reads(call, before).split())
    assert "Net" not in reads("json.load(f)", before)
    assert "Net" in reads("def get(): return joblib.load('m')\nget()", before)


@pytest.mark.parametrize(
    ("source", "guarded"),
    [
        ("'a' in locals()", "a"),
        ("'a' not in dir()", "a"),
        ("'a' in list(vars().keys())", "a"),
        ("if 'a' in globals(): print(a)", "a"),
        ("x = a if 'a' in locals() else 1", "a"),
        ("globals().get('a', 1)", "a"),
        ("vars().pop('a', None)", "a"),
        ("def f():\n if 'a' in globals(): return a\nf()", "a"),
        ("get_ipython().user_ns.get('a')", "a"),
        ("hasattr(__main__, 'a')", "a"),
        ("vars(__main__)['a']", ""),
        ("a\n'a' in globals()", ""),  # who reads it without asking needs it
        ("'{a}'.format(**rows, **globals())", "a"),
        ("locals()['a']", ""),
        ("del vars()['a']", ""),
        ("'{a}'.format(**locals())", ""),
        ("'{a[0]}'.format_map(globals())", ""),
        ("'%(a)s' % vars()", ""),
        ("eval('a', globals())", ""),
    ],
)
def test_a_name_asked_for_as_a_text_is_read(source: str, guarded: str) -> None:
    found = effects(source)
    assert found.troubles == []
    assert "a" in found.all_reads
    assert " ".join(found.guarded) == guarded


def test_what_a_namespace_binds_and_deletes() -> None:
    assert "a" in effects("locals()['a'] = 1").bound
    assert "a" in effects("globals().setdefault('a', 1)").may_bind
    assert "a" in effects("def f(): globals()['a'] = 1\nf()").may_bind
    assert list(effects("del globals()['a']").deleted) == ["a"]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("exec(code)", "exec"),
        ("locals().update(a=1)", "locals"),
        ("any(n in globals() for n in names)", "globals"),
        ("eval(text)", "eval"),
        ("globals()[name] = 1", "globals"),
        ("for v in vars().values(): pass", "vars"),
        ("ip = get_ipython()\nlist(ip.user_ns)", "user_ns"),
        ("print(locals())", "locals"),
        ("dir()", "dir"),
        ("def f(): exec(code)", "exec"),
        ("def f(): globals()[n] = 1", "globals"),
    ],
)
def test_what_cannot_be_seen_is_a_trouble(source: str, what: str) -> None:
    (trouble,) = effects(source).troubles
    assert trouble.message.startswith((f"{what}() ", f"{what} "))
    assert trouble.fix


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("a = 1\nreturn a", 2, "'return' outside a function"),
        ("if x:\n yield x", 2, "'yield' outside a function"),
        ("yield from x", 1, "'yield' outside a function"),
        ("class A:\n return 1", 2, "'return' outside a function"),
        ("nonlocal x", 1, "'nonlocal' outside a function"),
        ("if x: break", 1, "'break' outside a loop"),
        ("for x in xs: pass\nelse: continue", 2, "'continue' outside a loop"),
    ],
)
def test_what_only_functions_and_loops_may_have(source: str, line: int, what: str) -> None:
    (trouble,) = effects(source).troubles
    assert trouble.message == f"syntax error: {what}"
    assert trouble.place.line == line


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n for x in y:\n  if x: break\n  yield x\n return",
        "for x in xs:\n if x: continue\n with y: break",
        "while x:\n try: break\n except E: continue",
        "lambda: (yield)",
        "exec('a = 1')",
        "eval('a + 1')",
        "model.eval()",
        "vars(obj)",
        "dir(obj)",
        "globals()['a']",
        "def f(): return locals()",
        "class A:\n a = 1\n locals()['b'] = 2\n names = list(vars())",
    ],
)
def test_what_only_looks_like_it(source: str) -> None:
    assert effects(source).troubles == []


def test_imported_modules_are_known_until_their_name_is_taken() -> None:
    assert effects("import a, b.c as d\nfrom e import f").modules == {"a", "d"}
    assert effects("import a\na = 1").modules == set()


def test_future_annotations_are_not_read() -> None:
    assert reads("from __future__ import annotations\ndef f(x: Kind) -> Kind: ...\ny: Kind") == ""


def test_what_a_cell_of_the_stage_showed(check: Check) -> None:
    shown = [("imports", "import math"), ("step:a", "6 * 7")]
    assert not check(*shown, ("", "x = _ + _2 + _ + Out[2] + _oh[2]"), ("step:b", "y = x")).errors
    for source in ("x = _1", "x = Out[3]", "x = Out"):
        assert check(*shown, ("", source)).errors
    assert check(*shown, ("step:b", "x = _2")).errors
