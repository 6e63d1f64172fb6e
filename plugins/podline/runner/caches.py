"""What `functools.lru_cache` remembers, taken from one stage to the next.

A later call gets the result of the first one, in a later stage too, and `cache_info()` counts on:

    @lru_cache
    def draw(key): return rng.random()
    draw("a")                            # stage 1
    draw("a")                            # stage 2 must not draw again

A cache has no method to read or fill it. But it tells the garbage collector what it holds, in the
order of use; and it is filled by calling it, while its function gives the remembered results.
"""

import functools
import gc
import pickle
from collections import deque
from itertools import repeat, starmap
from typing import Any, NamedTuple

from podline.runner import process_bound, pure_functions

KIND = type(functools.lru_cache(lambda: None))


class Call(NamedTuple):
    """A remembered call: its arguments, those by name as pairs, and its result."""

    arguments: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...]
    result: Any


class State(NamedTuple):
    """All that makes a cache.

    Attributes:
        function: that it remembers the results of.
        attributes: its own, such as its name.
        calls: what it remembers, the least recently used first.
        hits, misses: as it counts them.
    """

    function: Any
    attributes: tuple[tuple[str, Any], ...]
    calls: tuple[Call, ...]
    hits: int
    misses: int


def empty(maxsize: int | None, typed: bool) -> Any:
    """Make a cache to `fill`, of no function yet."""
    return functools.lru_cache(maxsize, typed)(functools.partial(print))


def state_of(cache: Any, forget: bool = False) -> State:
    """Read a cache.

    A connection that it remembers is left out: each stage's process makes its own.

    Args:
        cache: the cache.
        forget: take it for empty if nobody could tell, since its function only computes.

    Raises:
        PicklingError: it does not say what it holds.
    """
    info, function = cache.cache_info(), cache.__wrapped__
    attributes = tuple((n, v) for n, v in vars(cache).items() if n not in _OWN)
    calls = _calls(cache, info)
    plain = forget and all(pure_functions.is_plain(tuple(call)) for call in calls)
    if plain and pure_functions.is_pure(function):
        return State(function, attributes, (), 0, 0)
    calls = [call for call in calls if not process_bound.is_new(call.result)]
    return State(function, attributes, tuple(calls), info.hits, info.misses)


_OWN = ("__wrapped__", "cache_parameters")


def _calls(cache: Any, info: Any) -> list[Call]:
    """Read the calls: of an unbounded cache it is a dict; before another's there are its entries,
    each as key, result and type.
    """
    held, count = gc.get_referents(cache), info.currsize
    entries = held[held.index(type(cache)) + 1 :]
    at = 0 if info.maxsize is None else 3 * count
    table, *rest = entries[at:]
    if type(table) is not dict or len(table) != count:
        raise pickle.PicklingError("its cache cannot be read; call its cache_clear() before")
    mark = next(value for value in rest if type(value) is object)
    pairs = list(table.items()) if not at else zip(entries[:at:3], entries[1:at:3], strict=True)
    typed = cache.cache_parameters()["typed"]
    return [Call(*_arguments(key, mark, typed), result) for key, result in pairs]


def _arguments(key: Any, mark: object, typed: bool) -> tuple[tuple[Any, ...], Any]:
    """Take a key apart: arguments, then a mark with names and values, then the types of all."""
    if type(key) is not tuple:
        return (key,), ()
    positional = next((i for i, item in enumerate(key) if item is mark), -1)
    if positional < 0:
        return (key[: len(key) // 2] if typed else key), ()
    named = key[positional + 1 :]
    if typed:
        named = named[: 2 * (len(named) - positional) // 3]
    return key[:positional], tuple(zip(named[::2], named[1::2], strict=True))


def fill(cache: Any, state: State) -> None:
    """Make a cache that `empty` gave the one that was read.

    Args:
        cache: the empty one.
        state: of the other.

    Raises:
        PicklingError: it does not come out alike.
    """
    function, attributes, calls, hits, misses = state
    call, results = cache.__wrapped__, iter([call.result for call in calls])
    call.__setstate__((lambda *_, **__: next(results), (), {}, {}))
    for arguments, named, _ in calls:
        cache(*arguments, **dict(named))
    if calls and hits:
        arguments, named, _ = calls[-1]
        deque(starmap(functools.partial(cache, **dict(named)), repeat(arguments, hits)), 0)
    # What was forgotten since, or had failed, was a miss too: there is nothing left to give.
    for _ in range(misses - len(calls)):
        try:
            cache(object())
        except StopIteration:
            continue
    call.__setstate__((function, (), {}, {}))
    cache.__wrapped__ = function
    vars(cache).update(attributes)
    if cache.cache_info()[:2] != (hits if calls else 0, misses):
        raise pickle.PicklingError("its cache does not come back alike")
