"""Who may load and unload: whoever has the token, and without one this machine alone."""

import hmac
import ipaddress
from collections.abc import Mapping
from http import HTTPStatus

from podline.edge.protocol import ProtocolError


class Access:
    """Lets requests change what is served, or refuses them.

    Args:
        token: what they must have; empty: they must come from this machine.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def check(self, headers: Mapping[bytes, bytes], client: str) -> None:
        """Refuse a request that may not change what is served.

        Args:
            headers: the request's, in small letters.
            client: the address that it comes from.

        Raises:
            ProtocolError: it may not.
        """
        if self._token:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
                raise ProtocolError(
                    "loading and unloading needs the server's token: Authorization: Bearer …",
                    HTTPStatus.UNAUTHORIZED,
                )
        elif b"origin" in headers:  # a page of anybody's, in a browser on this machine
            raise ProtocolError("a web page may not load and unload", HTTPStatus.FORBIDDEN)
        elif not _is_loopback(client):
            raise ProtocolError(
                "only the server's own machine may load and unload: start it with a token "
                "(PODLINE_EDGE_TOKEN) to allow it from elsewhere",
                HTTPStatus.FORBIDDEN,
            )


def _is_loopback(client: str) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
