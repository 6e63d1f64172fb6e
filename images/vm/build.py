"""Builds the virtual machine's image: Debian's kernel, an init of busybox, and the S3 server.

``python images/vm/build.py FOLDER`` writes ``kernel``, ``initrd`` and ``disk`` into the folder. It
needs apt, dpkg-deb and mke2fs (packages apt, dpkg and e2fsprogs), and no rights. The server is the
package that podline itself uses, at the same version and with the settings of
helm-values/object-store.yaml.
"""

import lzma
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from podline.store.in_cluster import server_arguments
from podline_studies.uploads.delay_link.topology import BUFFERS

HERE = Path(__file__).parent
DISK = "16G"  # sparse
MODULES = ("virtio_net", "virtio_blk", "ext4", "sch_fq", "tcp_bbr")


def build(target: Path) -> None:
    """Write the image's three files into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        unpacked = download(work, "busybox-static", kernel_package())
        root = work / "root"
        make_root(root, unpacked)
        (target / "initrd").write_bytes(b"".join(archive(root)))
        (kernel,) = (unpacked / "boot").glob("vmlinuz-*")
        shutil.copyfile(kernel, target / "kernel")
        make_disk(work / "disk", target / "disk")


def kernel_package() -> str:
    """The package of the kernel that Debian's package for clouds depends on."""
    shown = run("apt-cache", "depends", "linux-image-cloud-amd64")
    found = re.search(r"Depends: (linux-image-\S+)", shown)
    if not found:
        raise SystemExit("apt knows no linux-image-cloud-amd64: run apt-get update")
    return found[1]


def download(work: Path, *packages: str) -> Path:
    """Fetch packages, and unpack them into one folder."""
    fetched, unpacked = work / "packages", work / "unpacked"
    fetched.mkdir()
    run("apt-get", "download", *packages, cwd=fetched)
    for package in fetched.glob("*.deb"):
        run("dpkg-deb", "-x", str(package), str(unpacked))
    return unpacked


def make_root(root: Path, unpacked: Path) -> None:
    """What the kernel unpacks into memory: busybox, modules and init."""
    for folder in ("bin", "modules", "proc", "sys", "dev", "disk", "etc", "tmp"):
        (root / folder).mkdir(parents=True)
    (busybox,) = unpacked.glob("**/bin/busybox")
    shutil.copy(busybox, root / "bin" / "busybox")
    for command in run(str(busybox), "--list").split():
        if command != "busybox":
            (root / "bin" / command).symlink_to("busybox")
    shutil.copy(HERE / "init", root / "init")
    (root / "init").chmod(0o755)
    lines = [f"{name} {value}\n" for name, value in BUFFERS.items()]
    (root / "etc" / "sysctl.conf").write_text("".join(lines))
    arguments = server_arguments("/disk/data")
    (root / "etc" / "arguments").write_text("".join(f"{each}\n" for each in arguments))
    (modules,) = unpacked.glob("**/lib/modules/*")
    order = copy_modules(modules, root / "modules")
    (root / "modules" / "order").write_text("".join(f"{name}\n" for name in order))


def copy_modules(source: Path, target: Path) -> list[str]:
    """Copy the modules and what they need; returns their names in the order of loading."""
    found = {re.sub(r"\.ko.*", "", path.name): path for path in source.glob("**/*.ko*")}
    order: list[str] = []

    def add(name: str) -> None:
        path = found.get(name)
        if path is None or f"{name}.ko" in order:  # not a module: it is in the kernel
            return
        data = path.read_bytes()
        data = lzma.decompress(data) if path.suffix == ".xz" else data
        (target / f"{name}.ko").write_bytes(data)
        depends = re.search(rb"\0depends=([^\0]*)", b"\0" + data)
        for other in depends[1].decode().split(",") if depends else ():
            add(other.replace("-", "_") if other.replace("-", "_") in found else other)
        order.append(f"{name}.ko")

    for name in MODULES:
        add(name)
    return order


def make_disk(folder: Path, target: Path) -> None:
    """The disk: the server's program, and room for its data."""
    (folder / "bin").mkdir(parents=True)
    shutil.copy(Path(sys.executable).with_name("weed"), folder / "bin" / "weed")
    target.unlink(missing_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", str(folder), str(target), DISK)


def archive(root: Path) -> Iterator[bytes]:
    """The folder as the kernel unpacks it: cpio's format newc (the kernel's initramfs format)."""
    paths = [Path("."), *sorted(path.relative_to(root) for path in root.rglob("*"))]
    for number, path in enumerate(paths, start=1):
        yield from _entry(number, str(path), root / path)
    yield from _member(0, 0, "TRAILER!!!", b"")


def _entry(number: int, name: str, path: Path) -> Iterator[bytes]:
    mode = path.lstat().st_mode
    if path.is_symlink():
        content = str(path.readlink()).encode()
    else:
        content = path.read_bytes() if stat.S_ISREG(mode) else b""
    return _member(number, mode, name, content)


def _member(number: int, mode: int, name: str, content: bytes) -> Iterator[bytes]:
    size = len(name) + 1
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, size, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    yield head + b"\0" * (-len(head) % 4)
    yield content + b"\0" * (-len(content) % 4)


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a program; returns its output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    build(Path(sys.argv[1]))
