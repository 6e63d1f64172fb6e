"""What all commands share: help, version, errors, and how an end is told."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from podline import __version__
from podline.cli import lint
from podline.cli.store import embedded_folder
from podline.compiler.pipeline import Pipeline
from podline.exceptions import PodlineError

from .conftest import Podline, Refused, Write

ALONE = ["lint", "show", "join", "run", "runs", "latency", "notebook", "clean", "sweep-pods", "up"]
GROUPS = {
    "data": "fetch put",
    "store": "start stop status env secrets exec",
}
COMMANDS = [[name] for name in ALONE]
COMMANDS += [[group, name] for group, names in GROUPS.items() for name in names.split()]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_has_help(podline: Podline, command: list[str]) -> None:
    result = podline(*command, "--help")
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines[0].startswith(f"Usage: podline {' '.join(command)}")
    assert lines[2].endswith(".")


@pytest.mark.parametrize("group", [[], ["data"], ["store"]], ids=" ".join)
def test_no_summary_is_cut(podline: Podline, group: list[str]) -> None:
    result = podline(*group, "--help")
    assert result.exit_code == 0
    assert "..." not in result.stdout.partition("Commands:")[2]


def test_the_version(podline: Podline) -> None:
    assert podline("--version").stdout == f"podline {__version__}\n"


def test_this_machine_is_not_reached_through_a_proxy(
    podline: Podline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "example.com")
    podline("lint", "no-such-notebook.ipynb")
    assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "127.0.0.1,localhost,example.com"


@pytest.fixture
def failing(
    podline: Podline, write: Write, monkeypatch: pytest.MonkeyPatch
) -> Callable[[BaseException], Result]:
    """Calls a command in which an error comes up."""

    def call(error: BaseException) -> Result:
        def fail(path: Path) -> Pipeline:
            raise error

        monkeypatch.setattr(lint, "check_notebook", fail)
        return podline("lint", write("a", ("step:a", "x = 1")))

    return call


def test_our_errors_are_one_line(failing: Callable[[BaseException], Result]) -> None:
    result = failing(PodlineError("the thing is wrong: mend it"))
    assert result.exit_code == 1
    assert result.stderr == "podline: error: the thing is wrong: mend it\n"
    assert result.stdout == ""


def test_other_errors_keep_their_traceback(failing: Callable[[BaseException], Result]) -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        failing(RuntimeError("a defect"))


def test_ctrl_c_ends_with_130(failing: Callable[[BaseException], Result]) -> None:
    result = failing(KeyboardInterrupt())
    assert (result.exit_code, result.stderr) == (130, "podline: interrupted\n")


def test_a_terminal_without_unicode_shows_the_graph(notebooks: Path) -> None:
    command = [sys.executable, "-m", "podline.cli", "show"]
    done = subprocess.run(
        [*command, str(notebooks / "kale_notebook.ipynb")],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"*    load\n|-+\n* |  square\n|-+\n*    sum\n" in done.stdout


def test_up_says_that_its_port_is_taken(
    refused: Refused, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("AIRFLOW__API__PORT", str(port))
        assert f"podline: error: Port {port} is taken" in refused("up")
    assert embedded_folder() == home / "store"
