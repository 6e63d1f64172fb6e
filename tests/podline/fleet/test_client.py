"""What nodes answer is taken as untrusted input."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import httpx
import pytest

from podline.fleet.client import NodeClient, NodeDenies, NodeRefuses, NodeSilent
from podline.fleet.status import ModelStatus, NodeStatus, Swap

NODE = NodeStatus(
    "barn", "0.2.0", 1000.0, 900.0, 0.0, 1,
    (ModelStatus("power", "edge", 1, None, "READY", "", 5, 0, 0.1, 0.2, latencies={-3: 5}, swaps=(Swap(1, 0, "alias", 1.0, 2.0),)),),
)  # fmt: skip


def ask(answer: Callable[[httpx.Request], httpx.Response], method: str, *call: Any) -> Any:
    """Call a method of a client whose requests are answered so."""

    async def run() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            client = NodeClient(http, "open sesame")
            return await getattr(client, method)("http://barn", *call)

    return asyncio.run(run())


def test_a_status_comes_back() -> None:
    assert ask(lambda _: httpx.Response(200, text=NODE.to_json()), "status") == NODE


def test_only_what_changes_something_has_the_token() -> None:
    seen: list[tuple[str, str | None, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, request.headers.get("authorization"), request.content))
        return httpx.Response(200, text=NODE.to_json())

    ask(answer, "status")
    ask(answer, "load", "a b", 3)
    ask(answer, "load", "power")
    ask(answer, "unload", "power")
    token = "Bearer open sesame"
    assert seen == [
        ("/status", None, b""),
        ("/v2/repository/models/a b/load", token, b'{"parameters":{"version":3}}'),
        ("/v2/repository/models/power/load", token, b"{}"),
        ("/v2/repository/models/power/unload", token, b"{}"),
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "is not what a node says: "),
        (b"{}", "is not what a node says: node Field required"),
        (json.dumps(asdict(NODE) | {"models": [{"name": 3}]}).encode(), "models.0.name Input sho"),
        (NODE.to_json().replace("1000.0", "NaN").encode(), "now Input should be a finite number"),
        (b"x" * 5_000_000, "it has more than 4,194,304 bytes"),
    ],
)
def test_what_is_no_status(body: bytes, said: str) -> None:
    with pytest.raises(NodeSilent) as silent:
        ask(lambda _: httpx.Response(200, content=body), "status")
    assert said in str(silent.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, NodeDenies), (403, NodeDenies), (400, NodeRefuses), (404, NodeRefuses), (503, NodeSilent), (302, NodeSilent)],
)  # fmt: skip
def test_refusals(status: int, kind: type[Exception]) -> None:
    """Whoever is redirected is sent nowhere: that may be anywhere."""
    answer = httpx.Response(status, json={"error": "no " * 1000}, headers={"location": "http://x"})
    with pytest.raises(kind, match=f"answers {status}: no no") as refused:
        ask(lambda _: answer, "load", "power")
    assert type(refused.value) is kind
    assert len(str(refused.value)) < 700


def test_what_is_no_address() -> None:
    async def run() -> None:
        async with httpx.AsyncClient() as http:
            for address in ("ftp://barn", "http://[", "http://\udcff", ""):
                with pytest.raises(NodeSilent, match="does not answer"):
                    await NodeClient(http).status(address)

    asyncio.run(run())
