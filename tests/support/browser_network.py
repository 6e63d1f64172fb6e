"""A browser's own network: Chromium breaks off what it loads when an address of its machine changes.

Tests beside it make links and pods, so it gets a namespace whose addresses stay as they are.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_PROGRAMS = ("ip", "iptables", "sysctl")
_NAT = ("iptables", "-w", "-t", "nat")


@contextmanager
def own_network() -> Iterator[tuple[str, ...]]:
    """A network namespace in which 127.0.0.1 is this machine's, at all ports of TCP.

    Yields:
        What goes before a command that is to run in it; nothing where none can be made: for
        somebody else than root, or without its programs.
    """
    if os.geteuid() or not all(map(shutil.which, _PROGRAMS)):
        yield ()
        return
    number = os.getpid()
    name, here = f"browser{number}", f"br{number}"
    first = number // 256 % 64 * 4
    near, far = (f"10.219.{number % 256}.{first + end}" for end in (1, 2))
    within = ("ip", "netns", "exec", name)
    with ExitStack() as undo:
        _run("ip", "netns", "add", name)
        undo.callback(_run, "ip", "netns", "del", name)
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "addr", "add", f"{near}/30", "dev", here)
        _run("ip", "link", "set", here, "up")
        _run(*within, "ip", "link", "set", "lo", "up")
        _run(*within, "ip", "addr", "add", f"{far}/30", "dev", "eth0")
        _run(*within, "ip", "link", "set", "eth0", "up")
        # Addresses of 127.0.0.0/8 go over no device, but for one that is told to let them.
        _run("sysctl", "-qw", f"net.ipv4.conf.{here}.route_localnet=1")
        _run(*within, "sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1")
        _run(*within, *_NAT, "-A", "OUTPUT", "-p", "tcp", "-d", "127.0.0.1", *_to(near))
        _run(*within, *_NAT, "-A", "POSTROUTING", "-o", "eth0", "-j", "MASQUERADE")
        arriving = ("PREROUTING", "-p", "tcp", "-i", here, "-d", near, *_to("127.0.0.1"))
        _run(*_NAT, "-A", *arriving)
        undo.callback(_run, *_NAT, "-D", *arriving)
        yield within


def _to(address: str) -> tuple[str, ...]:
    return ("-j", "DNAT", "--to-destination", address)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
