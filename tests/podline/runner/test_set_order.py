"""Sets of any history, rebuilt: they iterate in the same order."""

import os
import subprocess
import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from podline.runner import set_order

from .conftest import Chain

numbers = st.integers(-(10**6), 10**6)
elements = numbers | st.text(max_size=3) | st.tuples(numbers, st.booleans())


def rebuilt(values: set[Any]) -> set[Any]:
    made: set[Any] = set()
    set_order.fill(made, *set_order.layout(values))
    return made


@given(st.lists(elements, max_size=200), st.data())
def test_the_order_is_kept(items: list[Any], data: st.DataObject) -> None:
    values = set(items)
    values.difference_update(data.draw(st.lists(st.sampled_from(items))) if items else [])
    values.update(data.draw(st.sets(elements)))
    assert list(rebuilt(values)) == list(values)


def test_sets_that_were_made_in_other_ways() -> None:
    shrunk = set(range(0, 64_000, 64))
    for number in range(64, 64_000, 64):
        shrunk.remove(number)
    shrunk |= {1, 33, 65}
    for values in (shrunk, set(dict.fromkeys("abcdefgh")), {*"abc"} | {*"xyz"}, set("ab"), set()):
        assert list(rebuilt(values)) == list(values)
        assert sys.getsizeof(rebuilt(values)) == sys.getsizeof(values)


def test_a_large_set() -> None:
    values = {number * number % 1_000_003 for number in range(50_000)}
    assert list(rebuilt(values)) == list(values)


def test_a_set_that_is_stored(chain: Chain) -> None:
    chain.stage(
        "s = {n * 37 % 101 for n in range(40)}\norder = list(s)\nholds = [s, {'s': s}]\n"
        "class Node: pass\nnode = Node()\nnode.all = {node}",
        hands_on="s order holds node Node",
    )
    left = chain.stage("", reads="s order holds node")
    names = left.namespace
    assert list(names["s"]) == names["order"]
    assert names["holds"][0] is names["s"] is names["holds"][1]["s"]
    assert names["node"].all == {names["node"]}


def test_the_same_texts_in_another_process() -> None:
    head = "import pickle, sys; from podline.runner import set_order;"
    dump = head + (
        "s = {f'word {n}' for n in range(1000)};"
        "sys.stdout.buffer.write(pickle.dumps((set_order.layout(s), list(s))))"
    )
    load = head + (
        "layout, order = pickle.load(sys.stdin.buffer); made = set();"
        "set_order.fill(made, *layout); assert list(made) == order"
    )
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": path}
    data = b""
    for code in (dump, load):
        command = [sys.executable, "-c", code]
        data = subprocess.run(
            command, env=environment, input=data, stdout=subprocess.PIPE, check=True
        ).stdout
