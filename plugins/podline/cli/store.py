"""`podline store`: the embedded store, started, stopped and lent; the keys of a cluster's."""

import json
import shlex
from typing import Annotated

import typer

from podline.cli import stores

app = typer.Typer(name="store", help="Run the embedded object store.", no_args_is_help=True)


@app.command("start")
def start() -> None:
    """Start the embedded store, until `podline store stop`."""
    from podline.store import seaweedfs

    connection = seaweedfs.start(stores.embedded_folder())
    typer.echo(f"the store runs: {connection}")


@app.command("stop")
def stop() -> None:
    """Stop the embedded store; its data stays."""
    from podline.store import seaweedfs

    stopped = seaweedfs.stop(stores.embedded_folder())
    typer.echo("the store is stopped" if stopped else "the store did not run")


@app.command("status")
def status() -> None:
    """Say whether the embedded store runs; fails if it does not."""
    from podline.store import seaweedfs

    folder = stores.embedded_folder()
    if not seaweedfs.is_running(folder):
        typer.echo(f"the store of {folder} does not run")
        raise typer.Exit(1)
    typer.echo(f"the store of {folder} runs: {seaweedfs.connection(folder)}")


Namespace = Annotated[str, typer.Option(help="The store's namespace in the cluster.")]


@app.command("env")
def env(
    cluster: Annotated[
        bool, typer.Option("--cluster", help="The store in the cluster of KUBECONFIG instead.")
    ] = False,
    namespace: Namespace = "podline",
    endpoint: Annotated[
        str, typer.Option(help="The address of the cluster's store as seen from here.")
    ] = "",
) -> None:
    """Print the connection for a shell, its secret key included.

    Use it as: eval "$(podline store env)"
    """
    from podline.store import in_cluster, seaweedfs

    folder = stores.embedded_folder()
    connection = (
        in_cluster.connection(namespace, endpoint) if cluster else seaweedfs.connection(folder)
    )
    for name, value in connection.to_env().items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    if not (cluster or seaweedfs.is_running(folder)):
        typer.echo("podline: the store does not run: podline store start", err=True)


@app.command("secrets")
def secrets(namespace: Namespace = "podline") -> None:
    """Print Secrets with new keys for a store in a cluster.

    Use it as: podline store secrets | kubectl create -f -
    """
    from podline.store import in_cluster

    typer.echo(json.dumps(in_cluster.new_secrets(namespace)))


@app.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def execute(
    program: Annotated[
        list[str],
        typer.Argument(
            metavar="CMD", help="A program and its arguments, such as -- airflow dags list."
        ),
    ],
) -> None:
    """Run a program that finds a store in its environment.

    It is the environment's own, or else the embedded one, which is up meanwhile.
    """
    from podline.store import environment

    try:
        code = environment.run(program, stores.embedded_folder())
    except (FileNotFoundError, PermissionError) as error:
        typer.echo(f"podline: error: {program[0]}: {error.strerror}", err=True)
        code = 127 if isinstance(error, FileNotFoundError) else 126
    raise typer.Exit(code)
