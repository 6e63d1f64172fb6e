"""Whatever goes wrong with a version, the one before answers on, and the reason can be read."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from podline.models.signature import ANY, Signature, TensorSpec
from podline.store import Store
from tests.podline.edge.conftest import Publish
from tests.support.edge import Edge, Load, publish_line, serving, write_line
from tests.support.store_proxy import StoreProxy

MODELS = ("power@edge",)


@pytest.fixture
def edge(publish: Publish, tmp_path: Path) -> Iterator[Edge]:
    """A server that answers with version 1, whose slope is 1."""
    publish(1)
    with serving(tmp_path / "edge", models=MODELS) as found:
        assert found.answer() == ("1", 6.0)
        yield found


def with_nan(path: Path) -> bytes:
    model = onnx.load(write_line(path, 2))
    weights = numpy_helper.to_array(model.graph.initializer[1]) * np.nan
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(weights, "second"))
    return model.SerializeToString()


def changed(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


OTHER = Signature(
    (TensorSpec("input", "FP32", (ANY, 3, 1)),), (TensorSpec("output", "FP32", (ANY, 1)),)
)

BAD: dict[str, tuple[Callable[[Path], dict[str, Any]], str]] = {
    "truncated": (
        lambda path: {"stored": write_line(path, 2).read_bytes()[:-9]},
        "model.onnx is not what was published, it has",
    ),
    "too long": (
        lambda path: {"stored": write_line(path, 2).read_bytes() + b"more"},
        "it has more than",
    ),
    "corrupted": (
        lambda path: {"stored": changed(write_line(path, 2).read_bytes())},
        "model.onnx is not what was published, its sha256 differs",
    ),
    "of another shape": (
        lambda path: {"signature": OTHER},
        "says that it has input (FP32, shape [any, 3, 1]), and model.onnx has input (FP32, shape",
    ),
    "NaN": (lambda path: {"content": with_nan(path)}, "answers NaN or infinity to its sample"),
    "of another model": (
        lambda path: {"content": write_line(path, 3).read_bytes()},
        "answers its sample otherwise than the model that was published: by 0.5 of its",
    ),
    "unloadable": (lambda path: {"content": b"no model"}, "model.onnx cannot be loaded: "),
    "under another name": (
        lambda path: {"name": "voltage"},
        "is the manifest of voltage version 2",
    ),
    "without a form": (lambda path: {"served": ()}, "has no form that an edge serves: publish it"),
    "out of its folder": (
        lambda path: {"sample": "../sample.npz"},
        "has no file '../sample.npz' of its own to serve",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_version_that_is_bad(edge: Edge, publish: Publish, tmp_path: Path, what: str) -> None:
    make, said = BAD[what]
    with Load(edge) as load:
        bad = publish(2, **make(tmp_path / "bad.onnx"))
        found = edge.wait_for(reason=said)
        assert (found["version"], found["trouble"]["version"]) == (1, bad)
        good = publish(4)  # the next one is taken up
        edge.wait_for(version=good, reason="", trouble=None)
    assert load.failures == []
    assert set(load.versions) <= {"1", str(good)}
    assert edge.answer() == (str(good), 24.0)
    (line,) = edge.events("trouble")
    assert (line["version"], line["serves"]) == (bad, 1)
    assert said in line["reason"]
    metrics = httpx.get(f"{edge.url}/metrics").text
    assert 'podline_edge_swaps_total{model="power",outcome="failed"}' in metrics


def test_what_cannot_be_tidied_up_ends_nothing(
    edge: Edge, publish: Publish, tmp_path: Path
) -> None:
    (tmp_path / "edge" / "power" / "1" / "somebody").mkdir()
    edge.wait_for(version=publish(2))
    assert edge.load(1).status_code == 200
    newest = publish(3)
    assert edge.load().status_code == 200
    assert edge.wait_for(version=newest)["trouble"] is None
    lines = edge.events("not tidied up")  # two, where it was there before the first swap's end
    assert {(line["version"], "somebody" in line["reason"]) for line in lines} == {(1, True)}


def test_what_was_asked_for_is_refused_with_the_reason(edge: Edge, publish: Publish) -> None:
    bad = publish(2, content=b"no model", promote=False)
    refused = edge.load(bad)
    assert refused.status_code == 400
    assert "model.onnx cannot be loaded" in refused.json()["error"]
    assert edge.answer() == ("1", 6.0)
    assert edge.load(7).json()["error"] == "power version 7 is not complete in the store"
    assert edge.load().status_code == 200  # the alias's again
    assert edge.model()["trouble"] is None


def test_unsigned_and_wrongly_signed_versions(
    publish: Publish, new_keys: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edge that asks for signatures takes nothing else."""
    (tmp_path / "keys").write_text(new_keys())
    publish(1)
    with serving(tmp_path / "edge", "--trusted", str(tmp_path / "keys"), models=MODELS) as edge:
        with Load(edge) as load:
            new_keys()
            publish(2)
            edge.wait_for(version=1, reason="power version 2 is signed by ")
            monkeypatch.delenv("AIRFLOW__PODLINE__SIGNING_CONN_ID")
            publish(3)
            edge.wait_for(version=1, reason="power version 3 is not signed, and only signed")
        assert (load.failures, set(load.versions)) == ([], {"1"})
        assert edge.answer() == ("1", 6.0)


def test_a_version_that_was_changed_after_it_was_signed(
    publish: Publish, new_keys: Callable[[], str], tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(new_keys())
    publish(1)
    with serving(tmp_path / "edge", "--trusted", str(tmp_path / "keys"), models=MODELS) as edge:
        publish(2, content=write_line(tmp_path / "other.onnx", 3).read_bytes())
        edge.wait_for(version=1, reason="has a signature that is not one of its manifest")


def test_a_signature_that_comes_later(
    publish: Publish, new_keys: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage's version is signed when its task has ended."""
    from podline.models import signing
    from podline.models.registry import Model
    from podline.store import open_store

    (tmp_path / "keys").write_text(new_keys())
    publish(1)
    with serving(tmp_path / "edge", "--trusted", str(tmp_path / "keys"), models=MODELS) as edge:
        monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "")
        publish(2)
        edge.wait_for(version=1, reason="power version 2 is not signed")
        monkeypatch.setenv("AIRFLOW__PODLINE__SIGNING_CONN_ID", "signer")
        store = open_store()
        assert signing.sign(store, Model(store, "power").version(2))
        edge.wait_for(version=2, trouble=None)


# --- the way to the store


@pytest.fixture
def way(store: Store, publish: Publish) -> Iterator[StoreProxy]:
    """The edge's way to the store, which has version 1."""
    publish(1)
    with StoreProxy(store.connection) as found:
        yield found


@pytest.mark.slow
def test_the_store_is_gone(way: StoreProxy, publish: Publish, tmp_path: Path) -> None:
    with serving(tmp_path / "edge", models=MODELS, variables=way.connection.to_env()) as edge:
        with Load(edge) as load:
            way.leave()
            publish(2)
            edge.wait_for(version=1, reason="does not answer")
            way.come_back()
            edge.wait_for(version=2, trouble=None)
        assert load.failures == []


@pytest.mark.slow
def test_without_a_store_it_starts_from_its_disk(
    way: StoreProxy, publish: Publish, tmp_path: Path
) -> None:
    publish(2)
    with serving(tmp_path / "edge", models=MODELS, variables=way.connection.to_env()) as edge:
        assert edge.answer() == ("2", 12.0)
    way.leave()
    with serving(tmp_path / "edge", models=MODELS, variables=way.connection.to_env()) as edge:
        assert edge.answer() == ("2", 12.0)
        assert edge.model()["swaps"][0]["why"] == "start"
        edge.wait_for(reason="does not answer")
    (tmp_path / "edge/power/2/model.onnx").write_bytes(b"rotten")
    with serving(
        tmp_path / "edge", models=MODELS, variables=way.connection.to_env(), ready=False
    ) as edge:
        edge.wait_for(version=None, reason="does not answer")
        assert edge.events("not served from the disk")[0]["version"] == 2
        refused = edge.infer()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"].startswith("no version of power is loaded: The store at")
        way.come_back()
        edge.wait_for(version=2)


SIZE = 8_000_000


def test_a_link_that_is_cut_in_the_middle_of_a_fetch(
    way: StoreProxy, publish: Publish, store: Store, tmp_path: Path
) -> None:
    """It goes on where it was."""
    with serving(tmp_path / "edge", models=MODELS, variables=way.connection.to_env()) as edge:
        with Load(edge) as load:
            way.cut_after, before = way.passed + SIZE // 2, way.passed
            big(store, tmp_path)
            edge.wait_for(version=2)
            assert not way.cut_after
        assert load.failures == []
        assert way.passed - before < 1.6 * SIZE


def test_killed_in_the_middle_of_a_fetch(
    way: StoreProxy, publish: Publish, store: Store, tmp_path: Path
) -> None:
    """The next start answers at once, and fetches only what is missing."""
    part = tmp_path / "edge/power/2/model.onnx.part"
    with serving(tmp_path / "edge", models=MODELS, variables=way.connection.to_env()) as edge:
        way.rate = SIZE // 4
        big(store, tmp_path)
        while not part.is_file() or part.stat().st_size < SIZE // 3:
            assert edge.process.poll() is None
            time.sleep(0.01)
        edge.process.kill()
        edge.process.wait()
    have = part.stat().st_size
    way.rate, before = 0, way.passed
    with serving(tmp_path / "edge", models=MODELS, variables=way.connection.to_env()) as edge:
        assert edge.model()["swaps"][0]["version"] == 1
        edge.wait_for(version=2)
    assert way.passed - before < SIZE - have + SIZE // 8


def big(store: Store, folder: Path) -> None:
    """Publish version 2, which has some megabytes."""
    from podline.models.registry import Model

    number = publish_line(folder, 2, filling=SIZE)
    Model(store, "power").promote(number, "edge")


@pytest.mark.slow
def test_killed_in_the_middle_of_a_swap(publish: Publish, tmp_path: Path) -> None:
    """Whenever that is, the next start answers with a version that it says."""
    publish(1)
    with serving(tmp_path / "edge", models=MODELS):
        pass
    for number in range(2, 7):
        with serving(tmp_path / "edge", models=MODELS) as edge:
            publish(number)
            time.sleep(0.02 * number)  # before, in and after it
            os.kill(edge.process.pid, signal.SIGKILL)
            edge.process.wait()
        with serving(tmp_path / "edge", models=MODELS) as edge:
            version, answer = edge.answer()
            assert answer == pytest.approx(6 * int(version))
            edge.wait_for(version=number)


# --- what this machine has not


def test_a_disk_that_is_full(edge: Edge, publish: Publish, store: Store, tmp_path: Path) -> None:
    """No file may have more than a megabyte: the system refuses to write, as a full disk does."""
    subprocess.run(["prlimit", f"--pid={edge.process.pid}", "--fsize=1000000"], check=True)
    with Load(edge) as load:
        big(store, tmp_path)
        edge.wait_for(version=1, reason="power version 2 cannot be kept in")
        assert not (tmp_path / "edge/power/2").exists()
        good = publish(3)
        edge.wait_for(version=good, trouble=None)
    assert load.failures == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MiB, most of which must stay free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", folder])
    if made.returncode:
        pytest.skip("only root can mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_without_room(
    publish: Publish, store: Store, small_disk: Path, tmp_path: Path
) -> None:
    publish(1)
    with serving(small_disk / "edge", models=MODELS) as edge:
        big(store, tmp_path)
        edge.wait_for(version=1, reason="there is no room for them beside the version that serves")
        assert edge.answer() == ("1", 6.0)


def test_a_version_that_is_larger_than_allowed(
    publish: Publish, store: Store, tmp_path: Path
) -> None:
    publish(1)
    with serving(tmp_path / "edge", "--disk", "4", models=MODELS) as edge:
        big(store, tmp_path)
        edge.wait_for(version=1, reason="4,194,304 are allowed: start the server with a larger")


def test_a_flood_of_bad_requests(edge: Edge, publish: Publish) -> None:
    bad = [
        (b"{", {}),
        (b'{"inputs": []}', {}),
        (b"x" * 100, {"inference-header-content-length": "9999"}),
        (b"[" * 50_000, {}),
    ]
    ended, statuses = threading.Event(), set()

    def flood() -> None:
        with httpx.Client() as client:
            while not ended.is_set():
                for content, headers in bad:
                    url = f"{edge.url}/v2/models/power/infer"
                    answer = client.post(url, content=content, headers=headers)
                    statuses.add(answer.status_code)
                    assert answer.json()["error"]

    floods = [threading.Thread(target=flood) for _ in range(4)]
    with Load(edge) as load:
        for thread in floods:
            thread.start()
        publish(2)
        edge.wait_for(version=2)
        ended.set()
        for thread in floods:
            thread.join()
    assert statuses == {400}
    assert load.failures == []
    assert len(edge.events("refused")) < 20


def test_a_version_that_was_fetched_before_signatures_were_asked_for(
    publish: Publish, new_keys: Callable[[], str], tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(new_keys())
    publish(1)
    with serving(tmp_path / "edge", models=MODELS):
        pass
    with serving(tmp_path / "edge", "--trusted", str(tmp_path / "keys"), models=MODELS) as edge:
        assert edge.events("not served from the disk")[0]["reason"].startswith("power version 1 is")
        assert edge.answer() == ("1", 6.0)


_CRASHING = """
import os, sys, time
from pathlib import Path
from podline.edge import version
from podline.edge.serve import Options, build
from podline.store import open_store

real = version.load

def load(manifest, folder, threads):
    if manifest.version == 2:
        os._exit(139)  # as a runtime's segmentation fault does
    return real(manifest, folder, threads)

version.load = load
server = build(Options(["power@edge"], Path(sys.argv[1]), interval=0.05), open_store())
server.follower.start()
model = server.models["power"]
while not (model.current and model.trouble):
    time.sleep(0.01)
print(model.current.number, model.reason)
"""


def test_a_version_that_crashes_the_process(publish: Publish, tmp_path: Path) -> None:
    """Started again, it answers with the version before, and tries the bad one no third time."""
    publish(1)
    with serving(tmp_path / "edge", models=MODELS):
        pass
    publish(2)
    command = [sys.executable, "-c", _CRASHING, str(tmp_path / "edge")]
    for _ in range(2):
        assert subprocess.run(command).returncode == 139
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.stdout.startswith("1 the server ended 2 times while it tried version 2: "), found
    publish(3)
    with serving(tmp_path / "edge", models=MODELS) as edge:
        edge.wait_for(version=3)
