"""The code in the fences of the documentation's pages, run as a reader runs it.

A comment right above a fence says what is not plain::

    <!-- not run: it needs a cluster -->            and why
    <!-- fails: the notebook has no stage yet -->   a reader sees it fail here
    <!-- cell 3 of tutorial/wine.ipynb -->          it stands in a notebook, which is run
"""

import ast
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support import dags_test
from tests.support.dags_test import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
_FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>.+?) -->\n *)?```(?P<language>\S*)\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_CELL = re.compile(r"cell (\d+) of (\S+)")
NOT_RUN, FAILS = "not run: ", "fails: "
# What a fence may hold besides code: what a program prints, and pictures.
TEXTS = ("text", "mermaid", "dockerfile")
RUN = ("bash", "python")


def _shell(code: str) -> None:
    subprocess.run(["bash", "-n"], input=code, text=True, check=True)


def _settings(code: str) -> None:
    configparser.ConfigParser(interpolation=None).read_string(code)


# What reads each language, or raises.
READERS: dict[str, Callable[[str], object]] = {
    "bash": _shell,
    "python": ast.parse,
    "json": json.loads,
    "toml": tomllib.loads,
    "ini": _settings,
    "yaml": lambda code: list(yaml.safe_load_all(code)),
}


@dataclass(frozen=True)
class Block:
    """A fence: where it is, what language its text is in, and what the comment above it says."""

    page: str
    line: int
    language: str
    code: str
    mark: str

    @property
    def cell(self) -> tuple[Path, int] | None:
        """The notebook that it is a cell of, and the cell's number from 1."""
        found = _CELL.fullmatch(self.mark)
        return (DOCS / found[2], int(found[1])) if found else None

    @property
    def known(self) -> bool:
        """Whether its language and its mark are some that are known."""
        marked = not self.mark or self.mark.startswith((NOT_RUN, FAILS)) or self.cell
        return self.language in (*READERS, *TEXTS) and bool(marked)

    @property
    def runs(self) -> bool:
        """Whether a reader runs it as it stands."""
        return self.language in RUN and (not self.mark or self.mark.startswith(FAILS))


def blocks(page: Path) -> list[Block]:
    """The fences of a page, in order."""
    text = page.read_text()
    return [
        Block(
            str(page.relative_to(ROOT)),
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            textwrap.dedent(found["code"]),
            found["mark"] or "",
        )
        for found in _FENCE.finditer(text)
    ]


def run(page: Path, checkout: Path) -> None:
    """Run what a page has, from top to bottom in one shell, in a checkout.

    Raises:
        AssertionError: a block failed, or did not where it should.
    """
    script = "\n".join(["set -euo pipefail", *_lines([b for b in blocks(page) if b.runs])])
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=checkout,
        env=_environment(checkout),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, f"{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"


def _lines(runnable: Sequence[Block]) -> Iterator[str]:
    for block in runnable:
        yield f"echo '--- {block.page}, line {block.line}' >&2"
        code = block.code
        if block.language == "python":
            code = f"python - <<'END_OF_BLOCK'\n{code}END_OF_BLOCK\n"
        if block.mark.startswith(FAILS):
            code = f"if\n{code}then echo 'it did not fail' >&2; exit 1; fi"
        yield code


def checkout(folder: Path) -> Path:
    """Make a checkout of one's own: the notebooks, Airflow and the store are in this folder."""
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder)
        os.utime(folder / name, (0, 0))  # what is installed is newer
    for name in ("dags", "docs", "helm-values", "images", "plugins", "tests"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / ".airflow").mkdir()
    dags_test.migrate(folder / ".airflow")
    (folder / ".airflow/.migrated").touch()
    return folder


def _environment(checkout: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "TZ") if name in os.environ}
    return kept | {
        "HOME": str(checkout),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout / "plugins"),
        "NO_PROXY": "127.0.0.1,localhost",
        "AIRFLOW_HOME": str(checkout / ".airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
