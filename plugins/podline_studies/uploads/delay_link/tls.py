"""TLS in front of stores that have none: it ends behind the link, as at an ingress.

``python -m podline_studies.uploads.delay_link.tls ADDRESS CERTIFICATE TARGET…`` serves the first
``HOST:PORT`` at `PORT`, the next at the port after that, and says ``ready``.
"""

import asyncio
import contextlib
import ipaddress
import ssl
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.subprocesses import running

PORT = 9443
_CHUNK = 1 << 16


@contextlib.contextmanager
def terminating(urls: Sequence[str], folder: Path) -> Iterator[None]:
    """End TLS in the namespace behind the link, for each store alike, until the end of the block.

    Args:
        urls: of the stores as the namespace reaches them, in the order of the link's.
        folder: for the certificate with its key, which its owner can read.

    Raises:
        LinkError: it does not start.
    """
    path = folder / "certificate.pem"
    path.touch(0o600)
    public, private = _certificate(topology.SINK)
    path.write_bytes(public + private)
    targets = [urlsplit(url).netloc for url in urls]
    arguments = (topology.SINK, str(path), *targets)
    with running(__spec__.name, *arguments, within=topology.inside(), log=folder / "tls.log"):
        topology.AUTHORITY.write_bytes(public)
        try:
            yield
        finally:
            topology.AUTHORITY.unlink(missing_ok=True)


def _certificate(address: str) -> tuple[bytes, bytes]:
    """A certificate of an address that vouches for itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "podline-link")])
    now, serial = datetime.now(UTC), x509.random_serial_number()
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), serial)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return made.public_bytes(pem), private


async def serve(address: str, certificate: str, targets: list[str]) -> None:
    """Serve until the process is ended."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    # Tickets come before any answer: clients would take them for the acknowledgement they wait for.
    context.num_tickets = 0
    async with contextlib.AsyncExitStack() as stack:
        for number, target in enumerate(targets):
            server = await asyncio.start_server(
                _Way(target).pass_on, address, PORT + number, ssl=context
            )
            await stack.enter_async_context(server)
        print("ready", flush=True)
        await asyncio.Event().wait()


class _Way:
    """From connections of clients to one store."""

    def __init__(self, target: str) -> None:
        self.host, _, self.port = target.rpartition(":")

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes from either side until one ends."""
        with contextlib.suppress(OSError):
            there, onward = await asyncio.open_connection(self.host, self.port)
            await asyncio.gather(_pump(reader, onward), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2], sys.argv[3:]))
