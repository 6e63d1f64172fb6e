"""The names that a notebook reads and nobody binds, or binds too late."""

from collections.abc import Sequence

from podline.compiler.namespace import KNOWN_NAMES, Place
from podline.compiler.notebook import Notes
from podline.compiler.pipeline import Stage
from podline.compiler.preamble import CarriedStatement
from podline.contract import Carried


def find_undefined(
    stages: Sequence[Stage], carried: Sequence[CarriedStatement], notes: Notes
) -> set[str]:
    """Note every name that is read before it is bound.

    Args:
        stages: in the notebook's order.
        carried: the statements of imports, functions and parameters cells.
        notes: takes the problems.

    Returns:
        The names that nobody binds. Where a module's names are all imported (`import *`) they may
        come from there, and are no problem.
    """
    search = _Search(stages, carried, notes)
    search.check()
    return search.unresolved


class _Search:
    def __init__(
        self, stages: Sequence[Stage], carried: Sequence[CarriedStatement], notes: Notes
    ) -> None:
        self.stages, self.carried, self.notes = stages, carried, notes
        self.unresolved: set[str] = set()
        self.ever = {name for stage in stages for name in stage.effects.may_bind}
        self.ever |= {name for s in carried for name in s.carried.binds}
        imports = [s for stage in stages for s in stage.imports]
        self.starred = any(s.star for s in [*carried, *imports])

    def check(self) -> None:
        self._check_carried()
        self._check_stages()

    def _check_carried(self) -> None:
        for statement in self.carried:
            for name, place in statement.effects.reads.items():
                before = self._carried_before(statement.carried)
                if name not in before and not any(name in s.effects.may_bind for s in self.stages):
                    self._undefined(name, place, statement.effects.guarded)
            for name, place in statement.effects.deferred.items():
                if name not in self.ever | self.unresolved:
                    self._undefined(name, place, statement.effects.guarded)

    def _check_stages(self) -> None:
        available: dict[str, Place | None] = {}
        for stage in self.stages:
            for name, place in stage.effects.reads.items():
                carried = any(
                    name in s.carried.binds for s in self.carried if s.carried.cell < place.cell
                )
                bound_here = name in stage.effects.may_bind or name in stage.effects.shown
                if carried or bound_here or available.get(name, place) is None:
                    continue
                self._undefined(name, place, stage.effects.guarded, available.get(name))
            for name, place in stage.effects.deferred.items():
                if name not in self.ever | self.unresolved:
                    self._undefined(name, place, stage.effects.guarded)
            available.update(dict.fromkeys(stage.effects.may_bind))
            available.update(stage.effects.deleted)

    def _carried_before(self, carried: Carried) -> set[str]:
        position = (carried.cell, carried.line)
        return {
            name
            for s in self.carried
            if (s.carried.cell, s.carried.line) < position
            for name in s.carried.binds
        }

    def _undefined(
        self,
        name: str,
        place: Place,
        guarded: set[str],
        deleted: Place | None = None,
    ) -> None:
        if name in KNOWN_NAMES or name in guarded:
            return
        self.unresolved.add(name)
        if self.starred:
            return
        if name in ("In", "Out", "_ih", "_oh") or not name.strip("_i0123456789"):
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
            fix = self._suggest(name)
        self.notes.add(message, fix, place.cell, place.line)

    def _bound_below(self, name: str) -> str:
        cells = [s.carried.cell for s in self.carried if name in s.carried.binds]
        cells += [s.cells[0].number for s in self.stages if name in s.effects.may_bind and s.cells]
        return f"it is bound only from cell {min(cells)} on"

    def _suggest(self, name: str) -> str:
        import difflib

        near = difflib.get_close_matches(name, sorted(self.ever), n=1, cutoff=0.8)
        if near:
            return f"did you mean {near[0]!r}?"
        return "bind or import it in a cell above; is its cell tagged skip?"
