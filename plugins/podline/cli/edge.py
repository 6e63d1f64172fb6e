"""`podline edge`: a server that answers requests with published models, and devices that ask it."""

from pathlib import Path
from typing import Annotated

import typer

from podline.cli import rollouts, simulate

app = typer.Typer(name="edge", no_args_is_help=True, help="Serve published models at the edge.")

_MIB = 1024 * 1024


@app.callback()
def _group() -> None:
    """Serve published models at the edge."""


app.command("rollout")(rollouts.rollout)
app.command("fleet")(rollouts.fleet)
app.command("simulate")(simulate.command)


@app.command("serve")
def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="Each a NAME or NAME@ALIAS; by default @latest."),
    ],
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 is everywhere.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Where to listen; 0 takes one that is free.")] = 8500,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where versions are kept; by default edge in [podline] home."),
    ] = None,
    interval: Annotated[
        float, typer.Option(min=0.05, help="Seconds between two looks at an alias.")
    ] = 0.5,
    keep: Annotated[int, typer.Option(min=1, help="Versions of a model on the disk.")] = 3,
    disk: Annotated[int, typer.Option(min=1, help="MiB that all versions may have there.")] = 1024,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a request may use.")] = 1,
    trusted: Annotated[
        Path | None, typer.Option(help="File of public keys: takes what one of them signed only.")
    ] = None,
    body: Annotated[int, typer.Option(min=1, help="MiB that a request may have.")] = 16,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests under way at once.")] = 64,
    timeout: Annotated[
        float,
        typer.Option(min=0.1, help="Seconds in which a request must arrive, and be answered."),
    ] = 10.0,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds it goes on after SIGTERM, said to be not ready.")
    ] = 0.0,
    node: Annotated[
        str, typer.Option(help="The name by which the node is known; by default the host's.")
    ] = "",
    address: Annotated[
        str,
        typer.Option(help="The URL at which others reach it: it registers in the store with that."),
    ] = "",
) -> None:
    """Answer requests with the models' versions, and take up new ones without a failed request.

    It speaks the Open Inference Protocol, version 2. Where the variable PODLINE_EDGE_TOKEN is set,
    loading and unloading asks for that token.
    """
    from podline import secrecy, settings
    from podline.edge.limits import Limits
    from podline.edge.serve import Options, run
    from podline.store import open_store

    token = secrecy.take_variable("PODLINE_EDGE_TOKEN")
    secrecy.hide(token)
    named = {"node": node} if node else {}
    options = Options(
        models=models,
        folder=folder or settings.home() / "edge",
        host=host,
        port=port,
        interval=interval,
        keep=keep,
        disk=disk * _MIB,
        threads=threads,
        trusted=trusted,
        token=token,
        drain=drain,
        address=address,
        limits=Limits(body * _MIB, concurrency, timeout),
        **named,
    )
    run(options, open_store())
