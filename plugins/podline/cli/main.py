"""Puts the commands together, and tells the errors that podline raises on purpose."""

import os
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from io import TextIOWrapper
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from podline import __version__
from podline.exceptions import PodlineError
from podline.extensions import COMMANDS, extensions

# By name, where it is: loaded when it runs, so that `podline lint` costs little more than linting.
_OWN = {
    "lint": "lint:command",
    "show": "show:command",
    "inspect": "inspection:command",
    "deploy": "deploy:command",
    "trigger": "trigger:command",
    "join": "notebook:join",
    "run": "run:command",
    "runs": "runs:command",
    "latency": "latency:command",
    "notebook": "notebook:fetch",
    "clean": "store:clean",
    "sweep-pods": "pods:sweep",
    "up": "up:command",
    "models": "models:app",
    "data": "data:app",
    "edge": "edge:app",
    "store": "store:app",
}


class _Commands(Mapping[str, Any]):
    """Commands by name, each loaded when it is asked for."""

    def __iter__(self) -> Iterator[str]:
        yield from (*_OWN, *self._added)

    def __len__(self) -> int:
        return len(_OWN) + len(self._added)

    def __getitem__(self, name: str) -> Any:
        own = _OWN.get(name)
        found = resolve_name(f"podline.cli.{own}") if own else self._added[name]
        group = typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            group.add_typer(found, name=name)
        else:
            group.command(name)(found)
        return typer.main.get_group(group).commands[name]

    @cached_property
    def _added(self) -> dict[str, Any]:
        """Those of other packages."""
        return dict(extensions(COMMANDS))


class _Podline(TyperGroup):
    """Tells the errors that podline raises on purpose in one line; others keep their traceback."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # it reads only

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PodlineError as error:
            typer.echo(f"{typer.style('podline: error:', fg='red')} {error}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("podline: interrupted", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Podline,
    name="podline",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,  # it would show the values of variables: keys, too
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"podline {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Run a notebook as an Airflow pipeline of pods, and know where every second went."""
    # The store and Airflow of this machine are not reached through a proxy.
    for name in ("NO_PROXY", "no_proxy"):
        direct = os.environ.get(name, "")
        if direct != "*" and "127.0.0.1" not in direct:
            os.environ[name] = f"127.0.0.1,localhost,{direct}".rstrip(",")
    if os.environ.get("NO_COLOR"):
        context.color = False
    for stream in (sys.stdout, sys.stderr):
        # A notebook prints what it likes; a terminal without UTF-8 must not end the run.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
