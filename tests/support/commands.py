"""The commands and the targets of `make` that there are, by which pages are checked."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from podline.cli import app
from tests.support.dags_test import ROOT


def commands(group: Any, *path: str) -> Iterator[tuple[str, set[str]]]:
    """Every command with its options' long names."""
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            options = [o for p in command.params for o in p.opts if o.startswith("--")]
            yield " ".join((*path, name)), {*options} - {"--help"}


COMMANDS = dict(commands(typer.main.get_command(app)))
GROUPS = {name.split()[0] for name in COMMANDS}


def named_command(text: str) -> str:
    """The command that words after ``podline`` begin with."""
    words = text.split()
    for length in (2, 1):
        if (name := " ".join(words[:length])) in COMMANDS:
            return name
    return words[0] if len(words) == 1 and words[0] in GROUPS else ""


def targets() -> set[str]:
    """The targets that ``make`` lists."""
    found = re.findall(r"^([a-z -]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for names in found for name in names.split()}
