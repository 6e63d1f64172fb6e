"""`podline models`: versions of models in the object store."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal

from podline.cli.console import local_time, make_console, make_table, print_table
from podline.cli.store import opened
from podline.exceptions import PodlineError
from podline.models.manifest import Manifest, ServedForm
from podline.models.registry import Model, models
from podline.store import Store

app = typer.Typer(name="models", no_args_is_help=True, help="Versions of models in the store.")

Name = Annotated[str, typer.Argument(help="A model's name.")]
Which = Annotated[str, typer.Argument(help="A version's number, or an alias such as latest.")]
Alias = Annotated[str, typer.Argument(help="An alias, such as champion or edge.")]


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(help="A model's name; by default all are listed.")] = "",
) -> None:
    """List the models, or a model's versions with their metrics side by side."""
    with opened() as store:
        if name:
            _print_versions(Model(store, name))
        else:
            _print_models(store, models(store))


@app.command("show")
def show(name: Name, which: Which = "latest") -> None:
    """Say all about a version: where it comes from, what it was made from, how good it is."""
    with opened() as store:
        model = Model(store, name)
        found = model.version(which)
        aliases = model.aliases.pointing_at(found.version)
    table = make_table("", "")
    table.show_header = False
    for label, value in _facts(found, aliases):
        table.add_row(label, value)
    print_table(make_console(), table)


@app.command("diff")
def diff(name: Name, one: Which, other: Which) -> None:
    """Say in what two versions differ."""
    with opened() as store:
        differences = Model(store, name).diff(one, other)
    table = make_table("", one, other)
    for difference in differences:
        table.add_row(difference.field, _word(difference.one), _word(difference.other))
    if differences:
        print_table(make_console(), table)
    else:
        typer.echo(f"{one} and {other} do not differ")


@app.command("promote")
def promote(name: Name, which: Which, alias: Alias) -> None:
    """Have an alias mean a version."""
    with opened() as store:
        moved = Model(store, name).promote(which, alias)
    before = f", before that {moved.before[-1]}" if moved.before else ""
    typer.echo(f"{alias} of {name} is version {moved.version}{before}")


@app.command("rollback")
def rollback(name: Name, alias: Alias) -> None:
    """Have an alias mean what it meant before."""
    with opened() as store:
        moved = Model(store, name).roll_back(alias)
    typer.echo(f"{alias} of {name} is version {moved.version} again")


@app.command("delete")
def delete(name: Name, version: Annotated[int, typer.Argument(help="Its number.")]) -> None:
    """Remove a version that no alias means. Its number is not used again."""
    with opened() as store:
        Model(store, name).delete(version)
    typer.echo(f"{name} version {version} is deleted")


@app.command("verify")
def verify(
    name: Name,
    which: Annotated[
        str, typer.Argument(help="A version's number, or an alias; by default all versions.")
    ] = "",
) -> None:
    """Read versions' files again, and compare them with what was published."""
    with opened() as store:
        model = Model(store, name)
        versions = [model.version(which)] if which else model.versions()
        problems = {str(found): model.verify(found.version) for found in versions}
    for version, told in problems.items():
        typer.echo(f"{version}: {'; '.join(told) or 'complete, as it was published'}")
    if any(problems.values()):
        raise typer.Exit(1)


@app.command("keys")
def keys() -> None:
    """Print new keys that sign versions: a private one for Airflow, a public one for the edges."""
    from podline.models.signing import new_keys

    private, public = new_keys()
    typer.echo(f"private: {private}")
    typer.echo(f"public:  {public}")


@app.command("sign")
def sign(name: Name, which: Which = "latest") -> None:
    """Sign a version with the key of the connection that [podline] signing_conn_id names."""
    from podline.models import signing

    with opened() as store:
        found = Model(store, name).version(which)
        if not signing.sign(store, found):
            raise PodlineError(
                "[podline] signing_conn_id is not set: name the connection whose password is the "
                "private key"
            )
    typer.echo(f"{found} is signed")


@app.command("get")
def get(
    name: Name,
    which: Which = "latest",
    folder: Annotated[
        Path | None,
        typer.Option("-o", "--output", "--to", help="Folder; by default NAME-VERSION here."),
    ] = None,
) -> None:
    """Write the files of a version to a folder, each checked by its hash."""
    with opened() as store:
        model = Model(store, name)
        version = model.version(which).version
        target = folder or Path(f"{name}-{version}")
        if target.exists() and any(target.iterdir()):
            raise PodlineError(f"{target} is not empty: name another folder with --output")
        found = model.download(version, target)
    for file in found.files:
        typer.echo(f"{target / file.path}")


def _print_models(store: Store, names: list[str]) -> None:
    shown = ("latest", "champion")
    table = make_table("model", "versions", *shown, "published")
    for name in names:
        model = Model(store, name)
        versions, aliases = model.versions(), model.aliases.all()
        if versions:
            means = [str(aliases[a].version) if a in aliases else "" for a in shown]
            table.add_row(name, str(len(versions)), *means, _moment(versions[0].created))
    if table.row_count:
        print_table(make_console(), table)
    else:
        typer.echo("The store has no model yet: a notebook publishes one with podline.publish(…).")


def _print_versions(model: Model) -> None:
    versions, aliases = model.versions(), model.aliases.all()
    if not versions:
        model.version("latest")  # says what there is
    metrics = list(dict.fromkeys(name for found in versions for name in found.metrics))
    table = make_table("version", "aliases", "published", "run", "size", *metrics)
    for found in versions:
        names = [name for name, alias in aliases.items() if alias.version == found.version]
        values = [_word(found.metrics.get(name)) for name in metrics]
        run = found.origin.run_id or "by hand"
        size, when = decimal(found.bytes), _moment(found.created)
        table.add_row(str(found.version), ", ".join(names), when, run, size, *values)
    print_table(make_console(), table)


def _facts(found: Manifest, aliases: list[str]) -> list[tuple[str, str]]:
    origin = found.origin
    run = f"{origin.dag_id}, run {origin.run_id}, {origin.task_id}, try {origin.try_number}"
    return [
        ("version", f"{found.version} of {found.name}"),
        ("aliases", ", ".join(aliases)),
        ("published", _moment(found.created)),
        ("by", run if origin.dag_id else "hand"),
        ("notebook", f"{origin.notebook} {origin.notebook_sha256[:12]}".strip()),
        *(("data", f"{name} {digest[:12]}") for name, digest in origin.data.items()),
        ("type", found.type),
        *((f"as {name}", path) for name, path in found.formats.items()),
        *((file.path, f"{decimal(file.bytes)}, sha256 {file.sha256}") for file in found.files),
        *((name, _word(value)) for name, value in found.metrics.items()),
        *((name, _word(value)) for name, value in found.parameters.items()),
        *((name, version) for name, version in found.libraries.items()),
        *((f"served as {form.name}", _served(form)) for form in found.served),
        *((f"took to {step}", f"{took:.3f} s") for step, took in found.seconds.items()),
    ]


def _served(form: ServedForm) -> str:
    apart = f"answers differ by {form.difference:.2g}, {form.tolerance:g} is allowed"
    metrics = [
        f"{name} {value:.6g} ({form.changes[name]:+.3g})" for name, value in form.metrics.items()
    ]
    return "; ".join([apart, *metrics])


def _moment(created: str) -> str:
    return local_time(datetime.fromisoformat(created))


def _word(value: object) -> str:
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else text[:199] + "…"
