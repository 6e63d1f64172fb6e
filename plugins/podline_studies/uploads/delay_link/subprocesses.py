"""A link's own programs: modules of this package that say ``ready`` when they serve."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podline_studies.uploads.delay_link import LinkError

_PATIENCE = 20.0  # seconds in which a process may end
_PLUGINS = Path(__file__).parents[3]


@contextmanager
def running(
    module: str, *arguments: str, within: tuple[str, ...] = (), log: Path | None = None
) -> Iterator[None]:
    """Run a module until the end of the block, which is the end of its standard input too.

    Args:
        module: its name.
        arguments: its own.
        within: a command that it is a part of, such as one that changes the network namespace.
        log: a file for what it says of errors.

    Raises:
        LinkError: it does not start.
    """
    command = [*within, sys.executable, "-m", module, *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(_PLUGINS), *sys.path])}
    pipe = subprocess.PIPE
    with (log or Path(os.devnull)).open("w") as errors:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, env=environment)
    with ended(process):
        assert process.stdout
        if process.stdout.readline() != b"ready\n":
            said = f": {log.read_text()[-500:]}" if log else ""
            raise LinkError(f"{module} did not start{said}")
        yield


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process with the block: it is asked to, and killed where it does not."""
    with process:  # its pipes are closed
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
