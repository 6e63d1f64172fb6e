"""The names of a run of statements: which are bound so far, which were read, which are functions.

A read matters only if the name may come from before the statements. So `Namespace` keeps apart
the names that are *certainly* bound here, whose reads need nothing from before, and those that
*may* be bound, whose reads do::

    if fast:
        size = 10        # may be bound
    rows = load(size)    # reads `size` from before; `rows` is certainly bound

Without the difference the stage of these lines would get no `size`, and fail where `fast` is
False.
"""

import ast
import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from podline.compiler.asked_names import Asked
from podline.compiler.function_effects import Function

_OF_EVERY_KERNEL = (
    "__name__ __doc__ __builtins__ __builtin__ __debug__ get_ipython display exit quit open"
)
# Names that a notebook has without binding them.
KNOWN_NAMES = frozenset(dir(builtins)).union(_OF_EVERY_KERNEL.split())


class Place(NamedTuple):
    """Where something stands: the cell's number and the line in it."""

    cell: int
    line: int


@dataclass(frozen=True)
class Trouble:
    """A construct whose effect on names cannot be seen."""

    place: Place
    message: str
    fix: str


@dataclass
class Effects:
    """The names of a run of statements.

    Attributes:
        reads: names read when they may not have been bound here, with where first.
        guarded: those of `reads` and `deferred` that nobody misses if they are bound nowhere:
            their NameError is caught, or a text or shell line only looks as if it had a name.
        deferred: names that a function or lambda may read when it is called. They may be bound
            below its definition, so only one that is bound nowhere is undefined.
        bound: names that are certainly bound at the end.
        may_bind: names that may have been bound.
        deleted: names that are certainly deleted at the end, with where.
        changes: names whose object is visibly changed.
        functions: the functions, classes and lambdas bound to names.
        modules: names that an `import` bound last.
        attributes: what is assigned to that is no name, such as `a.b` and `a.b[c]`, with where.
        shown: names under which IPython keeps what a cell showed.
        stars: modules of `from module import *`.
        troubles: constructs that cannot be analysed.
    """

    reads: dict[str, Place] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    deferred: dict[str, Place] = field(default_factory=dict)
    bound: set[str] = field(default_factory=set)
    may_bind: set[str] = field(default_factory=set)
    deleted: dict[str, Place] = field(default_factory=dict)
    changes: set[str] = field(default_factory=set)
    functions: dict[str, Function] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    attributes: list[tuple[ast.expr, Place]] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    stars: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def all_reads(self) -> set[str]:
        """The names that may be read from before, now or when a function is called."""
        return self.reads.keys() | self.deferred.keys()


class Namespace:
    """Keeps account of names while statements are followed in the order of execution.

    Attributes:
        effects: what is known so far.
        known: the functions that names stand for, those of earlier cells as well: using one of
            them may have the effects of its body.
        unsure: above 0 inside a part that may not run, where a `del` deletes nothing for certain.
        name_error_caught: above 0 inside a `try` that catches the NameError of an unbound name.
        asked: the names that were asked for as texts: that they may be missing is known.
    """

    def __init__(self, functions: dict[str, Function]) -> None:
        self.effects = Effects()
        self.known = dict(functions)
        self.unsure = 0
        self.name_error_caught = 0
        self.asked: set[str] = set()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Follow a part that may not run: what it binds is not certain after it."""
        before = set(self.effects.bound)
        self.unsure += 1
        yield
        self.unsure -= 1
        self.effects.bound = before

    def bind(self, name: str) -> None:
        """Bind a name to something of which nothing is known."""
        self.effects.may_bind.add(name)
        self.effects.bound.add(name)
        self.effects.modules.discard(name)
        self.known.pop(name, None)
        if not self.unsure:
            self.effects.deleted.pop(name, None)

    def unbind(self, name: str, where: Place) -> None:
        """Delete a name, which must be there: that is a read as well."""
        self.read_name(name, where)
        self.effects.bound.discard(name)
        if not self.unsure:
            self.effects.deleted[name] = where

    def define(self, name: str, function: Function, place: Place) -> None:
        """Bind a name to a function or class; what its body reads is read when it is called.

        Args:
            name: the name.
            function: what its body does.
            place: where the definition stands.
        """
        self.bind(name)
        self.known[name] = self.effects.functions[name] = function
        for read in function.reads - self.effects.bound:
            line = function.lines.get(read, place.line)
            if read in function.may_read and read not in self.effects.all_reads:
                self.effects.guarded.add(read)
            self.effects.deferred.setdefault(read, Place(place.cell, line))

    def read_name(self, name: str, where: Place) -> None:
        """Read a name, and have the effects of the function that it stands for.

        A read outside of any `try` takes the guard off the name, unless it may be bound by then:
        in ``try: a`` / ``except NameError: a = 1`` the `a` after it is no question any more.
        """
        effects = self.effects
        if name not in effects.bound:
            needed = name in effects.reads and name not in effects.guarded
            if name in effects.shown and not needed:
                self.read_perhaps(name, where)  # a name of the notebook's goes before IPython's
            elif self.name_error_caught:
                effects.guarded.add(name)
            elif name not in effects.may_bind and name not in self.asked:
                effects.guarded.discard(name)
            effects.reads.setdefault(name, where)
        if name in self.known:
            self.call(self.known[name], where, {name})

    def read_perhaps(self, name: str, where: Place) -> None:
        """Read what may be a name of the notebook, and may be none."""
        if name not in self.effects.bound and name not in self.effects.reads:
            self.effects.guarded.add(name)
            self.effects.reads[name] = where

    def ask(self, found: Asked, where: Place) -> None:
        """Read the names that are asked of the namespace, and have them bound where they may be."""
        for name in found.names:
            if found.needed:
                self.read_name(name, where)
            else:
                self.asked.add(name)
                self.read_perhaps(name, where)
            if found.binds:
                self.effects.may_bind.add(name)
                self.known.pop(name, None)

    def call(self, function: Function, where: Place, seen: set[str]) -> None:
        """Have a function's effects here, where it is used: whoever gets it may call it.

        In ``map(scale, rows)`` no call of `scale` is written, and its body runs all the same.

        Args:
            function: what the body does.
            where: what reads it.
            seen: names of functions that were followed already; they may call each other.
        """
        self.may_read(function, where)
        for read in function.reads:
            if read not in self.effects.bound:
                self.effects.deferred.setdefault(read, where)
            if read in self.known and read not in seen:
                seen.add(read)
                self.call(self.known[read], where, seen)
        self.effects.changes |= function.changes
        self.effects.may_bind |= function.binds

    def may_read(self, function: Function, where: Place) -> None:
        """Read what is read only if there is such a name: nobody misses the others.

        Whoever unpickles may get an instance of any class above, and needs them all.
        """
        names = function.may_read | (set(self.known) if function.unpickles else set())
        for name in names - self.effects.bound:
            if name not in self.effects.reads and name not in self.effects.deferred:
                self.effects.guarded.add(name)
            self.effects.deferred.setdefault(name, where)
