"""Sets that iterate in the same order in another process.

Equal sets may iterate differently, since the order is that of the hash table, which shows how
large the set grew and in which order elements met the same slot:

    list({8, 0}) == [8, 0]
    list({0, 8}) == [0, 8]

A notebook that numbers its labels by `enumerate(set(labels))` in one stage, and again in the
next, gets the same numbers only if the set has kept its order. Pickle puts the elements into a
new set in the order in which they come out. That gives another order for half of all small sets
and for nearly all large ones. So the table is read here, and an order found in which to fill a
new one of the same size alike. Hashes of texts are the same in all processes of a run
(PYTHONHASHSEED).

The table's form is CPython's (Objects/setobject.c, 3.9 to 3.14). Where it is not as expected,
the elements are kept without their order.
"""

import sys
from collections.abc import Iterator
from typing import Any

_LINEAR_PROBES, _PERTURB_SHIFT = 9, 5
_SMALLEST = 8  # slots


class _Ballast:
    """Takes the slot of its number in a table, whatever else is in it."""

    __slots__ = ("hash",)

    def __init__(self, slot: int) -> None:
        self.hash = slot | 1 << 60  # no small number's hash

    def __hash__(self) -> int:
        return self.hash


def layout(values: set[Any]) -> tuple[int, list[int], list[Any]]:
    """Describe how to make a set that iterates as this one does.

    The order of filling matters only among elements that meet in a slot: the one that came first
    has it, the next goes on to another. A removed element leaves its slot marked, and whoever
    came later has gone around it.

    Returns:
        The number of slots, the slots that elements since removed have left unusable, and the
        elements in an order in which each finds its slot.
    """
    import ctypes

    # Reference count, type, and what is named here.
    _, _, fill, used, mask, table = (ctypes.c_ssize_t * 6).from_address(id(values))
    size = mask + 1
    if not _is_as_expected(values, fill, used, mask):
        return _SMALLEST, [], list(values)
    entries = (ctypes.c_ssize_t * (2 * size)).from_address(table)
    elements = iter(values)
    filled: dict[int, tuple[int, Any]] = {}
    gaps = []
    for slot in range(size):
        if entries[2 * slot]:
            code = entries[2 * slot + 1]
            if code == -1:  # of a removed element
                gaps.append(slot)
            else:
                filled[slot] = code, next(elements)
    return size, gaps, [filled[slot][1] for slot in _in_order(filled, size - 1)]


def _is_as_expected(values: set[Any], fill: int, used: int, mask: int) -> bool:
    """Whether what was read is a set's head, before the pointer in it is followed."""
    size = mask + 1
    return (
        sys.implementation.name == "cpython"
        and used == len(values) <= fill < size
        and size & mask == 0
        and size >= _SMALLEST
    )


def _in_order(filled: dict[int, tuple[int, Any]], mask: int) -> Iterator[int]:
    """Yield the slots so that each comes after those that its element would have taken before.

    Put in earlier, the element would have found one of those free, and be there.

    Args:
        filled: the hash and the element in each slot.
        mask: the number of slots less one.
    """
    met: set[int] = set()
    for start in filled:
        # A slot is met a second time when all that comes before it is done.
        stack = [(start, False)]
        while stack:
            slot, ready = stack.pop()
            if ready:
                yield slot
            elif slot not in met:
                met.add(slot)
                before = _probed(filled[slot][0], slot, mask)
                stack += [(slot, True), *((s, False) for s in before if s in filled)]


def _probed(code: int, slot: int, mask: int) -> Iterator[int]:
    """Yield the slots that an element passed before it got to its own: CPython's probing.

    Args:
        code: its hash.
        slot: its own.
        mask: the number of slots less one.
    """
    perturb = code & (2**64 - 1)
    first = perturb & mask
    while True:
        last = first + _LINEAR_PROBES if first + _LINEAR_PROBES <= mask else first
        for probe in range(first, last + 1):
            if probe == slot:
                return
            yield probe
        perturb >>= _PERTURB_SHIFT
        first = (first * 5 + 1 + perturb) & mask


def fill(values: set[Any], size: int, gaps: list[int], elements: list[Any]) -> None:
    """Fill an empty set as `layout` described.

    What counts is that the table gets its size before the first element comes: a table that
    grows is filled anew, in an order of its own. Ballast takes the slots that were left marked,
    and makes up the numbers where too few elements are left for the size; it is removed at the
    end.

    Args:
        values: the empty set.
        size: the number of slots.
        gaps: the slots to leave marked, as by elements since removed.
        elements: in an order in which each finds its slot.
    """
    ballast: list[Any] = [_Ballast(slot) for slot in gaps]
    first = [*ballast, *elements]
    # A dict makes room for all of its keys at once: for so many, the table gets this size.
    most, least = size // 2 - 1, size // 4 + 1
    if size > _SMALLEST:
        if len(first) < least:
            more = _free_slots(first, size, least - len(first))
            ballast += more
            first += more
        values.update(dict.fromkeys(first[:most]))
        first = first[most:]
    values.update(first)
    for weight in ballast:
        values.remove(weight)


def _free_slots(taken: list[Any], size: int, number: int) -> list[_Ballast]:
    """Ballast for slots that are not an element's first choice."""
    wanted = {hash(element) & (size - 1) for element in taken}
    free = (slot for slot in reversed(range(size)) if slot not in wanted)
    return [_Ballast(next(free)) for _ in range(number)]
