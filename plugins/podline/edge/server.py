"""The routes: the Open Inference Protocol, Prometheus' metrics, and the node's status."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from podline import __version__
from podline.edge import feedback, protocol
from podline.edge.access import Access
from podline.edge.follower import Follower
from podline.edge.limits import Limits
from podline.edge.logs import log_seldom
from podline.edge.metrics import Metrics, resident
from podline.edge.protocol import HEADER_LENGTH, ProtocolError
from podline.edge.repository import ServedModel
from podline.edge.version import LoadedVersion
from podline.fleet.status import NodeStatus
from podline.models.runtimes import RuntimeFailure
from podline.models.signature import InputError

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

_INLINE = 0.002  # seconds: a run that takes less costs less than handing it to a thread
_SMALL = 64 * 1024  # bytes of a request: more take long to be read
_JSON = (b"content-type", b"application/json")
_EXTENSIONS = ["model_repository", "binary_tensor_data"]
_ADMIN_BODY = Limits(body=64 * 1024)

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    body: bytes = b""
    status: int = HTTPStatus.OK
    headers: tuple[tuple[bytes, bytes], ...] = (_JSON,)


@dataclass(frozen=True)
class _Call:
    """A request on its way to its route."""

    path: tuple[str, ...]
    headers: Headers
    client: str
    receive: "ASGIReceiveCallable"


@dataclass
class Server:
    """Answers requests with the models that a follower keeps.

    Attributes:
        models: by name.
        follower: what loads and unloads.
        metrics: what is counted.
        limits: what requests may take.
        access: who may load and unload.
        node: the name by which the node is known.
        threads: for runs that take long.
        ending: whether the server is about to end, and is ready no more.
    """

    models: Mapping[str, ServedModel]
    follower: Follower
    metrics: Metrics
    limits: Limits
    access: Access
    node: str
    threads: ThreadPoolExecutor = field(default_factory=ThreadPoolExecutor)
    ending: bool = False

    async def __call__(
        self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable"
    ) -> None:
        """Answer a request, as ASGI has it."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except ConnectionError:
            return
        headers = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
        if self.ending:  # so that no request comes on a connection that is about to close
            headers.append((b"connection", b"close"))
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers,
                "trailers": False,
            }
        )
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def _answer(self, scope: "HTTPScope", receive: "ASGIReceiveCallable") -> Answer:
        path = tuple(scope["path"].strip("/").split("/"))
        client = scope.get("client")
        call = _Call(path, dict(scope["headers"]), client[0] if client else "", receive)
        try:
            if path[-1] == "infer" and scope["method"] == "POST" and path[:2] == ("v2", "models"):
                return await self._infer(call)
            return await self._route(scope["method"], path)(call)
        except ProtocolError as error:
            return _refusal(str(error), error.status)
        except ConnectionError:
            raise
        except Exception as error:  # a fault of ours: the client is told, and we go on
            log_seldom("fault", "request", error=repr(error))
            return _refusal("the server failed: see its log", HTTPStatus.INTERNAL_SERVER_ERROR)

    def _route(self, method: str, path: tuple[str, ...]) -> Callable[[_Call], Awaitable[Answer]]:
        known: dict[str, Callable[[_Call], Awaitable[Answer]]] = {}
        match path:
            case ("v2",):
                known = {"GET": self._server}
            case ("v2", "health", "live"):
                known = {"GET": self._live}
            case ("v2", "health", "ready"):
                known = {"GET": self._ready}
            case ("v2", "models", _) | ("v2", "models", _, "versions", _):
                known = {"GET": self._metadata}
            case ("v2", "models", _, "ready") | ("v2", "models", _, "versions", _, "ready"):
                known = {"GET": self._model_ready}
            case ("v2", "models", *_, "infer"):
                known = {"POST": self._infer}
            case ("v2", "repository", "index"):
                known = {"POST": self._index, "GET": self._index}
            case ("v2", "repository", "models", _, "load"):
                known = {"POST": self._load}
            case ("v2", "repository", "models", _, "unload"):
                known = {"POST": self._unload}
            case ("metrics",):
                known = {"GET": self._metrics}
            case ("status",):
                known = {"GET": self._status}
            case ("feedback",):
                known = {"POST": self._feedback}
        if not known:
            raise ProtocolError(f"there is no /{'/'.join(path)}", HTTPStatus.NOT_FOUND)
        if method not in known:
            allowed = " or ".join(known)
            raise ProtocolError(f"it takes {allowed}, not {method}", HTTPStatus.METHOD_NOT_ALLOWED)
        return known[method]

    # --- requests to models ------------------------------------------------------------------

    async def _infer(self, call: _Call) -> Answer:
        body = await self.limits.read(call.headers, call.receive)
        began, name, status = time.perf_counter(), "", HTTPStatus.INTERNAL_SERVER_ERROR
        version: LoadedVersion | None = None
        try:
            with self.limits.place(self.metrics):
                model, version = self._current(call.path)
                name = model.name
                answer = await self._infer_by(version, name, call.headers, body)
            status = HTTPStatus.OK
            return answer
        except InputError as error:
            status = HTTPStatus.BAD_REQUEST
            log_seldom("refused", name, reason=str(error))
            raise ProtocolError(str(error)) from None
        except RuntimeFailure as error:
            log_seldom("failed", name, reason=str(error))
            raise ProtocolError(str(error), HTTPStatus.INTERNAL_SERVER_ERROR) from None
        except ProtocolError as error:
            status = HTTPStatus(error.status)
            log_seldom("refused", name, reason=str(error))
            raise
        finally:
            took = time.perf_counter() - began
            self.metrics.answered(name, status, took)
            if version:
                _count(version, status, took)

    async def _infer_by(
        self, version: LoadedVersion, name: str, headers: Headers, body: bytes
    ) -> Answer:
        """Have a version answer, which it does to the end whatever is swapped in meanwhile."""
        length = headers.get(HEADER_LENGTH.encode())

        def work() -> tuple[bytes, int | None]:
            split = None if length is None else length.decode("latin-1")
            request = protocol.read_request(body, split)
            outputs = version.infer(request.inputs)
            return protocol.write_response(name, version.number, request, outputs)

        inline = version.run_seconds < _INLINE and len(body) < _SMALL
        answered, split = work() if inline else await self._in_thread(work)
        if split is None:
            return Answer(answered)
        return Answer(
            answered,
            headers=(
                (b"content-type", b"application/octet-stream"),
                (HEADER_LENGTH.encode(), b"%d" % split),
            ),
        )

    async def _in_thread(
        self, work: Callable[[], tuple[bytes, int | None]]
    ) -> tuple[bytes, int | None]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await loop.run_in_executor(self.threads, work)
        except TimeoutError:
            raise ProtocolError(
                f"the model did not answer within {self.limits.seconds:g} s",
                HTTPStatus.GATEWAY_TIMEOUT,
            ) from None

    def _model(self, name: str) -> ServedModel:
        if (model := self.models.get(name)) is None:
            raise ProtocolError(
                f"there is no model {name!r} here: there is {', '.join(self.models)}",
                HTTPStatus.NOT_FOUND,
            )
        return model

    def _current(self, path: tuple[str, ...]) -> tuple[ServedModel, LoadedVersion]:
        """The model that a path names, and its version that answers now."""
        if len(path) not in (3, 4, 5, 6) or (len(path) > 4 and path[3] != "versions"):
            raise ProtocolError(f"there is no /{'/'.join(path)}", HTTPStatus.NOT_FOUND)
        model = self._model(path[2])
        version = model.current
        if version is None:
            raise ProtocolError(
                f"no version of {model.name} is loaded: {model.reason or 'it is being fetched'}",
                HTTPStatus.SERVICE_UNAVAILABLE,
            )
        if len(path) > 4 and path[4] != str(version.number):
            raise ProtocolError(
                f"version {path[4]} of {model.name} is not loaded: version {version.number} is",
                HTTPStatus.NOT_FOUND,
            )
        return model, version

    async def _metadata(self, call: _Call) -> Answer:
        model, version = self._current(call.path)
        return _json(
            protocol.metadata(model.name, version.number, version.platform, version.signature)
        )

    async def _model_ready(self, call: _Call) -> Answer:
        model, version = self._current(call.path)
        return _json({"name": model.name, "version": str(version.number), "ready": True})

    # --- the server --------------------------------------------------------------------------

    async def _server(self, call: _Call) -> Answer:
        return _json({"name": "podline", "version": __version__, "extensions": _EXTENSIONS})

    async def _live(self, call: _Call) -> Answer:
        return _json({"live": True})

    async def _ready(self, call: _Call) -> Answer:
        waits = [model.name for model in self.models.values() if not model.current]
        if self.ending or waits:
            why = "the server is ending" if self.ending else f"no version of {', '.join(waits)}"
            return _refusal(why, HTTPStatus.SERVICE_UNAVAILABLE)
        return _json({"ready": True})

    async def _metrics(self, call: _Call) -> Answer:
        text = self.metrics.text(self.models.values()).encode()
        return Answer(text, headers=((b"content-type", b"text/plain; version=0.0.4"),))

    async def _status(self, call: _Call) -> Answer:
        return Answer(self.status().to_json().encode())

    def status(self) -> NodeStatus:
        """All that the node says of itself."""
        return NodeStatus(
            node=self.node,
            podline=__version__,
            now=time.time(),
            started=self.metrics.started,
            store_seen=self.metrics.store_seen,
            memory=resident(),
            models=tuple(model.status() for model in self.models.values()),
        )

    async def _feedback(self, call: _Call) -> Answer:
        given = feedback.read(await self.limits.read(call.headers, call.receive))
        given.count(self._model(given.model))
        return _json({})

    # --- the repository ----------------------------------------------------------------------

    async def _index(self, call: _Call) -> Answer:
        return _json(
            [
                {
                    "name": model.name,
                    "version": str(model.current.number) if model.current else "",
                    "state": model.state,
                    "reason": model.reason,
                }
                for model in self.models.values()
            ]
        )

    async def _load(self, call: _Call) -> Answer:
        self.access.check(call.headers, call.client)
        model = self._model(call.path[3])
        version = _asked_version(await _ADMIN_BODY.read(call.headers, call.receive))
        return await _done(self.follower.load(model.name, version))

    async def _unload(self, call: _Call) -> Answer:
        self.access.check(call.headers, call.client)
        return await _done(self.follower.unload(self._model(call.path[3]).name))


def _count(version: LoadedVersion, status: int, took: float) -> None:
    version.answered(took)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        version.errors += 1
    elif status == HTTPStatus.OK and not version.first_answer:
        version.first_answer = time.time()


def _asked_version(body: bytes) -> int:
    """The version that a load asks for, as its parameter `version`; 0: the alias's."""
    try:
        value = json.loads(body or b"{}")
        version = (value.get("parameters") or {}).get("version") or 0
        if int(version) < 0:
            raise ValueError(version)
        return int(version)
    except (ValueError, TypeError, AttributeError):
        raise ProtocolError('give {"parameters": {"version": 3}}, or nothing') from None


async def _done(order: "Future[str]") -> Answer:
    if reason := await asyncio.wrap_future(order):
        return _refusal(reason, HTTPStatus.BAD_REQUEST)
    return _json({})


def _json(value: Any) -> Answer:
    return Answer(json.dumps(value).encode())


def _refusal(message: str, status: int) -> Answer:
    headers = [_JSON]
    if status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
        headers.append((b"connection", b"close"))  # the rest of the request is not read
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    return Answer(json.dumps({"error": message}).encode(), status, tuple(headers))
