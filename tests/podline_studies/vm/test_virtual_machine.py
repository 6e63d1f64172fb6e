"""The virtual machine with a store: it is built, boots, and keeps what it is given."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from podline.store import AlreadyExists, Store
from podline_studies.uploads.delay_link import LinkSpec, topology
from tests.support import virtual_machine
from tests.support.virtual_machine import Machine, MachineError

ROOT = Path(__file__).parents[3]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.vm,
    pytest.mark.xdist_group("link"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("qemu-system-x86_64") or not shutil.which("mke2fs"),
        reason="a virtual machine needs root, qemu-system-x86 and e2fsprogs",
    ),
]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vm") / "image"
    command = [sys.executable, str(ROOT / "images" / "vm" / "build.py"), str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": "plugins"})
    return folder


@pytest.fixture(scope="module")
def network() -> Iterator[topology.DelayedNetwork]:
    with topology.laid({"vm_store": virtual_machine.ADDRESS}) as found:
        yield found


@pytest.fixture(scope="module")
def machine(
    image: Path, network: topology.DelayedNetwork, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    with virtual_machine.running(image, tmp_path_factory.mktemp("running")) as found:
        yield found


def test_it_serves_soon(machine: Machine) -> None:
    """Within 20 s under emulation; a slow machine on which others work takes several times that."""
    assert machine.ready < 200


def test_it_keeps_what_it_is_given(machine: Machine) -> None:
    store = Store(machine.store)
    data = os.urandom(3_000_000)
    store.put("a", data)
    assert bytes(store.get("a")) == data
    with pytest.raises(AlreadyExists):
        store.put("a", b"other")


def test_it_is_behind_the_link(machine: Machine, network: topology.DelayedNetwork) -> None:
    around = machine.store.endpoint_url or ""
    through = Store(replace(machine.store, endpoint_url=network.url("vm_store", around)))
    network.link.set(LinkSpec(0.2))
    through.put("warm", b"1")
    began = time.monotonic()
    through.put("timed", b"1")
    assert time.monotonic() - began >= 0.2
    network.link.set(LinkSpec())


def test_a_machine_without_an_image(tmp_path: Path) -> None:
    wanted = pytest.raises(MachineError, match="there is no image in .*: make vm-image")
    with wanted, virtual_machine.running(tmp_path / "nothing", tmp_path):
        pass
