"""The machine that a study is measured on."""

import hashlib
import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

import podline
import podline_studies
from podline import __version__

# Share of the processors' time that others may take in the second before something is measured.
QUIET = 0.5
_PATIENCE = 30.0  # seconds
_PACKAGES = """
    apache-airflow apache-airflow-providers-cncf-kubernetes tensorflow tensorflow-cpu scikit-learn
    pandas numpy onnxruntime
"""


class Machine(TypedDict, total=False):
    """What there is to say of a machine; of what an older study does not say, nothing.

    Attributes:
        machine: the processor's name.
        processors: that a process may use.
        versions: of packages.
    """

    machine: str
    processors: int
    memory_bytes: int
    kernel: str
    versions: dict[str, str]


def boot_id() -> str:
    """A word for the time since the machine's start; "" where none is known."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def about() -> Machine:
    """What there is to say of this one."""
    return {
        "machine": _processor(),
        "processors": _processors(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "versions": _versions(),
    }


def code_digest() -> str:
    """The hash of podline's own code, hex: whether two machines have the same."""
    found = hashlib.sha256()
    for package in (podline, podline_studies):
        root = Path(package.__file__ or "").parent
        for path in sorted(root.rglob("*.py")):
            found.update(f"{package.__name__}/{path.relative_to(root)}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((s.partition(":")[2].strip() for s in lines if s.startswith("model name")), "")


def _versions() -> dict[str, str]:
    found = {"podline": __version__, "python": platform.python_version()}
    for name in _PACKAGES.split():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def busy_share(seconds: float = 1.0) -> float | None:
    """Share of the processors' time that was taken, over some seconds; None: not known."""
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[1] == before[1]:
        return None
    return round(1 - (after[0] - before[0]) / (after[1] - before[1]), 4)


def settle(quiet: float = QUIET, seconds: float = _PATIENCE) -> float | None:
    """Wait for a second in which others leave the machine to what is to be measured.

    Args:
        quiet: the share of the processors' time that they may take.
        seconds: how long to wait, at most.

    Returns:
        The share of the processors' time that was taken in the last second; None: not known.
    """
    until = time.monotonic() + seconds
    while (busy := busy_share()) is not None and busy > quiet and time.monotonic() < until:
        pass
    return busy


def disturbance(
    busy: float | None, quiet: float | None, when: str = "in the second before it"
) -> str:
    """Why something measured beside a share `busy` does not count; "": it does.

    Where `quiet`, what others may take, is None, nobody looked.
    """
    if busy is None or quiet is None or busy <= quiet:
        return ""
    return f"disturbed: {busy:.0%} of the processors were taken {when}"


def _ticks() -> tuple[int, int] | None:
    """Ticks of idleness (waiting for disks included), and all, since the machine's start."""
    try:
        with Path("/proc/stat").open() as file:
            numbers = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    return numbers[3] + numbers[4], sum(numbers)
