"""`podline deploy`: a notebook and what belongs to it go where Airflow reads notebooks."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from podline import settings
from podline.cli.lint import Notebook, compiled
from podline.cli.values import counted
from podline.compiler.attachments import attached_files
from podline.compiler.code_hash import code_hash
from podline.compiler.compiler import check_notebook
from podline.compiler.notebook import read_document
from podline.compiler.pipeline import Pipeline
from podline.exceptions import PodlineError
from podline.files import digest_of, replacing


class DeployError(PodlineError):
    """A notebook cannot be put where Airflow reads notebooks."""


@dataclass
class Deployment:
    """A notebook on its way into a folder of Airflow's.

    Attributes:
        dag_id: the DAG that it becomes.
        folder: where to.
        files: the notebook and what belongs to it, relative to the folder; the notebook last, so
            that Airflow finds what it names.
        differs: those that are there with another content.
        copied: those that were copied.
    """

    dag_id: str
    folder: str
    files: list[str]
    differs: list[str]
    copied: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Comparison:
    """A notebook beside the version of it that Airflow runs.

    Attributes:
        dag_id, folder: as of a `Deployment`.
        since: when the notebook was put there, in seconds since the epoch; None: it is not there.
        differs: which of its files are not there as they are here: the notebook by its code, the
            others by their content.
    """

    dag_id: str
    folder: str
    since: float | None
    differs: list[str]


def command(
    notebook: Notebook,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", help="Folder to copy to; by default the setting [podline] notebooks_folder."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace files that are there with another content.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Copy nothing: fail if the code there is another.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as JSON.")] = False,
) -> None:
    """Copy a notebook, and what belongs to it, into the DAGs' folder.

    What belongs to it are the modules and files beside it that its code names.
    """
    folder = (to or settings.notebooks_folder()).absolute()
    if check:
        _tell(comparison(check_notebook(notebook), folder), notebook.name, as_json)
        return
    pipeline = compiled(notebook)
    found = deployment(pipeline, folder)
    if not found.differs or replace:
        copy(found, pipeline.document.path.parent)
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False))
    elif not found.differs or replace:
        typer.echo(f"{found.dag_id}: {counted(len(found.copied), 'file')} copied to {found.folder}")
    if found.differs and not replace:
        raise DeployError(
            f"{found.folder} has {', '.join(found.differs)} with another content. fix: compare "
            "them, and give --replace; or rename the notebook's"
        )


def _tell(found: Comparison, name: str, as_json: bool) -> None:
    """Say how a notebook differs from what is there.

    Raises:
        DeployError: it does.
    """
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False))
    if found.since is None:
        raise DeployError(f"{found.folder} has no {name}. fix: put it there, without --check")
    when = f"{datetime.fromtimestamp(found.since):%Y-%m-%d %H:%M:%S}"
    if found.differs:
        raise DeployError(
            f"{found.folder} has another version of {', '.join(found.differs)}; {name} was put "
            f"there at {when}. fix: give --replace in place of --check, to run this one"
        )
    if not as_json:
        typer.echo(f"{found.dag_id}: {found.folder} has this version, since {when}")


def comparison(pipeline: Pipeline, folder: Path) -> Comparison:
    """Compare a notebook, which need not compile, with what a folder of Airflow's has of it.

    Raises:
        DeployError: there is no such folder.
        NotebookError: what belongs to the notebook is larger than the setting allows.
    """
    found = deployment(pipeline, folder)
    *beside, name = found.files
    there = folder / name
    if not there.exists():
        return Comparison(found.dag_id, found.folder, None, found.files)
    differs = [n for n in beside if n in found.differs or not (folder / n).exists()]
    if code_hash(read_document(there)[0]) != code_hash(pipeline.document):
        differs.append(name)
    return Comparison(found.dag_id, found.folder, there.stat().st_mtime, differs)


def deployment(pipeline: Pipeline, folder: Path) -> Deployment:
    """Return what is to be copied, and what is in its way.

    Raises:
        DeployError: there is no such folder.
        NotebookError: what belongs to the notebook is larger than the setting allows.
    """
    source = pipeline.document.path.absolute()
    beside = attached_files(pipeline.document, settings.files_limit())
    names = [path.absolute().relative_to(source.parent).as_posix() for path in beside]
    files = [*(name for name in names if name != source.name), source.name]
    if not folder.is_dir():
        raise DeployError(
            f"{folder} is no folder of this machine. fix: create it, name Airflow's by --to or "
            f"[podline] notebooks_folder, or put there yourself: {', '.join(files)}"
        )
    there = [name for name in files if (folder / name).exists()]
    differs = [name for name in there if not _is_same(source.parent / name, folder / name)]
    return Deployment(pipeline.name, str(folder), files, differs)


def copy(found: Deployment, source: Path) -> None:
    """Copy what is not there yet, each file whole or not at all; `found` is told which.

    Raises:
        DeployError: a file cannot be written.
    """
    folder = Path(found.folder)
    for name in found.files:
        old, new = source / name, folder / name
        try:
            if old.is_dir():
                new.mkdir(parents=True, exist_ok=True)
            elif not (new.exists() and _is_same(old, new)):
                new.parent.mkdir(parents=True, exist_ok=True)
                with replacing(new) as part:
                    shutil.copyfile(old, part)
                    part.chmod(0o644)  # Airflow may run as somebody else
                found.copied.append(name)
        except OSError as error:
            raise DeployError(
                f"{new} cannot be written: {error.strerror}. fix: let this user write there"
            ) from None


def _is_same(one: Path, other: Path) -> bool:
    if one.is_dir() or other.is_dir():
        return one.is_dir() and other.is_dir()
    return digest_of(one) == digest_of(other)
