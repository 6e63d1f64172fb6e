"""The object store in a virtual machine, on the tap behind a delay link.

QEMU runs the image of images/vm, with KVM where that works, and under emulation elsewhere.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from podline.exceptions import PodlineError
from podline.store import StoreConnection
from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.subprocesses import ended
from tests.support import far_store

ADDRESS = str(topology.TAP_NETWORK[2])
BOOTED = "podline: booted"
_BOOT = 20.0  # seconds in which KVM must have booted, or it does not work
_READY = 240.0  # seconds in which the store must serve
_MEMORY = "4G"
_PROCESSORS = "2"
# What an emulated processor does slowly is left out: copying by `rep movsb`, which Debian's kernel
# would choose, goes byte by byte, and each `crc32` is a call. A store takes 64 MB in 1.8 to
# 2.2 s; in 2.2 to 2.4 with the latter, and in 3.5 with both.
_EMULATED = "max,-erms,-fsrm,-sse4.2"
# No page is filled with zeros twice, and timers tick: to set one is slow where it is emulated. Each
# is a tenth of the time that an upload takes.
_KERNEL = (
    "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off init_on_alloc=0 nohz=off highres=off"
)


class MachineError(PodlineError):
    """The virtual machine does not run."""


@dataclass
class Machine:
    """A virtual machine that runs.

    Attributes:
        store: the connection to its store, as the namespace behind the link reaches it.
        accelerated: whether by KVM; else it is emulated.
        ready: seconds from its start until its store took an object.
    """

    store: StoreConnection
    accelerated: bool
    ready: float


@contextmanager
def running(image: Path, folder: Path, bucket: str = "uploads") -> Iterator[Machine]:
    """Run the machine in the namespace behind the link, until the end.

    Args:
        image: the folder that images/vm/build.py wrote.
        folder: for its disk, which is a copy of the image's, and its log.
        bucket: that its store is to have.

    Raises:
        MachineError: it does not boot, or its store does not serve.
    """
    if shutil.which("qemu-system-x86_64") is None:
        raise MachineError(
            "a virtual machine needs qemu-system-x86_64: apt-get install qemu-system-x86"
        )
    if not (image / "kernel").is_file():
        raise MachineError(f"there is no image in {image}: make vm-image")
    store = far_store.new_store("vm", ADDRESS, bucket)
    began = time.monotonic()
    process, accelerated = _boot(image, folder, store)
    with ended(process):
        if not far_store.has_served(process, store, _READY):
            said = _end_of(folder / "console")
            raise MachineError(f"the machine's store does not serve:\n{said}")
        yield Machine(store, accelerated, time.monotonic() - began)


def _boot(
    image: Path, folder: Path, store: StoreConnection
) -> tuple[subprocess.Popen[bytes], bool]:
    """Start it; returns its process, and whether KVM runs it."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in far_store.keys_of(store).items())
    (folder / "keys").write_bytes(text.encode().ljust(4096, b"\0"))
    (folder / "keys").chmod(0o600)
    for kvm in (True, False) if os.access("/dev/kvm", os.W_OK) else (False,):
        # Sparse, as the image's is.
        subprocess.run(["cp", "--sparse=always", image / "disk", folder / "disk"], check=True)
        process = _start(image, folder, kvm)
        if _has_booted(process, folder / "console", _BOOT if kvm else _READY):
            return process, kvm
        process.kill()
        process.wait()
    raise MachineError(f"the machine does not boot:\n{_end_of(folder / 'console')}")


def _start(image: Path, folder: Path, kvm: bool) -> subprocess.Popen[bytes]:
    accelerator, cpu = ("kvm", "host") if kvm else ("tcg,thread=multi", _EMULATED)
    options = (
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
        "-display none",
        "-machine q35",
        f"-accel {accelerator}",
        f"-cpu {cpu}",
        f"-smp {_PROCESSORS}",
        f"-m {_MEMORY}",
        f"-kernel {image / 'kernel'}",
        f"-initrd {image / 'initrd'}",
        f"-append {_KERNEL}",
        f"-serial file:{folder / 'console'}",
        f"-drive file={folder / 'disk'},format=raw,if=virtio,cache=writeback",
        f"-drive file={folder / 'keys'},format=raw,if=virtio,readonly=on",
        f"-netdev tap,id=n0,ifname={topology.TAP},script=no,downscript=no,vhost=off",
        "-device virtio-net-pci,romfile=,netdev=n0",
    )
    words = (word for option in options for word in option.split(" ", 1))
    command = topology.inside("qemu-system-x86_64", *words)
    with (folder / "qemu.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def _has_booted(process: subprocess.Popen[bytes], console: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if console.is_file() and BOOTED in console.read_text(errors="replace"):
            return True
        time.sleep(0.1)
    return False


def _end_of(path: Path) -> str:
    return path.read_text(errors="replace")[-2000:] if path.is_file() else "(it said nothing)"
