"""Which functions give the same in any process, as far as their code shows."""

from typing import Any

import pytest

from podline.runner.pure_functions import is_plain, is_pure

BEFORE = (
    "import functools, math, random, time\nK = 2\nROWS = []\nrng = random.Random(1)\n"
    "def double(x): return K * x\ndef draws(x): return rng.random()\n"
)


def pure(source: str) -> bool:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(BEFORE + source, names)
    return is_pure(names["f"])


@pytest.mark.parametrize(
    "source",
    [
        "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)",
        "@functools.lru_cache\ndef f(n): return n if n < 2 else f(n - 1)",
        "def f(x): return math.sqrt(double(x)) + K",
        "def f(text, sep=','): return sep.join(sorted(text.lower().split()))",
        "def f(x):\n    if x < 0: raise ValueError(x)\n    return [abs(y) for y in range(x)][0]",
        "def even(n): return n == 0 or f(n - 1)\ndef f(n): return n != 0 and even(n - 1)",
    ],
)
def test_it_reads_only_its_arguments(source: str) -> None:
    assert pure(source)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x): return rng.random()",
        "def f(x): return random.random()",
        "def f(x): return time.time()",
        "def f(x): return draws(x)",
        "def f(x): return [draws(y) for y in range(x)]",
        "def f(x): return len(ROWS)",
        "def f(x): ROWS.append(x)",
        "def f(x):\n    global K\n    K = x",
        "def f(x):\n    import random\n    return random.random()",
        "def f(x): return open(x).read()",
        "def f(x): return hash(x)",
        "def f(x): return ''.join({*x})",
        "def f(x): print(x)",
        "def f(x, seen=[]): return len(seen)",
        "def make(n=[]):\n    def f(x): return len(n)\n    return f\nf = make()",
        "def f(x): return missing",
        "f = functools.partial(double, 1)",
        "class f: pass",
    ],
)
def test_a_doubt_counts_against_it(source: str) -> None:
    assert not pure(source)


def test_plain_values() -> None:
    assert is_plain((1, "a", (None, 2.5), b""))
    assert not is_plain(([],))
