"""The clients that ours is compared with are what they are said to be."""

import os
from pathlib import Path
from typing import Any

import pytest

from podline.store import Store
from podline.store.upload.part_planner import MIB
from podline_studies.uploads.clients import CLIENTS, ClientMissing


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.write_bytes(os.urandom(20 * MIB))
    return path


@pytest.mark.parametrize("name", CLIENTS)
def test_each_uploads_twice(store: Store, file: Path, name: str) -> None:
    if not CLIENTS[name].is_installed():
        pytest.skip(f"{name} is not installed")
    client = CLIENTS[name](store.connection)
    for key in ("first", "second"):
        times = client.upload(file, key)
        assert bytes(store.get(key)) == file.read_bytes()
        assert times.exact is not client.cold_only  # rclone, whose connections are its own
        if times.exact:
            assert times.transfer is not None
            assert times.commit is not None
            assert times.transfer > 0
            assert times.commit >= 0
    client.close()


def test_boto3_is_used_as_the_providers_hook_does(
    store: Store, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same requests, with the same headers, as `S3Hook.load_file` sends."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    def requests(client: Any) -> list[tuple[str, str, bool]]:
        sent: list[tuple[str, str, bool]] = []

        def before_send(request: Any, **_: Any) -> None:
            query = request.url.partition("?")[2].partition("=")[0]
            sent.append((request.method, query, "Expect" in request.headers))

        client.meta.events.register("before-send.s3", before_send)
        return sent

    hook = S3Hook(aws_conn_id="podline_store")
    theirs = requests(hook.get_conn())
    hook.load_file(str(file), "hook", store.connection.bucket, replace=True)
    mine = CLIENTS["boto3"](store.connection)
    ours = requests(mine._client)  # type: ignore[attr-defined]
    mine.upload(file, "ours")
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == 5  # begun, three parts, completed


def test_rclone_that_is_not_installed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ClientMissing, match="rclone is not installed: apt-get install rclone"):
        CLIENTS["rclone"](store.connection)
