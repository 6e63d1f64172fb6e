"""A cell that was run, with what it showed, as a notebook keeps it."""

import re
from dataclasses import dataclass, field
from typing import Required, TypedDict

# A bar's last return stands for "I will overwrite this": the text before that one is kept.
_OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)

Forms = dict[str, object]  # by MIME type


class Output(TypedDict, total=False):
    """What a cell showed, as nbformat has it; printed text still as a list of lines."""

    output_type: Required[str]
    name: str
    text: list[str]
    data: Forms
    metadata: Forms
    execution_count: int
    ename: str
    evalue: str
    traceback: list[str]


@dataclass
class ExecutedCell:
    """A cell that was run, with what it `shown` so far."""

    number: int
    source: str
    count: int | None = None
    seconds: float = 0.0
    shown: list[Output] = field(default_factory=list)
    outdated: bool = False  # what is shown goes when something else comes

    @property
    def outputs(self) -> list[dict[str, object]]:
        """What it showed, in the notebook's format."""
        return [
            {**output, "text": "\n".join(output["text"])} if "text" in output else {**output}
            for output in list(self.shown)
        ]

    def print(self, name: str, text: str) -> None:
        """Add printed text; of a progress bar only the last state stays."""
        self._clear_outdated()
        if not self.shown or self.shown[-1].get("name") != name:
            self.shown.append({"output_type": "stream", "name": name, "text": [""]})
        lines = self.shown[-1]["text"]
        first, *rest = collapse(lines[-1] + text).split("\n")
        lines[-1:] = [first, *rest]

    def show(self, output: Output) -> None:
        """Add a rich output."""
        self._clear_outdated()
        self.shown.append(output)

    def clear(self, wait: bool) -> None:
        """Take away what it showed, or (`wait`) do so when it shows something else."""
        self.outdated = True
        if not wait:
            self._clear_outdated()

    def _clear_outdated(self) -> None:
        if self.outdated:
            self.shown.clear()
            self.outdated = False


def collapse(text: str) -> str:
    """Return text as a terminal shows it: what follows a carriage return replaces the line."""
    return _OVERWRITTEN.sub("", text.replace("\r\n", "\n")) if "\r" in text else text
