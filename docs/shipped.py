"""What is shipped: the files that pin the packages of Airflow's side and of each image."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "requirements.txt", *sorted((ROOT / "images").glob("*/requirements*.txt")))


def name_of(file: Path) -> str:
    """What a file of `FILES` is of: `airflow-side`, or the image, such as `stage-tensorflow`."""
    if file.parent == ROOT:
        return "airflow-side"
    return f"{file.parent.name}{file.stem.removeprefix('requirements')}"


def pinned() -> list[tuple[str, str]]:
    """All that they pin, for whichever platform: name and version."""
    lines = (line for file in FILES for line in file.read_text().splitlines())
    found = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([^ ;]+)", line) for line in lines)
    return sorted({(match[1], match[2]) for match in found if match})
