"""Packets as a TUN device gives them."""

import struct

FIN, PSH, ACK, CWR = 0x01, 0x08, 0x10, 0x80
NEEDS_CSUM = 1


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(payload: bytes, size: int, flags: int = ACK | PSH, options: bytes = b"") -> bytes:
    """A packet of TCP over IPv4 as a TUN device gives it, of segments of `size` bytes."""
    tcp_size = 20 + len(options)
    many = len(payload) > size
    offload = struct.pack(
        "=BBHHHH", NEEDS_CSUM, 1 if many else 0, 20 + tcp_size, size if many else 0, 20, 16
    )
    length = 20 + tcp_size + len(payload)
    source, target = bytes([10, 99, 1, 1]), bytes([10, 99, 0, 10])
    network = struct.pack("!BBHHHBBH", 0x45, 0, length, 0xFFFE, 0x4000, 64, 6, 0) + source + target
    network = network[:10] + struct.pack("!H", checksum(network)) + network[12:]
    transport = struct.pack(
        "!HHIIBBHHH", 40000, 8333, 0xFFFFFF00, 7, tcp_size // 4 << 4, flags, 500, 0, 0
    )
    return offload + network + transport + options + payload
