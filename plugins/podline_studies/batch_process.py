"""A batch that is made in a process of its own, or in a pod: how it is started, and how it answers.

The process reads its task from a variable of its environment; its last line is a mark and its
result as JSON.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import TypeVar

from podline.contract import Json
from podline.exceptions import PodlineError
from podline.secrecy import redacted

_ResultT = TypeVar("_ResultT", bound=Json)


class BatchFailed(PodlineError):
    """A batch came to nothing."""


def run(module: str, variables: Mapping[str, str]) -> str:
    """Run a module as a process, beside what this one has in its environment.

    Args:
        module: its name.
        variables: what its environment has besides.

    Returns:
        What it printed.

    Raises:
        BatchFailed: it ended with an error.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise BatchFailed(f"the batch failed: {redacted(done.stderr).strip()[-1000:]}")
    return done.stdout


def read_result(kind: type[_ResultT], mark: str, printed: str) -> _ResultT:
    """Find the result in what a process printed.

    Args:
        kind: the result's.
        mark: what its line begins with.
        printed: all that was printed.

    Raises:
        BatchFailed: it is not there.
    """
    for line in reversed(printed.splitlines()):
        if line.startswith(f"{mark} "):
            return kind.from_json(line.removeprefix(f"{mark} "))
    raise BatchFailed(f"the batch left no result: {printed.strip()[-1000:]}")
