"""The process of a delay link: two TUN devices, and what goes in at one comes out at the other.

``python -m podline_studies.uploads.delay_link.tun NEAR FAR SOCKET`` makes the devices, listens at a
Unix socket for `control`, and says ``ready``. It ends with its standard input, which is its
parent's to hold, and the devices with it.

TUN devices keep TCP's handshake and slow start, which a proxy hides. Packets of up to 64 KiB pass
whole (segmentation offload), which is what makes Python fast enough for 1 Gbit/s.
"""

import contextlib
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys
import time
from dataclasses import asdict

from podline_studies.uploads.delay_link import LinkSpec
from podline_studies.uploads.delay_link.control import LONGEST, Command, LinkStats
from podline_studies.uploads.delay_link.queue import Direction

# linux/if_tun.h
_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_F_CSUM, _F_TSO4, _F_TSO_ECN = 0x01, 0x02, 0x08
_PR_SET_TIMERSLACK = 29
_LARGEST = 65536 + 64
_MOST_LATE = 200_000  # measurements of lateness that are kept


def open_device(name: str) -> int:
    """Open a new TUN device; returns its descriptor. It goes when that is closed."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    flags = _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    fcntl.ioctl(device, _TUNSETOFFLOAD, _F_CSUM | _F_TSO4 | _F_TSO_ECN)
    return device


class DelayLink:
    """Both directions, between two devices."""

    def __init__(self, near: int, far: int) -> None:
        spec = LinkSpec()
        self.ways = {near: (Direction(spec, 1), far), far: (Direction(spec, 2), near)}
        self.late: list[float] = []

    def run(self, control: socket.socket, parent: int) -> None:
        """Pass packets on until the parent's end of a pipe is closed.

        Args:
            control: listens.
            parent: the pipe.
        """
        sources = [*self.ways, control.fileno(), parent]
        while True:
            due = min(way.due for way, _ in self.ways.values())
            wait = None if due == float("inf") else max(0.0, due - time.monotonic())
            for ready in select.select(sources, [], [], wait)[0]:
                if ready in self.ways:
                    self._take(ready)
                elif ready == parent:
                    return
                else:
                    self._listen(control)
            self._pass_on()

    def _take(self, device: int) -> None:
        way, _ = self.ways[device]
        with contextlib.suppress(BlockingIOError, OSError):
            while True:
                data = os.read(device, _LARGEST)
                way.take(data, time.monotonic())

    def _pass_on(self) -> None:
        for way, target in self.ways.values():
            while way.due <= (now := time.monotonic()):
                due, data = way.leave()
                if len(self.late) < _MOST_LATE:
                    self.late.append(now - due)
                with contextlib.suppress(OSError):  # the device is down, or has no room
                    os.write(target, data)

    def _listen(self, control: socket.socket) -> None:
        """Do one command."""
        connection, _ = control.accept()
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(1.0)
            command = Command.from_json(connection.recv(LONGEST))
            connection.sendall(self._do(command).to_json().encode())

    def _do(self, command: Command) -> LinkStats:
        ways = [way for way, _ in self.ways.values()]
        for way in ways:
            if command.spec is not None:
                way.change(command.spec)
            if command.cut:
                way.closed_until = time.monotonic() + command.cut
        if not command.stats:
            return LinkStats()
        late, self.late = sorted(self.late) or [0.0], []
        counts = {
            f"{name}_{side}": count
            for side, way in zip(("there", "back"), ways, strict=True)
            for name, count in asdict(way.take_counts()).items()
        }
        return LinkStats(late[len(late) // 2], late[int(len(late) * 0.99)], late[-1], **counts)


def _be_punctual() -> None:
    """Ask the kernel for exact timers, and for the processor when a packet is due."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def main() -> None:
    """Make the devices that the arguments name, and pass packets on."""
    near, far = (open_device(name) for name in sys.argv[1:3])
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(sys.argv[3])
        os.chmod(sys.argv[3], 0o600)
        control.listen()
        _be_punctual()
        print("ready", flush=True)
        DelayLink(near, far).run(control, sys.stdin.fileno())


if __name__ == "__main__":
    main()
