"""Writes what each image is made of, by its pins, as CycloneDX: ``python -m docs.sboms``."""

from pathlib import Path

from docs import shipped, tool

FOLDER = shipped.ROOT / "build" / "sbom"


def write(file: Path) -> Path:
    """Write the SBOM of a file of pins; returns where."""
    target = FOLDER / f"{shipped.name_of(file)}.json"
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = (
        "cyclonedx-py",
        "requirements",
        "--output-reproducible",
        str(file),
        "-o",
        str(target),
    )
    tool.output("cyclonedx-bom==7.5.0", *command)
    return target


if __name__ == "__main__":
    for each in shipped.FILES:
        print(write(each))
