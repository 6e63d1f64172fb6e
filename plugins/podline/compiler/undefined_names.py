"""The names that a notebook reads and nobody binds, or binds too late.

Jupyter says so after an hour of training, in the cell that reads the name. Here it is an error
before the run, and a typo's fix is named. Only what is certain is an error::

    print(rowz)               # nobody binds it: undefined
    def f(): return rowz      # the same: whenever it is called, there is no such name
    def g(): return later     # no error if any cell binds `later`: it may be called below that
    if a: b = 1
    print(b)                  # no error: the same stage may have bound it
"""

from collections.abc import Sequence

from podline.compiler.namespace import KNOWN_NAMES, Effects, Place
from podline.compiler.notebook import Notes
from podline.compiler.pipeline import Stage
from podline.compiler.preamble import CarriedStatement
from podline.text import nearest


def find_undefined(
    stages: Sequence[Stage], carried: Sequence[CarriedStatement], notes: Notes
) -> set[str]:
    """Note every name that is read before it is bound.

    Args:
        stages: in the notebook's order.
        carried: the statements of imports, functions and parameters cells, in that order too.
        notes: takes the problems.

    Returns:
        The names that nobody binds. Where a module's names are all imported (`import *`) they may
        come from there, and are no problem.
    """
    search = _Search(stages, carried, notes)
    search.check_carried()
    search.check_stages()
    return search.unresolved


class _Search:
    """Goes through what reads names, and knows what is bound where.

    Attributes:
        ever: the names that any cell may bind.
        unresolved: the undefined names so far.
        starred: a module's names are all imported, whichever these are.
    """

    def __init__(
        self, stages: Sequence[Stage], carried: Sequence[CarriedStatement], notes: Notes
    ) -> None:
        self.stages, self.carried, self.notes = stages, carried, notes
        self.unresolved: set[str] = set()
        self.bound_in_stages = {name for stage in stages for name in stage.effects.may_bind}
        self.ever = self.bound_in_stages.union(*(s.carried.binds for s in carried))
        imports = [s for stage in stages for s in stage.imports]
        self.starred = any(s.star for s in [*carried, *imports])

    def check_carried(self) -> None:
        """Check carried statements, each of which has what those above it bind.

        One that reads what a stage binds was refused already.
        """
        before = set(self.bound_in_stages)
        for statement in self.carried:
            for name, place in statement.effects.reads.items():
                if name not in before:
                    self._undefined(name, place, statement.effects)
            self._check_deferred(statement.effects)
            before.update(statement.carried.binds)

    def check_stages(self) -> None:
        """Check stages, each of which has its own names, those carried from above and those that
        the stages above left.
        """
        above: dict[str, Place | None] = {}  # names they bound, and where each was deleted, if so
        for stage in self.stages:
            own = stage.effects.may_bind
            for name, place in stage.effects.reads.items():
                carried = any(
                    name in s.carried.binds for s in self.carried if s.carried.cell < place.cell
                )
                there = name in above and above[name] is None
                if not (carried or there or name in own):
                    self._undefined(name, place, stage.effects, above.get(name))
            self._check_deferred(stage.effects)
            above.update(dict.fromkeys(stage.effects.may_bind))
            above.update(stage.effects.deleted)

    def _check_deferred(self, effects: Effects) -> None:
        for name, place in effects.deferred.items():
            if name not in self.ever | self.unresolved:
                self._undefined(name, place, effects)

    def _undefined(
        self, name: str, place: Place, effects: Effects, deleted: Place | None = None
    ) -> None:
        if name in KNOWN_NAMES or name in effects.guarded:
            return
        remembered = name in ("In", "Out", "_ih", "_oh", "_dh") or not name.strip("_i0123456789")
        self.unresolved.add(name)
        if self.starred and not remembered:
            return
        if remembered:
            message = f"{name!r} is IPython's memory of cells and outputs, which is not carried"
            fix = "give the value a name"
        elif deleted:
            message = f"{name!r} is deleted in cell {deleted.cell}, before it is read here"
            fix = f"do not delete it there, or bind {name!r} again"
        elif name in self.ever:
            message = f"{name!r} is read before it is bound: {self._bound_below(name)}"
            fix = "move the cell that binds it up"
        else:
            message = f"undefined name {name!r}"
            near = nearest(name, self.ever, cutoff=0.8)
            fix = "bind or import it in a cell above; is its cell tagged skip?"
            fix = f"did you mean {near!r}?" if near else fix
        self.notes.add(message, fix, place.cell, place.line)

    def _bound_below(self, name: str) -> str:
        cells = [s.carried.cell for s in self.carried if name in s.carried.binds]
        cells += [s.cells[0].number for s in self.stages if name in s.effects.may_bind and s.cells]
        return f"it is bound only from cell {min(cells)} on"
