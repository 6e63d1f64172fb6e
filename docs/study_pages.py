"""Remakes the pages of docs/ that have results, with figures and their data, from the raw data.

The raw data are what `podline report export` writes: docs/overhead/study.jsonl.gz; beside it
join.jsonl.gz, of a notebook with two stages joined, and, once they are measured, what `MORE` names;
docs/uploads/study.jsonl.gz, and beside it
models.jsonl.gz, of models that were published; docs/edge-study/study.jsonl.gz.
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks import sweep_parts
from podline.store import Store, seaweedfs
from podline_studies import archive, report_store
from podline_studies.reports.page import Report

DOCS = Path(__file__).parent
STUDY, JOIN, MODELS = "study.jsonl.gz", "join.jsonl.gz", "models.jsonl.gz"
OVERHEAD, UPLOADS, UPDATES = "overhead", "uploads", "edge-study"
# Further studies of the overhead, of which the page has the answers.
MORE = {
    "stock.jsonl.gz": "Airflow's own operator",
    "steps.jsonl.gz": "More training steps",
    "load.jsonl.gz": "Ahead of time, and several runs at once",
    "activity.jsonl.gz": "Another notebook",
}
_MEASURED = "## How was it measured?\n"
_LIMITS = "## What this cannot say\n\n"
# What the raw data do not say of themselves.
_OF_THE_MACHINE = """\
- One virtual machine of two cores held Airflow, the store and the cluster's only node: nothing is
  said of several nodes, of a network between them, of pods that wait for a place, of other users.
- Images were on the node already: a cold pull is in no number. That with TensorFlow has 623 MB to
  fetch, 50 s over 100 Mbit/s, once a node; unpacking comes on top.
- Nothing was begun ahead of its stage, but where it is said. Begun ahead, the default, pods take
  0.71 to 0.82 of the time ([measured apart](benchmarks.md)).
- Pods, and the notebook in a pod, ran the images' Python 3.13; local processes, and the notebook
  beside them, this machine's 3.11: code takes 0.95 times as long in pods.
"""
_OF_THE_STUDIES = """\
- `make sweep-full` remakes all of this in six studies of fixed designs: {hours} hours at most, by
  the seconds measured here. Each was made once{missing}.
- The study of the join is of an older revision, without the notebook in a pod.
"""
_OTHERS = "Would another way cost less?"
_OTHER_WAYS = f"## {_OTHERS}\n\n"
_OF_OTHERS = """\
Argo Workflows, on which Kubeflow Pipelines and so Kale run, takes 9.0 s for a step of one second
as it is installed, and 5.3 s with its requeue time at 100 ms, where a bare pod takes 1.8 s:
version 4.0.5 on a cluster of this kind, n = 8, in turns. Its
[issue 6262](https://github.com/argoproj/argo-workflows/issues/6262) tells of 10.6 s. That is no
part of the study: the notebook was not run there.

Airflow's own operator takes as long where it looks each 0.05 s (*stock-tuned*). What it waits for
no parameter sets: after its container's end it sleeps for 1 s and for 2 s at a time
(apache-airflow-providers-cncf-kubernetes 10.25.0, `pod_manager.py`).

"""
_TABLES = "## The tables\n\n"
_LARGE = ("pairs", "uploads", "updates")  # tables that say no more than the raw data
_OF_MODELS = "Before the upload"


def overhead(store: Store) -> dict[str, bytes]:
    """Return the files below docs/ that the overhead study's raw data make.

    Args:
        store: a store that the raw data are put into.

    Raises:
        StudyError: the raw data are not there.
    """
    study, join = (_report(store, OVERHEAD, name) for name in (STUDY, JOIN))
    made = _sections(join)["Which stages are worth joining?"]
    more = made[made.index("\n", made.rindex("\n- ") + 1) :].strip("\n") + "\n\n"
    there = [name for name in MORE if (DOCS / OVERHEAD / name).is_file()]
    studies = {name: archive.load(store, DOCS / OVERHEAD / name) for name in there}
    others = {name: report_store.make(one) for name, one in studies.items()}
    for name, report in others.items():
        parts = _sections(report)
        more += f"## {MORE[name]}\n\n{parts[''].strip()}\n\n{_beside(parts[_OTHERS])}"
    hours = f"{sum(map(sweep_parts.hours, sweep_parts.FULL)):.1f}"
    missing = [
        part.name for part in sweep_parts.FULL if not (DOCS / OVERHEAD / part.file).is_file()
    ]
    told = {"hours": hours, "missing": f", but not yet: {', '.join(missing)}" if missing else ""}
    text = _linked(study.markdown, OVERHEAD)
    text = _less_missing(text, {name for one in studies.values() for name in one.design().backends})
    text = text.replace(_LIMITS, _LIMITS + _OF_THE_MACHINE)
    text = text.replace(_MEASURED, f"{more}{_MEASURED}\n{_OF_THE_STUDIES.format(**told)}", 1)
    text = text.replace(_OTHER_WAYS, _OTHER_WAYS + _OF_OTHERS)
    files = _files(study, OVERHEAD, "") | {f"{OVERHEAD}/joined.csv": join.csv("joined").encode()}
    for name, report in others.items():
        if "operators" in report.tables:
            table = f"{OVERHEAD}/{name.partition('.')[0]}-operators.csv"
            files[table] = report.csv("operators").encode()
    page = text.partition(_TABLES)[0] + _TABLES + _all_tables(files)
    return files | {f"{OVERHEAD}.md": page.encode()}


def _less_missing(text: str, measured: set[str]) -> str:
    """A page that calls nothing unmeasured that another of its studies measured."""

    def left(found: re.Match[str]) -> str:
        names = [name for name in found[1].split(", ") if name not in measured]
        return (
            f"- Not measured: {', '.join(names)}; nothing is compared with it.\n" if names else ""
        )

    return re.sub(r"^- Not measured: (.*); nothing is compared with it\.\n", left, text, flags=re.M)


def uploads(store: Store) -> dict[str, bytes]:
    """The same of the upload study's."""
    study, models = (_report(store, UPLOADS, name) for name in (STUDY, MODELS))
    found = _sections(models)
    text = _unsaid(f"## Published models\n{found['']}\n{found[_OF_MODELS]}", study.markdown)
    files = _files(study, UPLOADS, "") | {
        f"{UPLOADS}/models.csv": models.csv("ratios").encode(),
        f"{UPLOADS}/models-sizes.csv": models.csv("sizes").encode(),
    }
    page = f"{_linked(study.markdown, UPLOADS)}\n{text}\nAll tables: {_all_tables(files)}"
    return files | {f"{UPLOADS}.md": page.encode()}


def updates(store: Store) -> dict[str, bytes]:
    """The same of the update study's."""
    study = _report(store, UPDATES, STUDY)
    return _files(study, UPDATES, _linked(study.markdown, UPDATES))


PAGES = {OVERHEAD: overhead, UPLOADS: uploads, UPDATES: updates}


def known() -> list[str]:
    """The pages whose raw data are there."""
    return [name for name in PAGES if (DOCS / name / STUDY).is_file()]


def _report(store: Store, folder: str, name: str) -> Report:
    return report_store.make(archive.load(store, DOCS / folder / name))


def _files(study: Report, folder: str, text: str) -> dict[str, bytes]:
    files = {f"{folder}.md": text.encode()}
    for name, drawn in study.figures.items():
        if not name.endswith("-narrow"):
            files[f"{folder}/{name}.svg"] = drawn
    for name in study.tables.keys() - set(_LARGE):
        files[f"{folder}/{name}.csv"] = study.csv(name).encode()
    return files


def _all_tables(files: Iterable[str]) -> str:
    """Links to tables, in one line."""
    links = [f"[{Path(name).stem}]({name})" for name in sorted(files) if name.endswith(".csv")]
    return f"{', '.join(links)}.\n"


def _sections(report: Report) -> dict[str, str]:
    """A page's parts by title, without pictures; what comes first has no title."""
    text = re.sub(r"^!\[.*\n\n?", "", report.markdown, flags=re.MULTILINE)
    (_, first), *others = [
        part.partition("\n")[::2] for part in re.split(r"^##? ", text, flags=re.MULTILINE)[1:]
    ]
    return {"": first, **dict(others)}


def _beside(text: str) -> str:
    """How other operators compare, of what a page says of other ways."""
    return "".join(f"{part}\n\n" for part in text.split("\n\n") if " a run " in part)


def _unsaid(text: str, before: str) -> str:
    """A text without the paragraphs that were in another one before it."""
    said = set(before.split("\n\n"))
    parts = [part.strip("\n") for part in text.split("\n\n") if part.strip("\n") not in said]
    return "\n\n".join(part for part in parts if part) + "\n"


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
