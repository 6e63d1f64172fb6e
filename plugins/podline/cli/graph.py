"""A pipeline's graph as text: rails from each stage to those that wait for it, or Mermaid."""

from collections.abc import Collection, Mapping

# For terminals without these characters; the widths stay.
ASCII = str.maketrans("●│├╮╯─┬┴┼", "*||++-+++")

Parents = Mapping[str, Collection[str]]


def draw(parents: Parents) -> list[str]:
    """Return a drawing: a line for each stage, and lines between them that branch and join.

    Args:
        parents: by stage, the stages that it waits for; each stage after all of these.
    """
    rails = _Rails()
    for name, waits in parents.items():
        children = [child for child, others in parents.items() if name in others]
        rails.add(name, bool(waits), children)
    width = max(len(line) for line, _ in rails.lines) if rails.lines else 0
    return [f"{line:{width}}  {name}".rstrip() for line, name in rails.lines]


class _Rails:
    """Columns, each with the stage that its rail leads to, or None."""

    def __init__(self) -> None:
        self.targets: list[str | None] = []
        self.lines: list[tuple[str, str]] = []  # the drawing, and the stage of that line

    def add(self, name: str, waits: bool, children: list[str]) -> None:
        """Draw a stage: its rails join, and one leaves for each child.

        Args:
            name: the stage's.
            waits: whether it waits for any.
            children: the stages that wait for it.
        """
        if waits:
            own, *others = [i for i, target in enumerate(self.targets) if target == name]
        else:
            own, others = self._start(name), []
        if others:
            self._link(own, others, "┴╯")
            for column in others:
                self.targets[column] = None
        self.lines.append((self._row({own: "●"}), name))
        self.targets[own] = children[0] if children else None
        added = []
        for child in children[1:]:
            added.append(self._free(own + 1))
            self.targets[added[-1]] = child
        if added:
            self._link(own, sorted(added), "┬╮")

    def _start(self, name: str) -> int:
        """A column for a stage that waits for none, set apart from a stage right above."""
        column = self._free(0)
        if self.lines and self.lines[-1][0][2 * column : 2 * column + 1] == "●":
            self.lines.append((self._row({}), ""))
        self.targets[column] = name
        return column

    def _free(self, first: int) -> int:
        for column in range(first, len(self.targets)):
            if self.targets[column] is None:
                return column
        self.targets.append(None)
        return len(self.targets) - 1

    def _row(self, marks: dict[int, str], line: range = range(0)) -> str:
        """A line of rails, with marks at some columns; `line`: where it is crossed by a line."""
        text = ""
        for column, target in enumerate(self.targets):
            crossed = "┼" if target else "─"
            rail = "│" if target else " "
            text += marks.get(column, crossed if column in line else rail)
            text += "─" if column in line and column + 1 in line else " "
        return text.rstrip()

    def _link(self, own: int, others: list[int], ends: str) -> None:
        """A line across from the stage's own rail to others, at its right."""
        marks = {own: "├", **dict.fromkeys(others, ends[0]), others[-1]: ends[1]}
        self.lines.append((self._row(marks, range(own, others[-1] + 1)), ""))


def mermaid(parents: Parents) -> str:
    """Return the graph as a Mermaid flowchart."""
    # Ids of our own, since a stage may have a name that Mermaid reserves, such as `end`.
    ids = {name: f"s{number}" for number, name in enumerate(parents, start=1)}
    lines = ["flowchart TD"]
    lines += [f'    {ids[name]}["{name}"]' for name in parents]
    lines += [f"    {ids[p]} --> {ids[name]}" for name, waits in parents.items() for p in waits]
    return "\n".join(lines)
