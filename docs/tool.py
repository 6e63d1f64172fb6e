"""Tools from PyPI in environments of their own, since they want other versions than Airflow."""

import subprocess
import sys


def run(
    package: str, *command: str, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a package's command.

    Args:
        package: with its version, such as ``pip==25.3``.
        command: and its arguments.
        seconds: after which it is ended; None: never.

    Returns:
        Its output and errors as text, and how it ended.

    Raises:
        subprocess.TimeoutExpired: it was ended.
    """
    uv = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", package]
    return subprocess.run([*uv, *command], capture_output=True, text=True, timeout=seconds)


def output(package: str, *command: str) -> str:
    """The output of a package's command; it ends the program where that failed."""
    done = run(package, *command)
    if done.returncode:
        sys.exit(f"{' '.join(command[:2])}: {done.stderr}")
    return done.stdout
