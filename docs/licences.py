"""Lists the licence of each package that is shipped: docs/licences.csv.

``python -m docs.licences`` reads what is installed, and asks the package index of the others: those
of other platforms, and of images alone.
"""

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, files, metadata
from typing import Any, NamedTuple

from docs import shipped, tool

DATA = shipped.ROOT / "docs" / "licences.csv"
UNKNOWN = "unknown"
_PREFIX = "License :: OSI Approved :: "
_LONGEST = 80  # characters of a field that should name a licence, and has all its text in places


class Package(NamedTuple):
    """A package, with its licence as it says itself."""

    name: str
    version: str
    licence: str


def packages() -> Iterator[Package]:
    """Yield each package that is shipped."""
    absent = []
    for name, version in shipped.pinned():
        try:
            yield Package(name, version, licence_of(name))
        except PackageNotFoundError:
            absent.append(f"{name}=={version}")
    yield from _of_the_index(absent)


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
    return _named(about.json) or _of_files(name)


def _of_the_index(pins: list[str]) -> Iterator[Package]:
    """Yield packages that are not installed, by what the index says; nothing large is fetched."""
    with tempfile.TemporaryDirectory() as nowhere:
        options = ("--dry-run", "--no-deps", "--quiet", "--report", "-", "--target", nowhere)
        # All that is shipped has a wheel for this one.
        python = ("--python-version", "3.13", "--only-binary", ":all:", "--ignore-requires-python")
        report = tool.output("pip==25.3", "pip", "install", *options, *python, *pins)
    for found in json.loads(report)["install"]:
        about = found["metadata"]
        name = re.sub("[-_.]+", "-", about["name"]).lower()
        yield Package(name, about["version"], _named(about) or UNKNOWN)


def _named(about: Mapping[str, Any]) -> str:
    """The licence that a package's metadata name; empty: none."""
    if expression := about.get("license_expression"):
        return str(expression)
    classified = [c.removeprefix(_PREFIX) for c in about.get("classifier", ()) if _PREFIX in c]
    if classified:
        return ", ".join(sorted(classified))
    said = _first_line(about.get("license", ""))
    return said if len(said) <= _LONGEST else ""


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
    rows = sorted(packages())
    DATA.write_text(to_csv(rows))
    print(f"{DATA}: {len(rows)} packages")
