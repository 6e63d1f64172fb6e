"""The store that commands use, `podline store` that runs it, and `podline clean`."""

import json
import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM
from typing import Annotated

import typer
from rich.filesize import decimal

from podline import settings
from podline.cli.console import local_time, make_console, make_table, print_table
from podline.cli.values import DryRun, counted, read_duration
from podline.models.registry import Model, models
from podline.signals import handled, unwind
from podline.store import (
    Store,
    environment,
    in_cluster,
    keys,
    open_store,
    seaweedfs,
    team_keys,
)
from podline.store.retention import break_off
from podline.store.retention import clean as clean_runs

app = typer.Typer(name="store", help="Run the embedded object store.", no_args_is_help=True)

Namespace = Annotated[str, typer.Option(help="The store's namespace in the cluster.")]
Endpoint = Annotated[
    str, typer.Option(help="The address of the cluster's store as seen from here.")
]


def embedded_folder() -> Path:
    """Where the embedded store keeps its data."""
    return settings.home() / "store"


@contextmanager
def opened(say: Callable[[str], object] = lambda line: None) -> Iterator[Store]:
    """The environment's store, or else the embedded one, up meanwhile and for a while longer.

    Args:
        say: gets a line that tells which it is.

    Raises:
        StoreConnectionError: the environment's connection cannot be used.
        EmbeddedStoreError: the embedded store does not start.
    """
    embedded = environment.environment(embedded_folder, settings.store_linger())
    with handled(unwind, SIGTERM), embedded as variables:
        os.environ.update(variables)
        try:
            store = open_store()
            where = f" (embedded: {_short(embedded_folder())})" if variables else ""
            say(f"store {store.connection}{where}")
            yield store
        finally:
            for name in variables:
                del os.environ[name]


def _short(path: Path) -> str:
    """A path as seen from here, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


@app.command("start")
def start() -> None:
    """Start the embedded store, until `podline store stop`."""
    typer.echo(f"the store runs: {seaweedfs.start(embedded_folder())}")


@app.command("stop")
def stop() -> None:
    """Stop the embedded store; its data stays."""
    stopped = seaweedfs.stop(embedded_folder())
    typer.echo("the store is stopped" if stopped else "the store did not run")


@app.command("status")
def status() -> None:
    """Say whether the embedded store runs; fails if it does not."""
    folder = embedded_folder()
    if not seaweedfs.is_running(folder):
        typer.echo(f"the store of {folder} does not run")
        raise typer.Exit(1)
    typer.echo(f"the store of {folder} runs: {seaweedfs.connection(folder)}")


@app.command("env")
def env(
    cluster: Annotated[
        bool, typer.Option("--cluster", help="The store in the cluster of KUBECONFIG instead.")
    ] = False,
    namespace: Namespace = "podline",
    endpoint: Endpoint = "",
) -> None:
    """Print the connection for a shell, its secret key included.

    Use it as: eval "$(podline store env)"
    """
    if cluster:
        connection = in_cluster.connection(namespace, endpoint)
    else:
        connection = seaweedfs.connection(embedded_folder())
    for name, value in connection.to_env().items():
        typer.echo(f"export {name}={shlex.quote(value)}")
    if not (cluster or seaweedfs.is_running(embedded_folder())):
        typer.echo("podline: the store does not run: podline store start", err=True)


@app.command("secrets")
def secrets(
    namespace: Namespace = "podline",
    copy_to: Annotated[
        str, typer.Option(help="A namespace: print a Secret for it, of the store that is there.")
    ] = "",
    team: Annotated[
        str,
        typer.Option(
            help="A team: make its own key to the store that is there, in place of older."
        ),
    ] = "",
    endpoint: Endpoint = "",
) -> None:
    """Print Secrets with new keys for a store in a cluster.

    Use it as: podline store secrets | kubectl create -f -
    for Airflow's own pods: podline store secrets --copy-to airflow | kubectl apply -f -
    and, for a team's, in the namespace of its name unless --copy-to names another:
    podline store secrets --team vision | kubectl apply -f -
    """
    if team:
        items = [in_cluster.team_secret(namespace, _team(team), copy_to or team, endpoint)]
    elif copy_to:
        items = [in_cluster.copied_secret(namespace, copy_to)]
    else:
        items = in_cluster.new_secrets(namespace)
    typer.echo(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


@app.command("policy")
def policy(
    team: Annotated[str, typer.Argument(help="The team's name.")],
) -> None:
    """Print what a team may do in the store, as a policy of IAM.

    For any S3 that takes one. The bucket is that of the setting store_bucket.
    """
    typer.echo(json.dumps(team_keys.policy(settings.store_bucket(), _team(team)), indent=2))


def _team(name: str) -> str:
    """A team's name, if it can be one."""
    try:
        if not keys.team_prefix(name):
            raise ValueError("a team needs a name")  # a key without one may all that there is
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return name


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
    try:
        code = environment.run(program, embedded_folder, settings.store_linger())
    except (FileNotFoundError, PermissionError) as error:
        typer.echo(f"podline: error: {program[0]}: {error.strerror}", err=True)
        code = 127 if isinstance(error, FileNotFoundError) else 126
    raise typer.Exit(code)


def clean(
    older_than: Annotated[
        str,
        typer.Option(help="Since when a run must have written nothing: 90m, 12h, 30d or 2w."),
    ],
    dry_run: DryRun = False,
) -> None:
    """Remove what old runs left in the store.

    So it does with versions of models whose publisher did not come to an end, and with the parts
    of uploads that were broken off.
    What a published model refers to stays, and the records of where the time went.
    """
    age = read_duration(older_than)
    with opened() as store:
        removed = clean_runs(store, age, dry_run)
        broken_off = break_off(store, age, dry_run)
        abandoned = [
            f"{name} version {number}"
            for name in models(store)
            for number in Model(store, name).abandon(age, dry_run)
        ]
    console = make_console()
    columns = ("dag", "run", "last wrote", "objects", "size", "kept")
    table = make_table(*columns, whole=columns, right=columns[3:])
    for run in removed:
        figures = (str(len(run.keys)), decimal(run.size), str(run.kept or ""))
        table.add_row(run.dag_id, run.run_id, local_time(run.newest), *figures)
    if removed:
        print_table(console, table)
    verb = "would be removed" if dry_run else "removed"
    size = decimal(sum(run.size for run in removed))
    console.print(f"{counted(len(removed), 'run')} {verb}, {size}")
    for version in abandoned:
        console.print(f"{version}, whose publisher did not come to its end, {verb}")
    if broken_off:
        console.print(f"{counted(len(broken_off), 'upload')} that came to no end {verb}")
