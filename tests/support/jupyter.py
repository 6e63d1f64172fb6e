"""A real Jupyter server with podline-jupyter, in an environment of `make jupyter-env`."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.airflow_server import free_port
from tests.support.notebooks import code_cell, notebook_text
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / "build/jupyter"
# By name: the program, and the path of a notebook's page.
PROGRAMS = {
    "lab-oldest": ("jupyterlab", "/lab/workspaces/auto-t/tree/{}?reset&token={}"),
    "lab-newest": ("jupyterlab", "/lab/workspaces/auto-t/tree/{}?reset&token={}"),
    "notebook": ("notebook", "/notebooks/{}?token={}"),
}
PODLINE = [sys.executable, "-m", "podline.cli"]
TOKEN = "a-token-for-tests"
_SECONDS = 120.0
# Without one Jupyter asks which it should be.
_KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


@dataclass(frozen=True)
class Jupyter:
    """A server: its address, the folder it serves, and which it is."""

    url: str
    root: Path
    program: str
    process: subprocess.Popen[bytes]

    def page(self, name: str) -> str:
        """The address of a notebook's page."""
        return self.url + PROGRAMS[self.program][1].format(name, TOKEN)

    def write(self, name: str, *cells: Sequence[str]) -> Path:
        """Write a notebook of cells, each its tags (separated by spaces) and its source."""
        listed = [code_cell(source, *tags.split()) for tags, source in cells]
        path = self.root / name
        path.write_text(notebook_text(listed, _KERNEL))
        return path

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, Any]:
        """Ask the extension; returns the status, and the answer's JSON or text."""
        request = urllib.request.Request(f"{self.url}/podline/{path}", method=method)
        for name, value in headers.items():
            request.add_header(name, value)
        if token:
            request.add_header("Authorization", f"token {token}")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                return answer.status, _read(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _read(error.read())


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")


@contextmanager
def running(
    program: str, home: Path, command: Sequence[str] = PODLINE, **options: str
) -> Iterator[Jupyter]:
    """A server; the test is skipped where its environment is not made.

    Args:
        program: a name of `PROGRAMS`.
        home: an empty folder for all that it keeps.
        command: podline.
        options: of the extension.
    """
    python = ENVIRONMENTS / program / "bin/python"
    if not python.exists():
        pytest.skip("needs JupyterLab: make jupyter-env")
    root = home / "notebooks"
    root.mkdir(parents=True)
    port = free_port()
    words: list[str] = [
        *(str(python), "-m", PROGRAMS[program][0]),
        *("--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}"),
        *(f"--IdentityProvider.token={TOKEN}", "--LabApp.expose_app_in_browser=True"),
        *("--JupyterNotebookApp.expose_app_in_browser=True", "--LabApp.news_url="),
        *(f"--PodlineApp.command={word}" for word in command),
        *(f"--PodlineApp.{name}={value}" for name, value in options.items()),
    ]
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in _FOLDERS}
    environment = {
        **os.environ,
        **folders,
        "PYTHONPATH": str(ROOT / "plugins"),  # of podline's command
        "AIRFLOW__PODLINE__HOME": str(home / "podline"),
        "AIRFLOW__PODLINE__STORE_LINGER": "0",
    }
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    found = Jupyter(url, root, program, process)
    try:
        until(lambda: _answers(found, home / "log"), _SECONDS)
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_FOLDERS = ("DATA", "CONFIG", "RUNTIME")


def _answers(jupyter: Jupyter, log: Path) -> bool:
    if jupyter.process.poll() is not None:
        raise RuntimeError(log.read_text()[-3000:])
    try:
        with urllib.request.urlopen(f"{jupyter.url}/api", timeout=10):
            return True
    except OSError:
        return False
