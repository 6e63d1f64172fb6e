"""A packet that is cut is what the kernel would have sent in pieces."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podline_studies.uploads.delay_link.packets import OFFLOAD_SIZE, Packet
from tests.support.packets import ACK, CWR, FIN, PSH, checksum, packet


def parts(piece: bytes) -> tuple[tuple[int, ...], bytes, bytes, bytes]:
    """Offload header, network header, transport header and payload."""
    offload = struct.unpack_from("=BBHHHH", piece)
    network = piece[OFFLOAD_SIZE : OFFLOAD_SIZE + 20]
    size = (piece[OFFLOAD_SIZE + 32] >> 4) * 4
    start = OFFLOAD_SIZE + 20
    return offload, network, piece[start : start + size], piece[start + size :]


@given(
    st.binary(min_size=1, max_size=5000),
    st.integers(100, 1448),
    st.integers(0, 60),
    st.sampled_from([b"", bytes(12)]),
)
def test_two_pieces_are_the_whole(payload: bytes, size: int, cut: int, options: bytes) -> None:
    whole = Packet(packet(payload, size, options=options))
    assert whole.segments == -(-len(payload) // size)
    assert whole.wire_bytes == len(payload) + whole.segments * (40 + len(options))
    if not 0 < cut < whole.segments:
        return
    first, second = whole.piece(0, cut), whole.piece(cut, whole.segments)
    (_, net1, tcp1, data1), (_, net2, tcp2, data2) = parts(first), parts(second)
    assert data1 + data2 == payload
    for piece, network in ((first, net1), (second, net2)):
        assert checksum(network) == 0
        assert struct.unpack_from("!H", network, 2)[0] == len(piece) - OFFLOAD_SIZE
    sequences = [struct.unpack_from("!I", tcp, 4)[0] for tcp in (tcp1, tcp2)]
    assert (sequences[1] - sequences[0]) % 2**32 == len(data1)
    identifications = [struct.unpack_from("!H", network, 4)[0] for network in (net1, net2)]
    assert (identifications[1] - identifications[0]) % 2**16 == cut


def test_flags_stay_where_they_belong() -> None:
    whole = Packet(packet(bytes(3000), 1000, FIN | PSH | ACK | CWR))
    found = [parts(whole.piece(n, n + 1))[2][13] for n in range(3)]
    assert found == [ACK | CWR, ACK, FIN | PSH | ACK]


def test_the_kernel_is_left_the_rest_of_the_checksum() -> None:
    """The sum of the pseudo-header, as it is for a packet that the kernel itself makes."""
    piece = Packet(packet(bytes(3000), 1000)).piece(1, 2)
    _, network, transport, data = parts(piece)
    pseudo = network[12:20] + struct.pack("!BBH", 0, 6, len(transport) + len(data))
    assert struct.unpack_from("!H", transport, 16)[0] == ~checksum(pseudo) & 0xFFFF


@pytest.mark.parametrize(("end", "kind", "size"), [(1, 0, 0), (2, 1, 1000)])
def test_one_segment_is_no_offload(end: int, kind: int, size: int) -> None:
    offload = parts(Packet(packet(bytes(3000), 1000)).piece(0, end))[0]
    assert (offload[1], offload[3]) == (kind, size)


def test_what_is_not_cut_is_left_as_it_is() -> None:
    data = packet(bytes(3000), 1000)
    assert Packet(data).piece(0, 3) is data
    alone = packet(b"x", 1448)
    assert (Packet(alone).segments, Packet(alone).wire_bytes) == (1, 41)
