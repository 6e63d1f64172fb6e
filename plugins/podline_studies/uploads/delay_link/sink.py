"""Takes bytes, as fast as they come: the other end of a probe.

``python -m podline_studies.uploads.delay_link.sink ADDRESS PORT`` says ``ready``. Each message is
its length (8 bytes, big-endian) and so many bytes; it is answered by one byte when all are there.
"""

import contextlib
import socket
import struct
import sys
import threading

LENGTH = struct.Struct("!Q")
DONE = b"."
PORT = 9099  # of probes
_BUFFER = 1 << 20


def serve(address: str, port: int) -> None:
    """Serve until the process is ended."""
    with socket.create_server((address, port)) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_take, args=(connection,), daemon=True).start()


def _take(connection: socket.socket) -> None:
    buffer = bytearray(_BUFFER)
    with connection, contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while head := connection.recv(LENGTH.size, socket.MSG_WAITALL):
            left = LENGTH.unpack(head)[0]
            while left:
                got = connection.recv_into(buffer, min(left, _BUFFER))
                if not got:
                    return
                left -= got
            connection.sendall(DONE)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
