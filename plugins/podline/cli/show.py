"""`podline show`: what a notebook becomes as a pipeline."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from podline.cli import graph
from podline.cli.console import make_console, make_table
from podline.cli.lint import Notebook, compiled
from podline.cli.values import counted
from podline.compiler.outline import Outline, StageOutline, outline


def command(
    notebook: Notebook,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print the graph only, as a Mermaid flowchart.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Show a notebook's parameters, its stages and their graph."""
    found = outline(compiled(notebook))
    if mermaid:
        typer.echo(graph.mermaid(found.graph))
    elif as_json:
        typer.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _print(make_console(), found)


def _print(console: Console, found: Outline) -> None:
    console.print(Text.assemble((found.notebook, "bold"), f"  {found.title}"))
    console.print()
    if found.parameters:
        console.print(_parameters(found))
        console.print()
    console.print(_stages(found))
    if any(stage.not_applied for stage in found.stages):
        console.print(Text("* not applied where stages run as local processes", "dim"))
    counts = [counted(number, kind) for kind, number in found.carried.items() if number]
    if counts:
        console.print()
        console.print(f"Carried to the stages that need them: {', '.join(counts)}.")
    console.print()
    for line in graph.draw(found.graph):
        console.print(line.translate(graph.ASCII) if console.options.ascii_only else line)


def _parameters(found: Outline) -> Table:
    table = make_table("parameter", "type", "default", "description")
    for parameter in found.parameters:
        default = repr(parameter.default)  # as the option -p takes it
        table.add_row(parameter.name, parameter.type, default, parameter.description)
    return table


def _stages(found: Outline) -> Table:
    """A table with a row a stage; without the settings where there are none."""
    columns = ["#", "stage", "cells", "waits for", "reads", "hands on", "settings"]
    has_settings = any(stage.settings for stage in found.stages)
    table = make_table(*columns[: None if has_settings else -1])
    for number, stage in enumerate(found.stages, start=1):
        row = [
            str(number),
            stage.name,
            " ".join(map(str, stage.cells)),
            "\n".join(f"{name} ({why})" for name, why in stage.waits_for.items()),
            "\n".join(f"{name}: {', '.join(names)}" for name, names in stage.reads.items()),
            ", ".join(stage.hands_on),
        ]
        table.add_row(*row, *([_settings(stage)] if has_settings else []))
    return table


def _settings(stage: StageOutline) -> str:
    return "\n".join(
        f"{name}{'*' if name in stage.not_applied else ''}: {_plain(value)}"
        for name, value in stage.settings.items()
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
