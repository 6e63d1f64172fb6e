"""Each image's pins are read wherever what is shipped is listed or looked up."""

import json
import re
from pathlib import Path

import pytest

from docs import sboms, shipped
from tests.support.requirements import ROOT, pins


def test_each_image_that_has_packages_of_pypi_has_a_file() -> None:
    installing = [
        file.parent
        for file in ROOT.glob("images/*/Dockerfile")
        if "pip install" in file.read_text()
    ]
    # The stages' image installs by a script of its own.
    assert len(installing) >= 3
    assert {*installing, ROOT / "images" / "stage"} == {file.parent for file in shipped.FILES[1:]}


def test_each_has_a_name_of_its_own() -> None:
    names = {shipped.name_of(file) for file in shipped.FILES}
    stages = {"stage-base", "stage-tensorflow", "stage-uploads"}
    assert names == {"airflow-side", "airflow", "edge", "store"} | stages


@pytest.mark.parametrize("file", shipped.FILES, ids=shipped.name_of)
def test_all_of_its_pins_are_read(file: Path) -> None:
    assert pins(file).items() <= dict(shipped.pinned()).items()


def test_a_package_has_one_version_everywhere() -> None:
    names = [name for name, _ in shipped.pinned()]
    assert len(names) == len({*names})


def test_pins_for_other_platforms_are_read_too() -> None:
    assert {"tensorflow", "tensorflow-cpu", "psycopg2-binary"} <= dict(shipped.pinned()).keys()


def test_what_is_audited_is_what_is_shipped() -> None:
    """No list of files stands in the Makefile beside this one."""
    makefile = (ROOT / "Makefile").read_text()
    (recipe,) = re.findall(r"^audit:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    modules = re.findall(r"-m docs\.(\w+)", recipe)
    assert modules == ["licences", "sboms", "advisories"]
    assert "requirements" not in recipe


@pytest.mark.slow
def test_an_sbom_has_the_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sboms, "FOLDER", tmp_path)
    for file in shipped.FILES:
        found = json.loads(sboms.write(file).read_text())
        listed = {(part["name"], part["version"]) for part in found["components"]}
        assert pins(file).items() <= listed, file
