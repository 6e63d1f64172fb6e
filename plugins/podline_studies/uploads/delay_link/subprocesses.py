"""A link's own programs: modules of this package that say ``ready`` when they serve."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podline_studies.uploads.delay_link import LinkError

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
    with (log or Path(os.devnull)).open("w") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
            env=environment,
        )  # fmt: skip
    try:
        assert process.stdout
        if process.stdout.readline() != "ready\n":
            said = f": {log.read_text()[-500:]}" if log else ""
            raise LinkError(f"{module} did not start{said}")
        yield
    finally:
        with process:  # its pipes are closed
            process.terminate()
