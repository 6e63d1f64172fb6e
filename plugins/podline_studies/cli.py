"""`podline report`: what a study found."""

from pathlib import Path
from typing import Annotated

import typer

from podline.cli.console import make_console
from podline.cli.store import opened

app = typer.Typer(name="report", no_args_is_help=True, help="Say what a study found.")


Name = Annotated[str, typer.Argument(help="A study's name; by default they are listed.")]
Folder = Annotated[
    Path | None,
    typer.Option("--to", help="Write the report with its figures and tables to this folder."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Only the headline numbers.")]


@app.command("overhead")
def overhead(study: Name = "", folder: Folder = None, as_json: AsJson = False) -> None:
    """Say what Kubernetes and the pipeline cost over running a notebook itself.

    The report is made anew of all that is measured so far.
    """
    _report("overhead", study, folder, as_json)


@app.command("uploads")
def uploads(study: Name = "", folder: Folder = None, as_json: AsJson = False) -> None:
    """Say whether a model uploads as fast to a store in the cluster as to one in a machine.

    The report is made anew of all that is measured so far.
    """
    _report("uploads", study, folder, as_json)


@app.command("updates")
def updates(study: Name = "", folder: Folder = None, as_json: AsJson = False) -> None:
    """Say how long a new version of a model takes from its publish to an edge's prediction by it.

    The report is made anew of all that is measured so far.
    """
    _report("updates", study, folder, as_json)


def _report(kind_name: str, study: str, folder: Path | None, as_json: bool) -> None:
    import json

    from podline_studies.registry import kind_of
    from podline_studies.report_store import make, write
    from podline_studies.study import Study, studies

    kind = kind_of(kind_name)
    with opened() as store:
        if not study:
            known = studies(store, kind.name)
            none = f"The store has no study yet: trigger the DAG {kind.dag_id}."
            typer.echo("\n".join(known) or none, err=not known)
            return
        made = make(Study(store, kind, study))
    if folder is not None:
        write(made, folder)
        typer.echo(f"{folder / 'report.html'}")
    elif as_json:
        typer.echo(json.dumps(made.last_line))
    else:
        from rich.markdown import Markdown

        make_console().print(Markdown(made.markdown))


@app.command("export")
def export(
    kind: Annotated[str, typer.Argument(help="overhead, uploads or updates.")],
    study: Annotated[str, typer.Argument(help="A study's name.")],
    file: Annotated[Path, typer.Argument(help="The file to write, such as study.jsonl.gz.")],
) -> None:
    """Write a study's measurements to one file, to go on with them in another store."""
    from podline_studies import archive
    from podline_studies.registry import kind_of
    from podline_studies.study import Study

    with opened() as store:
        many = archive.export(Study(store, kind_of(kind), study), file)
    typer.echo(f"{file}: {many} objects")


@app.command("import")
def import_(file: Annotated[Path, typer.Argument(help="What was exported.")]) -> None:
    """Put a study that was exported into the store."""
    from podline_studies import archive

    with opened() as store:
        study = archive.load(store, file)
    typer.echo(f"study {study.name}")
