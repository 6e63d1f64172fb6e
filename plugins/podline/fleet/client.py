"""Requests to a node: its status, and to load and unload. A node's answer is untrusted input."""

import asyncio
import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from podline.exceptions import PodlineError
from podline.fleet.status import NodeStatus

if TYPE_CHECKING:
    import httpx
    from pydantic import TypeAdapter

_LOOK = 5.0  # seconds within which a node says how it is
_LOAD = 15.0  # after which one that loads is asked how it is instead
_LONGEST = 4 * 1024 * 1024  # bytes of an answer
_TOLD = 500  # characters of what a node says

_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class NodeSilent(PodlineError):
    """A node does not answer, or not what one does: asking again may help."""


class NodeRefuses(PodlineError):
    """A node does not do what it is asked for."""


class NodeDenies(NodeRefuses):
    """A node lets us change nothing: asking again does not help."""


class NodeClient:
    """Asks nodes.

    Args:
        http: sends the requests.
        token: what loading and unloading needs; empty: nothing.
    """

    def __init__(self, http: "httpx.AsyncClient", token: str = "") -> None:
        self._http, self._token = http, token

    async def status(self, address: str) -> NodeStatus:
        """What a node says of itself.

        Raises:
            NodeSilent: it does not, or it is no node.
        """
        from pydantic import ValidationError

        data = await self._ask("GET", f"{address}/status", _LOOK)
        try:
            found: NodeStatus = _status().validate_json(data)
            return found
        except ValidationError as error:
            (first, *_) = error.errors(include_url=False, include_input=False)
            where = ".".join(map(str, first["loc"]))
            raise NodeSilent(
                f"{address}/status is not what a node says: {where} {first['msg']}"
            ) from None

    async def load(self, address: str, model: str, version: int = 0) -> None:
        """Have a node serve a version, and return when it does.

        Args:
            address: the node's.
            model: the model's name.
            version: the one to stay at; 0: the one that the alias means, which it follows then.

        Raises:
            NodeRefuses: it does not take it up, and says why.
            NodeSilent: it does not answer in time.
        """
        body = {"parameters": {"version": version}} if version else {}
        await self._ask("POST", _route(address, model, "load"), _LOAD, body)

    async def unload(self, address: str, model: str) -> None:
        """Have a node serve nothing of a model.

        Args:
            address: the node's.
            model: the model's name.

        Raises:
            NodeRefuses: it does not.
            NodeSilent: it does not answer in time.
        """
        await self._ask("POST", _route(address, model, "unload"), _LOAD, {})

    async def _ask(
        self, method: str, url: str, seconds: float, body: dict[str, Any] | None = None
    ) -> bytes:
        import httpx

        changes = body is not None
        headers = {"authorization": f"Bearer {self._token}"} if self._token and changes else {}
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.stream(
                    method, url, json=body, headers=headers, timeout=seconds
                ) as response,
            ):
                data = await _read(response)
        except TimeoutError:
            raise NodeSilent(f"{url} does not answer within {seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
            said = str(error) or type(error).__name__
            raise NodeSilent(f"{url} does not answer: {said}") from None
        if response.status_code == HTTPStatus.OK:
            return data
        said = f"{response.status_code}: {_error(data)}"
        if response.status_code in _DENIED:
            raise NodeDenies(f"it answers {said}")
        if response.is_client_error:
            raise NodeRefuses(f"it answers {said}")
        raise NodeSilent(f"{url} answers {said}")


def _route(address: str, model: str, what: str) -> str:
    return f"{address}/v2/repository/models/{quote(model, safe='')}/{what}"


async def _read(response: "httpx.Response") -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > _LONGEST:
            raise ValueError(f"it has more than {_LONGEST:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _error(data: bytes) -> str:
    """What a refusal says, in the protocol's way or any other."""
    try:
        said = json.loads(data)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = data.decode(errors="replace")
    return str(said)[:_TOLD]


@cache
def _status() -> "TypeAdapter[NodeStatus]":
    from pydantic import ConfigDict, TypeAdapter, with_config

    return TypeAdapter(with_config(ConfigDict(allow_inf_nan=False))(NodeStatus))
