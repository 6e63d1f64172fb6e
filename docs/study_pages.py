"""Remakes the pages of docs/ that have results, with figures and their data, from the raw data.

The raw data are what `podline report export` writes: docs/overhead/study.jsonl.gz, and beside it
a file for each other study of `sweep_parts.FULL`, once it is measured;
docs/uploads/study.jsonl.gz, and beside it models.jsonl.gz, of models that were published;
docs/edge-study/study.jsonl.gz.
"""

import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks import sweep_parts
from docs import overhead_page
from docs.markdown import unwrapped
from podline.store import Store, seaweedfs
from podline_studies import archive, report_store
from podline_studies.overhead import frames
from podline_studies.overhead.report.report import make_report
from podline_studies.reports.formatting import listed
from podline_studies.reports.page import Report
from podline_studies.uploads.report.report import planned

DOCS = Path(__file__).parent
STUDY, MODELS = "study.jsonl.gz", "models.jsonl.gz"
OVERHEAD, UPLOADS, UPDATES = "overhead", "uploads", "edge-study"
_OF_THE_UPLOADS = """\
- `make upload-study-full` remakes this page, in about {hours} hours.
- The study before this one, full-3 of 26 November 2026 (revision a9d2762), is not shown: it had no
  bare server, one or two visits of a point, and boto3's transfers until the kernel took them.
"""
_OF_THE_MODELS = """\
Keras networks as podline published them, of 40 k and 10 M weights in turn, from a pod over the
usual link, by {clients}: {points}.
`python -m benchmarks.upload_study full --models-only --model NAME/VERSION` measures such.
"""
_LARGE = ("pairs", "uploads", "updates")  # tables that say no more than the raw data
# The table of a further study that is kept beside the page.
_FURTHER = {"join": "joined", "stock": "operators", "load": "operators", "steps": "claims"}
_OF_MODELS, _MEASURED, _TABLES = "Before the upload", "How it was measured", "The tables"


def overhead(store: Store) -> dict[str, bytes]:
    """Return the files below docs/ that the overhead study's raw data make.

    Args:
        store: a store that the raw data are put into.

    Raises:
        StudyError: the raw data are not there.
    """
    first, *more = sweep_parts.FULL
    report = _report(store, OVERHEAD, first.file)
    there = [part for part in more if (DOCS / OVERHEAD / part.file).is_file()]
    found = {
        part.name: frames.tables(archive.load(store, DOCS / OVERHEAD / part.file)) for part in there
    }
    others = {name: make_report(*tables) for name, tables in found.items()}
    about = {name: tables[-1] for name, tables in found.items()}
    files = _files(report, OVERHEAD)
    for name, other in others.items():
        if table := _FURTHER.get(name):
            files[f"{OVERHEAD}/{name}-{table}.csv"] = other.csv(table).encode()
    sections = overhead_page.with_others(_sections(report), others, about)
    sections[_TABLES] = _all_tables(files)
    return files | {f"{OVERHEAD}.md": _page(sections, OVERHEAD)}


def uploads(store: Store) -> dict[str, bytes]:
    """The same of the upload study's."""
    study = archive.load(store, DOCS / UPLOADS / STUDY)
    report = report_store.make(study)
    files, sections = _files(report, UPLOADS), _sections(report)
    measured = sections.pop(_MEASURED)  # it comes last
    if (DOCS / UPLOADS / MODELS).is_file():
        sections["Published models"], tables = _published(store)
        files |= tables
    hours = study.design().seconds / 3600
    sections[_MEASURED] = unwrapped(_OF_THE_UPLOADS.format(hours=f"{hours:.1f}")) + measured
    sections[_TABLES] = _all_tables(files)
    return files | {f"{UPLOADS}.md": _page(sections, UPLOADS)}


def _published(store: Store) -> tuple[str, dict[str, bytes]]:
    """What is said of published models, and its tables."""
    study = archive.load(store, DOCS / UPLOADS / MODELS)
    report, design = report_store.make(study), study.design()
    found = _sections(report)
    ratios = re.sub(r"(?m)^(?!- ).*\n", "", found[next(iter(found))])
    points = "; ".join(planned(design.points))
    told = unwrapped(_OF_THE_MODELS.format(clients=listed(design.clients), points=points))
    tables = {name: report.csv(name).encode() for name in ("ratios", "sizes")}
    return (
        f"{told}\n{ratios}\n{found[_OF_MODELS]}",
        {f"{UPLOADS}/models-{name}.csv": table for name, table in tables.items()},
    )


def updates(store: Store) -> dict[str, bytes]:
    """The same of the update study's."""
    report = _report(store, UPDATES, STUDY)
    return _files(report, UPDATES) | {f"{UPDATES}.md": _linked(report.markdown, UPDATES).encode()}


PAGES = {OVERHEAD: overhead, UPLOADS: uploads, UPDATES: updates}


def known() -> list[str]:
    """The pages whose raw data are there."""
    return [name for name in PAGES if (DOCS / name / STUDY).is_file()]


def _report(store: Store, folder: str, name: str) -> Report:
    return report_store.make(archive.load(store, DOCS / folder / name))


def _files(report: Report, folder: str) -> dict[str, bytes]:
    """A report's figures and tables, as files below docs/."""
    wide = (name for name in report.figures if not name.endswith("-narrow"))
    return {
        **{f"{folder}/{name}.svg": report.figures[name] for name in wide},
        **{
            f"{folder}/{name}.csv": report.csv(name).encode()
            for name in report.tables.keys() - set(_LARGE)
        },
    }


def _sections(report: Report) -> dict[str, str]:
    """A report's parts by title, the page's own first."""
    parts = re.split(r"^##? ", report.markdown, flags=re.MULTILINE)[1:]
    return {
        title: body.strip("\n") + "\n"
        for title, _, body in (part.partition("\n") for part in parts)
    }


def _page(sections: Mapping[str, str], folder: str) -> bytes:
    (title, first), *others = sections.items()
    parts = [f"# {title}\n\n{first}", *(f"## {name}\n\n{body}" for name, body in others)]
    return _linked("\n".join(parts), folder).encode()


def _all_tables(files: Iterable[str]) -> str:
    """Links to tables, in one line."""
    links = [f"[{Path(name).stem}]({name})" for name in sorted(files) if name.endswith(".csv")]
    return f"{', '.join(links)}.\n"


def _linked(markdown: str, folder: str) -> str:
    """The page's links, which are of files beside it, as those of the folder."""
    return re.sub(r"\]\(([\w-]+\.(?:svg|csv))\)", rf"]({folder}/\1)", markdown)


def write(*pages: str) -> None:
    """Write the files of pages."""
    with tempfile.TemporaryDirectory() as name, seaweedfs.running(Path(name)) as connection:
        store = Store(connection)
        store.ensure_bucket()
        for page in pages:
            for path, content in PAGES[page](store).items():
                (DOCS / path).write_bytes(content)
                print(DOCS / path)


if __name__ == "__main__":
    write(*known())
