"""Remakes docs/overhead.md, with its figures and their data, from the study's raw data.

The raw data are what `podline report export` writes: docs/overhead/study.jsonl.gz, and
docs/overhead/join.jsonl.gz of a notebook with two stages joined.
"""

import re
import tempfile
from pathlib import Path

from podline.reports.page import Report
from podline.store import Store, embedded
from podline.studies import archive, reporting

DOCS = Path(__file__).parents[1] / "docs"
FOLDER = "overhead"
STUDY, JOIN = "study.jsonl.gz", "join.jsonl.gz"


def pages(store: Store) -> dict[str, bytes]:
    """Return the files below docs/ that the raw data make.

    Args:
        store: a store that the raw data are put into.

    Raises:
        StudyError: the raw data are not there.
    """
    study = reporting.make(archive.load(store, DOCS / FOLDER / STUDY))
    join = reporting.make(archive.load(store, DOCS / FOLDER / JOIN))
    files = {f"{FOLDER}.md": _page(study, join).encode()}
    for name, drawn in study.figures.items():
        if not name.endswith("-narrow"):
            files[f"{FOLDER}/{name}.svg"] = drawn
    for name in study.tables:
        files[f"{FOLDER}/{name}.csv"] = study.csv(name).encode()
    files[f"{FOLDER}/joined.csv"] = join.csv("joins").encode()
    return files


def _page(study: Report, join: Report) -> str:
    text = _linked(study.markdown)
    made = re.search(r"^## Advice.*?(?=^## )", join.markdown, re.MULTILINE | re.DOTALL)
    assert made is not None
    return f"{text}\n{made[0].replace('## Advice: stages to join', '## A join that was made')}"


def _linked(markdown: str) -> str:
    """The page's links, which are of files beside it, as those of the folder."""
    return re.sub(r"\]\(([\w-]+\.(?:svg|csv))\)", rf"]({FOLDER}/\1)", markdown)


def main() -> None:
    """Write the files."""
    with tempfile.TemporaryDirectory() as name, embedded.running(Path(name)) as connection:
        store = Store(connection)
        store.ensure_bucket()
        for path, content in pages(store).items():
            (DOCS / path).write_bytes(content)
            print(DOCS / path)


if __name__ == "__main__":
    main()
