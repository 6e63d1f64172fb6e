"""Makes a study's report, and keeps it beside the measurements."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from podline_studies.study import Study, StudyError

if TYPE_CHECKING:
    from podline_studies.reports.page import Report

FOLDER = "report"  # of the study
HTML, MARKDOWN = "report.html", "report.md"


def make(study: Study[Any, Any]) -> "Report":
    """Return the report of what a study has measured so far.

    Raises:
        StudyError: there is no such study, or nothing is measured yet.
    """
    if not study.measured():
        study.design()  # says whether there is such a study
        raise StudyError(f"the study {study.name!r} has measured nothing yet")
    made: Report = study.kind.make_report(study)
    return made


def keep(study: Study[Any, Any], made: "Report") -> None:
    """Keep a report in the study, in place of the one before."""
    for name, data in files_of(made).items():
        _replace(study, study.key(FOLDER, name), data)


def write(made: "Report", folder: Path) -> None:
    """Write a report, its figures and their data into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files_of(made).items():
        (folder / name).write_bytes(data)


def files_of(made: "Report") -> dict[str, bytes]:
    """A report as files, by name."""
    tables = {f"{name}.csv": made.csv(name) for name in made.tables}
    texts = {HTML: made.html, MARKDOWN: made.markdown, **tables}
    figures = {f"{name}.svg": drawn for name, drawn in made.figures.items()}
    return {**{name: text.encode() for name, text in texts.items()}, **figures}


def _replace(study: Study[Any, Any], key: str, data: bytes) -> None:
    from podline.store import ObjectMissing

    try:
        etag = study.store.head(key).etag
    except ObjectMissing:
        etag = None
    study.store.swap(key, data, etag)
