"""What the project's files of requirements pin."""

import tomllib
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
STAGE = ROOT / "images" / "stage"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# What an image's pip sees.
INSIDE = default_environment() | {
    "sys_platform": "linux",
    "platform_machine": "x86_64",
    "python_version": "3.13",
    "python_full_version": "3.13.0",
}


def pins(path: Path) -> dict[str, str]:
    """The versions that a file of requirements pins for a Linux machine."""
    found = {}
    for line in path.read_text().splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            if not requirement.marker or requirement.marker.evaluate(INSIDE):
                (only,) = requirement.specifier
                assert only.operator == "=="
                found[requirement.name] = only.version
    return found
