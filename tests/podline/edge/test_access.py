"""Who may load and unload."""

import pytest

from podline.edge.access import Access
from podline.edge.protocol import ProtocolError


@pytest.mark.parametrize("client", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine(client: str) -> None:
    Access("").check({}, client)


@pytest.mark.parametrize("client", ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "localhost", ""])
def test_without_a_token_nobody_else(client: str) -> None:
    with pytest.raises(ProtocolError, match="only the server's own machine may") as refused:
        Access("").check({}, client)
    assert refused.value.status == 403


def test_with_a_token_whoever_has_it() -> None:
    Access("secret").check({b"authorization": b"Bearer secret"}, "10.0.0.1")
    for headers in ({}, {b"authorization": b"Bearer Secret"}, {b"authorization": b"secret"}):
        with pytest.raises(ProtocolError, match="needs the server's token") as refused:
            Access("secret").check(headers, "127.0.0.1")
        assert refused.value.status == 401
