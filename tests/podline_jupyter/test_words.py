"""The panel's words are podline's own: tags, kinds, phases; and its two packages are of one version."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from podline import __version__
from podline.compiler import tags
from podline.compiler.tag_words import WORDS
from podline.phases import OUTSIDE, TABLE

ROOT = Path(__file__).parents[2]
JUPYTER = ROOT / "jupyter"
APP = JUPYTER / "labextension/app"


def quoted(module: str, name: str) -> set[str]:
    """The quoted texts of a constant."""
    text = (APP / module).read_text()
    found = re.search(rf"const {name} = ([\[{{].*?[\]}}]);", text, re.DOTALL)
    assert found
    return set(re.findall(r'"([^"]*)"', found[1]))


def test_every_tag_has_its_place_in_the_form() -> None:
    naming = {word for word in WORDS if WORDS[word].field == "stage"}
    assert quoted("tags.js", "NAMING") == naming
    assert quoted("tags.js", "STAGE_WORDS") == {*WORDS} - naming
    text = (APP / "tags.js").read_text()
    kinds = re.search(r"const KINDS = \{(.*?)\};", text, re.DOTALL)
    assert kinds
    keys = set(re.findall(r'^  "?([a-z-]*)"?:', kinds[1], re.MULTILINE))
    plain = {tag for tag in tags.EXAMPLES if ":" not in tag} - {tags.MAY_RAISE}
    assert keys - {"", "step"} == plain - {"pipeline-parameters"}


def test_every_phase_has_the_colour_of_its_part() -> None:
    text = (APP / "bars.js").read_text()
    told = dict(re.findall(r"^  (\w+): \[(.*?)\],$", text, re.MULTILINE))
    parts = {part: set(re.findall(r'"(\w+)"', names)) for part, names in told.items()}
    for kind in TABLE:
        if kind.part not in (None, "pipeline"):
            assert kind.name in parts[str(kind.part)]
        else:
            assert all(kind.name not in names for names in parts.values())
    assert quoted("bars.js", "OUTSIDE") == {*OUTSIDE}


def test_all_is_of_one_version() -> None:
    project: dict[str, Any] = tomllib.loads((JUPYTER / "pyproject.toml").read_text())["project"]
    package = (JUPYTER / "labextension/package.json").read_text()
    schema = JUPYTER / "labextension/schemas/podline-jupyter/package.json.orig"
    assert schema.read_text() == package
    own = re.search(r'__version__ = "(.*)"', (JUPYTER / "podline_jupyter/__init__.py").read_text())
    assert own
    assert {project["version"], json.loads(package)["version"], own[1]} == {__version__}
