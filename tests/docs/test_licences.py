"""The list of licences is of what is pinned, and each is one that an Apache project may depend on."""

import csv
import re

from docs import licences, shipped

# Those that ask for more of who passes on what is built with them.
REFUSED = re.compile(
    r"\bAGPL|\bSSPL|Affero|Commons Clause|Proprietary|Non-?Commercial", re.IGNORECASE
)


def listed() -> dict[str, tuple[str, str]]:
    with licences.DATA.open(newline="") as lines:
        return {row["name"]: (row["version"], row["licence"]) for row in csv.DictReader(lines)}


def test_each_pinned_package_is_listed_with_its_version() -> None:
    found = {name: version for name, (version, _) in listed().items()}
    assert found == dict(shipped.pinned()), "fix: .venv/bin/python -m docs.licences"


def test_each_names_its_licence() -> None:
    unknown = [name for name, (_, licence) in listed().items() if licence == licences.UNKNOWN]
    assert unknown == []


def test_none_is_refused() -> None:
    assert not [name for name, (_, licence) in listed().items() if REFUSED.search(licence)]
