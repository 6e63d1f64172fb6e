"""Packets as a TUN device gives them: an offload header, then IPv4, and TCP of several segments.

The header is Linux' struct virtio_net_hdr. A packet of up to 64 KiB stands for many segments of
the wire (TCP segmentation offload); to lose one of them, the packet is cut around it, and each
piece gets the headers that the kernel would have given it.
"""

import struct

_OFFLOAD = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
OFFLOAD_SIZE = _OFFLOAD.size
_PORTS = struct.Struct("!HH")
_TCP4, _ECN = 1, 0x80
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80
_IPV4, _TCP = 4, 6


class Packet:
    """A packet of one or more segments.

    Attributes:
        data: all of it, its offload header first.
        segments: how many packets of the wire it stands for.
        wire_bytes: the bytes of these, each with its headers.
        ports: of TCP, whence and where to; none: it is another protocol.
    """

    __slots__ = ("data", "headers", "ports", "segment", "segments", "wire_bytes")

    def __init__(self, data: bytes) -> None:
        self.data = data
        _, kind, _, size, _, _ = _OFFLOAD.unpack_from(data)
        packet = len(data) - OFFLOAD_SIZE
        self.headers = self.segments = 1
        self.segment, self.wire_bytes = packet, packet
        start = OFFLOAD_SIZE
        transport = start + (data[start] & 0x0F) * 4
        is_tcp = data[start] >> 4 == _IPV4 and data[start + 9] == _TCP
        self.ports = _PORTS.unpack_from(data, transport) if is_tcp else ()
        if kind & ~_ECN == _TCP4 and size:
            self.headers = transport - start + (data[transport + 12] >> 4) * 4
            self.segment = size
            self.segments = -(-(packet - self.headers) // size)
            self.wire_bytes = packet + (self.segments - 1) * self.headers

    def piece(self, first: int, end: int) -> bytes:
        """The segments from `first` until before `end`, as a packet of their own."""
        if end - first == self.segments:
            return self.data
        payload = OFFLOAD_SIZE + self.headers
        content = self.data[payload + first * self.segment : payload + end * self.segment]
        piece = bytearray(self.data[:payload]) + content
        last = end == self.segments
        _mend_network(piece, first)
        _mend_transport(piece, first * self.segment, len(content), first == 0, last)
        _mend_offload(piece, end - first)
        return bytes(piece)


def _mend_network(piece: bytearray, index: int) -> None:
    """Length, identification and checksum of IPv4 (RFC 791)."""
    start = OFFLOAD_SIZE
    end = start + (piece[start] & 0x0F) * 4
    struct.pack_into("!H", piece, start + 2, len(piece) - start)
    number = struct.unpack_from("!H", piece, start + 4)[0]
    struct.pack_into("!H", piece, start + 4, (number + index) & 0xFFFF)
    struct.pack_into("!H", piece, start + 10, 0)
    struct.pack_into("!H", piece, start + 10, ~_sum(piece[start:end]) & 0xFFFF)


def _mend_transport(piece: bytearray, offset: int, size: int, first: bool, last: bool) -> None:
    """Sequence number, flags and the checksum's beginning of TCP (RFC 9293)."""
    start = OFFLOAD_SIZE
    tcp = start + (piece[start] & 0x0F) * 4
    sequence = struct.unpack_from("!I", piece, tcp + 4)[0]
    struct.pack_into("!I", piece, tcp + 4, (sequence + offset) & 0xFFFFFFFF)
    if not last:
        piece[tcp + 13] &= ~(_FIN | _PSH) & 0xFF
    if not first:
        piece[tcp + 13] &= ~_CWR & 0xFF
    # The kernel adds the rest: the sum of the pseudo-header is what it begins with.
    length = len(piece) - tcp
    pseudo = bytes(piece[start + 12 : start + 20]) + struct.pack("!BBH", 0, _TCP, length)
    struct.pack_into("!H", piece, tcp + 16, _sum(pseudo))


def _mend_offload(piece: bytearray, segments: int) -> None:
    flags, kind, headers, size, start, offset = _OFFLOAD.unpack_from(piece)
    if segments == 1:
        kind = size = 0
    _OFFLOAD.pack_into(piece, 0, flags, kind, headers, size, start, offset)


def _sum(data: bytes | bytearray) -> int:
    """The Internet checksum's sum (RFC 1071), not inverted."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
