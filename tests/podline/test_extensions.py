"""Another package adds commands and pages; one that is broken is told, and does no harm."""

import subprocess
import sys
from pathlib import Path

import pytest

ENTRY_POINTS = """\
[podline.commands]
greet = extra.commands:app
shout = extra.commands:shout
broken = extra.broken:app
gone = no_such_package:app

[podline.pages]
greeting = extra.pages:add_pages
sulking = extra.pages:refuse
"""
FILES = {
    "extra-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n",
    "extra-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
    "extra/__init__.py": "",
    "extra/broken.py": "raise RuntimeError('not\\ntoday')",
    "extra/commands.py": """
import typer
app = typer.Typer(help="Say hello.", no_args_is_help=True)
@app.command()
def hello(name: str) -> None: print("hello", name)
@app.command()
def bye() -> None: print("bye")
def shout(word: str) -> None:
    "Say a word aloud."
    print(word.upper())
""",
    "extra/pages.py": """
def add_pages(of_dag, of_all):
    @of_all.get("/greeting")
    def greeting() -> dict[str, str]:
        return {"greeting": "hello"}
def refuse(of_dag, of_all):
    raise RuntimeError("not today")
""",
}
TOLD = "podline: the extension broken (extra.broken:app) does not load: RuntimeError: not today\n"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package, as this process and its children see it."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True)


def podline(*words: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "podline.cli", *words)


def test_commands_are_added() -> None:
    helped = podline("--help")
    assert (helped.returncode, helped.stderr) == (0, TOLD)
    assert "  greet       Say hello." in helped.stdout
    assert "  shout       Say a word aloud." in helped.stdout
    assert "broken" not in helped.stdout
    assert "gone" not in helped.stdout
    assert podline("greet", "hello", "you").stdout == "hello you\n"
    assert podline("shout", "hey").stdout == "HEY\n"


def test_a_broken_one_is_no_command() -> None:
    done = podline("broken")
    assert done.returncode == 2
    assert done.stderr.startswith(TOLD)
    assert "No such command 'broken'" in done.stderr
    assert podline("--version").stderr == ""  # which needs no extension


@pytest.mark.slow
def test_pages_are_added() -> None:
    code = (
        "from podline.web.routes import make_app\n"
        "print([route.path for route in make_app().routes if 'greet' in route.path])"
    )
    done = python("-c", code)
    assert done.stdout.splitlines()[-1:] == ["['/greeting']"], done.stderr
    assert "podline: the extension sulking does not load: RuntimeError: not today" in done.stderr
