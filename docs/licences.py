"""Lists the licence of each package that is pinned: docs/licences.csv, from what is installed.

Run it where requirements.txt is installed: ``python -m docs.licences``.
"""

import csv
import io
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files, metadata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs" / "licences.csv"
UNKNOWN = "unknown"
_PREFIX = "License :: OSI Approved :: "
_LONGEST = 80  # characters of a field that should name a licence, and has all its text in places


class Package(NamedTuple):
    """A package, with its licence as it says itself."""

    name: str
    version: str
    licence: str


def pinned() -> list[tuple[str, str]]:
    """The packages of requirements.txt that this machine has: name and version."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([^ ;]+)", line) for line in lines)
    return sorted((match[1], match[2]) for match in found if match)


def packages() -> Iterator[Package]:
    """Yield each pinned package that is installed here."""
    for name, version in pinned():
        try:
            yield Package(name, version, licence_of(name))
        except PackageNotFoundError:  # of another platform
            continue


def licence_of(name: str) -> str:
    """The licence that an installed package names.

    Args:
        name: the package's.

    Returns:
        SPDX's expression where it has one, else the names of its classifiers, its field, or the
        first line of its file that says "License"; `UNKNOWN` where it names none.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    about = metadata(name)
    if "License-Expression" in about:
        return about["License-Expression"]
    classified = [
        c.removeprefix(_PREFIX) for c in about.get_all("Classifier") or () if _PREFIX in c
    ]
    if classified:
        return ", ".join(sorted(classified))
    said = _first_line(about["License"]) if "License" in about else ""
    return said if 0 < len(said) <= _LONGEST else _of_files(name)


def _of_files(name: str) -> str:
    """The first line that names it in the licence that a package brings as a file."""
    for path in files(name) or ():
        if ".dist-info/" in str(path) and path.name.upper().startswith("LICEN"):
            named = re.search("^.*\\bLicense\\b.*$", path.read_text(), re.MULTILINE)
            title = named[0].strip() if named else ""
            return title if 0 < len(title) <= _LONGEST else UNKNOWN
    return UNKNOWN


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def to_csv(rows: list[Package]) -> str:
    """The rows as the file has them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([Package._fields, *rows])
    return text.getvalue()


if __name__ == "__main__":
    DATA.write_text(to_csv([*packages()]))
    print(f"{DATA}: {len([*packages()])} packages")
