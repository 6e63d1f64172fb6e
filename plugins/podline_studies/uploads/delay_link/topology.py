"""Where a delay link lies: between this machine with its pods, and a network namespace.

    here, and pods ── near ═ link process ═ far ── namespace ─┬─ veth ── stores that are elsewhere
                                                              └─ tap  ── a virtual machine

Each store has an address on the link's network; the namespace forwards to the store's own. A pod
comes through by the masquerade of the cluster's network, and needs no right for it. All stores are
behind the same link. It takes root, the programs ``ip`` and ``iptables``, and Linux.
"""

import ipaddress
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from podline_studies.uploads.delay_link import LinkError
from podline_studies.uploads.delay_link.control import Link
from podline_studies.uploads.delay_link.subprocesses import running

NAMESPACE = "podline-far"
TAP = "podline-tap"
TAP_NETWORK = ipaddress.ip_network("10.99.3.0/30")  # the namespace has .1, the virtual machine .2
SINK = "10.99.0.9"  # the namespace itself, for probes
AROUND = "10.99.2.2"  # the namespace itself, around the link
CONTROL = Path("/run/podline-link.sock")
AUTHORITY = Path("/run/podline-link.pem")  # who vouches for the TLS that ends behind it
_FACTS = Path("/run/podline-link.json")  # the stores' addresses on it

_NETWORK = "10.99.0.0/24"
_FIRST = ipaddress.ip_address("10.99.0.10")
_HERE = "10.99.1.1"
_VETH_HERE = "10.99.2.1"
_NEAR, _FAR, _VETH = "podline-near", "podline-far0", "podline-veth"
_LINK = "podline_studies.uploads.delay_link.tun"
_PROGRAMS = ("ip", "iptables", "sysctl")
# A flow's window is the buffer's limit: 64 MiB fill 1 Gbit/s at half a second.
BUFFERS = {
    "net.core.rmem_max": "67108864",
    "net.core.wmem_max": "67108864",
    "net.ipv4.tcp_rmem": "4096 131072 67108864",
    "net.ipv4.tcp_wmem": "4096 65536 67108864",
}
_QUEUE = "20000"  # packets of a device
_CONGESTION = "net.ipv4.tcp_congestion_control"
_ALGORITHMS = "net.ipv4.tcp_available_congestion_control"


@dataclass(frozen=True)
class DelayedNetwork:
    """A delay link that lies.

    Attributes:
        addresses: of each store on the link's network, by its name.
        link: what changes it.
    """

    addresses: dict[str, str]
    link: Link

    def url(self, store: str, direct: str, tls_port: int | None = None) -> str:
        """The address of a store behind the link.

        Args:
            store: its name.
            direct: its address around the link.
            tls_port: of the first store, where TLS ends behind the link; None: it is not used.

        Raises:
            LinkError: the link does not lead to it.
        """
        if store not in self.addresses:
            known = ", ".join(self.addresses) or "none"
            raise LinkError(f"the delay link leads to {known}, and not to the store {store!r}")
        if tls_port is not None:
            return f"https://{SINK}:{tls_port + list(self.addresses).index(store)}"
        parts = urlsplit(direct)
        return f"{parts.scheme}://{self.addresses[store]}:{parts.port or 80}"


@contextmanager
def laid(stores: Mapping[str, str], log: Path | None = None) -> Iterator[DelayedNetwork]:
    """Lay a delay link in front of stores; it is taken away at the end.

    Args:
        stores: the IPv4 address of each store as this machine, or for `TAP_NETWORK` the namespace,
            reaches it, by its name.
        log: a file for what the link's process says of errors.

    Raises:
        LinkError: it cannot be made here.
    """
    _check()
    if CONTROL.exists() and Link(CONTROL).lies():
        raise LinkError(
            "a delay link lies on this machine already, and there can be one: wait until whoever "
            "laid it is done, such as a study or tests"
        )
    take_away()
    with ExitStack() as stack:
        stack.callback(take_away)
        stack.enter_context(_kernel(BUFFERS))
        _make_namespace()
        stack.enter_context(running(_LINK, _NEAR, _FAR, str(CONTROL), log=log))
        addresses = {name: str(_FIRST + place) for place, name in enumerate(stores)}
        _connect(stores, addresses)
        _FACTS.write_text(json.dumps(addresses))
        yield DelayedNetwork(addresses, Link(CONTROL))


def lying() -> DelayedNetwork | None:
    """The link that some process of this machine has laid; None: there is none."""
    if not CONTROL.exists() or not _FACTS.exists():
        return None
    return DelayedNetwork(json.loads(_FACTS.read_text()), Link(CONTROL))


def algorithm() -> str:
    """The machine's own algorithm of congestion control."""
    return _sysctl(_CONGESTION)


@contextmanager
def congestion(name: str) -> Iterator[None]:
    """Have connections of this machine go by an algorithm, and those of pods made meanwhile.

    Args:
        name: the algorithm's; empty: the machine's own.

    Raises:
        LinkError: the kernel has none of that name.
    """
    if not name:
        yield
        return
    known = _sysctl(_ALGORITHMS).split()
    if name not in known:
        has = ", ".join(known)
        raise LinkError(f"congestion = {name!r}: the kernel has {has}. fix: modprobe tcp_{name}")
    with _kernel({_CONGESTION: name}):
        yield


def take_away() -> None:
    """Take away what a link left, also one whose process was killed."""
    _run("ip", "link", "del", _VETH, check=False)
    _run("ip", "link", "del", _NEAR, check=False)
    _run("ip", "netns", "del", NAMESPACE, check=False)
    for path in (CONTROL, AUTHORITY, _FACTS):
        path.unlink(missing_ok=True)


def inside(*command: str) -> tuple[str, ...]:
    """A command as it runs in the namespace."""
    return ("ip", "netns", "exec", NAMESPACE, *command)


def _check() -> None:
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        raise LinkError(
            f"a delay link needs the programs {', '.join(missing)}: install iproute2, iptables "
            "and procps"
        )
    if os.geteuid():
        raise LinkError("a delay link makes devices and a network namespace: run this as root")
    if not Path("/dev/net/tun").exists():
        raise LinkError("a delay link needs /dev/net/tun: load the module tun")


def _make_namespace() -> None:
    _run("ip", "netns", "add", NAMESPACE)
    _far("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", _VETH, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
    _run("ip", "addr", "add", f"{_VETH_HERE}/30", "dev", _VETH)
    _run("ip", "link", "set", _VETH, "up")
    _far("ip", "addr", "add", f"{AROUND}/30", "dev", "eth0")
    _far("ip", "link", "set", "eth0", "up")
    _far("ip", "route", "add", "default", "via", _VETH_HERE)
    _far("sysctl", "-qw", "net.ipv4.ip_forward=1")
    _far("ip", "addr", "add", f"{SINK}/32", "dev", "lo")
    _far("ip", "tuntap", "add", TAP, "mode", "tap", "vnet_hdr")
    _far("ip", "addr", "add", f"{TAP_NETWORK[1]}/30", "dev", TAP)
    _far("ip", "link", "set", TAP, "up")
    # A way around the link, for what is not measured.
    _run("ip", "route", "add", str(TAP_NETWORK), "via", AROUND, "dev", _VETH)


def _connect(stores: Mapping[str, str], addresses: Mapping[str, str]) -> None:
    _run("ip", "link", "set", _FAR, "netns", NAMESPACE)
    device = ["up", "txqueuelen", _QUEUE, "mtu", "1500"]
    _run("ip", "addr", "add", f"{_HERE}/32", "dev", _NEAR)
    _run("ip", "link", "set", _NEAR, *device)
    _far("ip", "link", "set", _FAR, *device)
    _run("ip", "route", "add", _NETWORK, "dev", _NEAR, "src", _HERE)
    _far("ip", "route", "add", f"{_HERE}/32", "dev", _FAR)
    for name, target in stores.items():
        _nat("PREROUTING", "-i", _FAR, "-d", addresses[name], "-j", "DNAT", "--to", target)
    _nat("POSTROUTING", "-o", "eth0", "-j", "MASQUERADE")


@contextmanager
def _kernel(values: Mapping[str, str]) -> Iterator[None]:
    """The kernel's settings changed, for connections and pods made meanwhile."""
    before = {name: _sysctl(name) for name in values}
    for name, value in values.items():
        _run("sysctl", "-qw", f"{name}={value}")
    try:
        yield
    finally:
        for name, value in before.items():
            _run("sysctl", "-qw", f"{name}={value}", check=False)


def _sysctl(name: str) -> str:
    return Path("/proc/sys", *name.split(".")).read_text().strip()


def _nat(*rule: str) -> None:
    _far("iptables", "-t", "nat", "-A", *rule)


def _far(*command: str) -> None:
    _run(*inside(*command))


def _run(*command: str, check: bool = True) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode:
        raise LinkError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
