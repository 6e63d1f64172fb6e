"""Puts the commands together, and tells the errors that podline raises on purpose."""

import os
import sys
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from podline import __version__
from podline.cli import (
    clean,
    data,
    join,
    latency,
    lint,
    models,
    notebook,
    run,
    runs,
    show,
    store,
    sweep,
    up,
)
from podline.exceptions import PodlineError
from podline.extensions import COMMANDS, extensions


class _Podline(TyperGroup):
    """Tells the errors that podline raises on purpose in one line; others keep their traceback."""

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
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"max_content_width": 100},
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
    direct = os.environ.get("NO_PROXY") or os.environ.get("no_proxy", "")
    if "127.0.0.1" not in direct:
        direct = f"127.0.0.1,localhost,{direct}".rstrip(",")
        os.environ |= {"NO_PROXY": direct, "no_proxy": direct}
    if os.environ.get("NO_COLOR"):
        context.color = False
    for stream in (sys.stdout, sys.stderr):
        # A notebook prints what it likes; a terminal without UTF-8 must not end the run.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


app.command("lint")(lint.command)
app.command("show")(show.command)
app.command("join")(join.command)
app.command("run")(run.command)
app.command("runs")(runs.command)
app.command("latency")(latency.command)
app.command("notebook")(notebook.command)
app.command("clean")(clean.command)
app.command("sweep-pods")(sweep.command)
app.add_typer(models.app)
app.add_typer(data.app)
app.add_typer(store.app)
app.command("up")(up.command)
for _name, _app in extensions(COMMANDS):
    app.add_typer(_app, name=_name)
