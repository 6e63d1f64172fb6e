"""Another account of this machine: each door of the embedded server is tried without its keys."""

import os
import socket
import ssl
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from podline.store import Store, StoreConnection, seaweedfs
from podline.store.weed_security import jwt_variables

CONTENT = b"only for those with keys " * 100
PATHS = (
    "/buckets/podline/kept",
    "/podline/kept",
    "/buckets/?pretty=y",
    "/podline?list-type=2",
    "/dir/status",
    "/dir/assign",
    "/dir/lookup?volumeId=1",
    "/vol/status",
    "/col/delete?collection=podline",
    "/cluster/status",
    "/ui/index.html",
    "/submit",
    *(f"/{volume},{needle:02x}00000000" for volume in (1, 2, 3) for needle in range(1, 8)),
)
# Of each service: what lists, reads, writes or deletes, and a request as Protocol Buffers have it.
CALLS = (
    ("filer_pb.SeaweedFiler/ListEntries", b"\x0a\x08/buckets"),
    ("filer_pb.SeaweedFiler/LookupDirectoryEntry", b"\x0a\x10/buckets/podline\x12\x04kept"),
    ("filer_pb.SeaweedFiler/CreateEntry", b"\x0a\x10/buckets/podline\x12\x06\x0a\x04evil"),
    ("filer_pb.SeaweedFiler/DeleteEntry", b"\x0a\x10/buckets/podline\x12\x04kept\x20\x01"),
    ("iam_pb.SeaweedIdentityAccessManagement/ListUsers", b""),
    ("master_pb.Seaweed/VolumeList", b""),
    ("master_pb.Seaweed/Assign", b"\x08\x01"),
    ("master_pb.Seaweed/CollectionDelete", b"\x0a\x07podline"),
    ("volume_server_pb.VolumeServer/VolumeServerStatus", b""),
    ("volume_server_pb.VolumeServer/VolumeDelete", b"\x08\x01"),
    ("messaging_pb.SeaweedS3IamCache/PutIdentity", b"\x0a\x06\x0a\x04evil"),
    ("worker_pb.WorkerService/WorkerStream", b"\x0a\x04evil"),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b"\x3a\x00"),
)
ANY_SERVER = ssl.create_default_context()
ANY_SERVER.check_hostname, ANY_SERVER.verify_mode = False, ssl.CERT_NONE


class Door(NamedTuple):
    """A port at which the server listens."""

    address: str
    port: int


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConnection]:
    """The connection to a server with an object, which is there in the end as well."""
    folder = tmp_path_factory.mktemp("doors") / "store"
    with seaweedfs.running(folder) as connection:
        store = Store(connection)
        store.put("kept", CONTENT)
        yield connection
        assert bytes(store.get("kept")) == CONTENT
        assert [item.key for item in store.list()] == ["kept"]


def server_of(connection: StoreConnection) -> psutil.Process:
    """The process that listens at the connection's port."""
    port = int((connection.endpoint_url or "").rpartition(":")[2])
    found: Any = next(
        process
        for process in psutil.process_iter(["name"])
        if process.info["name"] == "weed"
        and process.uids().real == os.getuid()  # nobody else's can be looked at
        and port in {c.laddr.port for c in process.net_connections("tcp") if c.laddr}
    )
    return found  # type: ignore[no-any-return]


def doors(connection: StoreConnection) -> tuple[list[Door], list[Path]]:
    """All at which the server and its children listen, but S3's port: ports, and Unix sockets."""
    server = server_of(connection)
    ports, sockets = [], []
    for process in (server, *server.children(recursive=True)):
        tcp = process.net_connections("tcp")
        ports += [Door(*c.laddr) for c in tcp if c.status == psutil.CONN_LISTEN]
        named = (str(c.laddr) for c in process.net_connections("unix") if c.laddr)
        sockets += [Path(process.cwd(), name) for name in named]
    s3 = int((connection.endpoint_url or "").rpartition(":")[2])
    return [door for door in ports if door.port != s3], sockets


def answer(url: str, method: str) -> tuple[int, bytes]:
    """What a client without keys is answered, whose TLS takes any server's certificate."""
    data = CONTENT if method in ("PUT", "POST") else None
    request = urllib.request.Request(url, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5, context=ANY_SERVER) as found:
            return found.status, found.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""
    except (OSError, HTTPException):  # it did not go on, or spoke another protocol
        return 0, b""


def test_all_are_on_this_machine_and_of_this_account(connection: StoreConnection) -> None:
    ports, sockets = doors(connection)
    assert len(ports) >= 8
    assert {door.address for door in ports} == {"127.0.0.1"}
    assert sockets
    for path in sockets:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
def test_http_asks_for_keys(connection: StoreConnection, method: str) -> None:
    for door in doors(connection)[0]:
        for path in PATHS:
            for scheme in ("http", "https"):
                url = f"{scheme}://{door.address}:{door.port}{path}"
                status, text = answer(url, method)
                assert not 200 <= status < 400, (method, url, text[:200])
                assert CONTENT not in text


def test_grpc_asks_for_a_certificate(connection: StoreConnection) -> None:
    import grpc

    refusals = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
    for door in doors(connection)[0]:
        for channel in channels(door):
            with channel:
                for name, request in CALLS:
                    call = channel.stream_stream(f"/{name}")
                    with pytest.raises(grpc.RpcError) as refused:
                        list(call(iter([request]), timeout=60))
                    assert refused.value.code() in refusals, (door, name, refused.value)


def channels(door: Door) -> Iterator[Any]:
    """Without TLS, and with the server's own certificate believed, but none of ours."""
    import grpc

    where = f"{door.address}:{door.port}"
    yield grpc.insecure_channel(where)
    try:
        theirs = ssl.get_server_certificate((door.address, door.port), timeout=5).encode()
    except OSError:
        return
    name = (("grpc.ssl_target_name_override", "podline"),)
    yield grpc.secure_channel(where, grpc.ssl_channel_credentials(theirs), name)


def test_s3_asks_for_keys(connection: StoreConnection) -> None:
    for path in ("/", "/podline", "/podline/kept", "/podline?list-type=2"):
        for method in ("GET", "PUT", "DELETE"):
            status, _ = answer(f"{connection.endpoint_url}{path}", method)
            assert status in (403, 405), (method, path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another account")
def test_another_account_reads_no_file_and_enters_by_no_socket(
    connection: StoreConnection,
) -> None:
    folder, sockets = Path(server_of(connection).cwd()), doors(connection)[1]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    child = os.fork()
    if not child:  # another account
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        opened = sum(1 for path in files if can_open(path))
        os._exit(min(100, opened + sum(1 for path in sockets if can_connect(path))))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def can_open(path: Path) -> bool:
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True


def can_connect(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def test_keys_are_new_for_each_start() -> None:
    first, second = jwt_variables(), jwt_variables()
    assert len({*first.values(), *second.values()}) == 8
