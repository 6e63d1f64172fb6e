"""Runs the server: its parts put together, and its end without a request that fails."""

import gc
import os
import signal
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from podline.edge.access import Access
from podline.edge.cache import Cache
from podline.edge.follower import Follower
from podline.edge.limits import Limits
from podline.edge.logs import log
from podline.edge.metrics import Metrics
from podline.edge.registration import Registration
from podline.edge.repository import ServedModel
from podline.edge.server import Server
from podline.exceptions import PodlineError
from podline.models.aliases import LATEST
from podline.models.registry import check_name
from podline.models.signing import read_trusted
from podline.store import Store

_MIB = 1024 * 1024
_BACKLOG = 2048  # connections that wait to be taken


class EdgeError(PodlineError):
    """The server cannot start."""


@dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        models: each ``NAME`` or ``NAME@ALIAS``.
        folder: where versions are kept on this machine.
        host, port: where to listen.
        interval: seconds between two looks at an alias.
        keep: versions of a model that stay on the disk; `disk`: bytes that they may have.
        threads: how many a request may use.
        trusted: a file of public keys; None: any version is taken.
        token: what loading and unloading asks for; empty: this machine alone may.
        drain: seconds for which the server answers still after it was told to end.
        node: the name by which it is known.
        address: the URL at which others reach it, with which it registers; empty: it does not.
        limits: what requests may take.
    """

    models: Sequence[str]
    folder: Path
    host: str = "127.0.0.1"
    port: int = 8500
    interval: float = 0.5
    keep: int = 3
    disk: int = 1024 * _MIB
    threads: int = 1
    trusted: Path | None = None
    token: str = field(default="", repr=False)
    drain: float = 0.0
    node: str = field(default_factory=socket.gethostname)
    address: str = ""
    limits: Limits = field(default_factory=Limits)


def build(options: Options, store: Store) -> Server:
    """Put a server together; its follower is not started yet.

    Args:
        options: how to serve.
        store: where the models are.

    Raises:
        RegistryError: a name is none for a model or an alias.
        SigningError: a line of the trusted keys is none.
    """
    models = {}
    for text in options.models:
        name, _, alias = text.partition("@")
        check_name("a model", name)
        models[name] = ServedModel(name, check_name("an alias", alias or LATEST))
    metrics = Metrics()
    share = options.disk // len(models)
    caches = {name: Cache(options.folder / name, share, options.keep) for name in models}
    trusted = read_trusted(options.trusted) if options.trusted else ()
    follower = Follower(store, models, caches, metrics, options.interval, options.threads, trusted)
    threads = ThreadPoolExecutor(os.cpu_count(), "infer")
    access = Access(options.token)
    return Server(models, follower, metrics, options.limits, access, options.node, threads)


def run(options: Options, store: Store) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        options: how to serve.
        store: where the models are.

    Raises:
        EdgeError: the address cannot be listened at, or be reached by nobody.
    """
    import uvicorn

    class Draining(uvicorn.Server):
        """Told to end, it says that it is ready no more, and ends when that was heard."""

        told = 0.0  # when (monotonic)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            server.ending = True
            self.told = self.told or time.monotonic()
            self.force_exit = self.should_exit and sig == signal.SIGINT

        async def on_tick(self, counter: int) -> bool:
            if self.told and time.monotonic() >= self.told + options.drain:
                self.should_exit = True
            return await super().on_tick(counter)

    server = build(options, store)
    registration = _registration(options, store, server)
    listening = _listen(options.host, options.port)
    server.follower.start()
    if registration:
        registration.start()
    gc.collect()
    gc.freeze()  # what is there by now stays: no collection need look at it
    host, port = listening.getsockname()[:2]
    log("serving", url=f"http://{host}:{port}", models=[*options.models])
    config = uvicorn.Config(
        server,
        lifespan="off",
        interface="asgi3",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=int(options.limits.seconds) + 1,
    )
    try:
        Draining(config).run([listening])
    finally:
        listening.close()
        server.follower.stop()
        if registration:
            registration.stop()
        log("ended")


def _registration(options: Options, store: Store, server: Server) -> Registration | None:
    """What keeps the node in the fleet, if it is to be there."""
    if not options.address:
        return None
    parts = urlsplit(options.address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise EdgeError(
            f"--address {options.address!r} is no URL of a server: give one such as "
            "http://10.0.0.7:8500"
        )
    return Registration(store, options.address.rstrip("/"), server.status)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise EdgeError(
            f"{host}:{port} cannot be listened at: {error.strerror}. fix: give another --port"
        ) from None
    return listening
