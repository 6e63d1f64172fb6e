"""The protocol over HTTP, and what a request may not do."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from podline import __version__
from tests.podline.edge.conftest import Publish
from tests.support.edge import Edge, Load, publish_line, request, serving
from tests.support.waiting import until

MODELS = ("power@edge",)
INFER = "/v2/models/power/infer"


@pytest.fixture
def edge(publish: Publish, tmp_path: Path) -> Iterator[Edge]:
    publish(1)
    options = ("--body", "1", "--timeout", "2", "--node", "barn")
    with serving(tmp_path / "edge", *options, models=MODELS) as found:
        yield found


def test_what_the_server_says(edge: Edge) -> None:
    """All of the protocol's routes, in one go."""

    def get(path: str) -> httpx.Response:
        return httpx.get(edge.url + path)

    assert get("/v2/health/live").json() == {"live": True}
    assert get("/v2/health/ready").json() == {"ready": True}
    assert get("/v2").json() == {
        "name": "podline",
        "version": __version__,
        "extensions": ["model_repository", "binary_tensor_data"],
    }
    assert get("/v2/models/power").json() == {
        "name": "power",
        "versions": ["1"],
        "platform": "onnx_onnxruntime",
        "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, 1]}],
    }
    assert get("/v2/models/power/versions/1").json() == get("/v2/models/power").json()
    for path in ("/v2/models/power/ready", "/v2/models/power/versions/1/ready"):
        assert get(path).json() == {"name": "power", "version": "1", "ready": True}
    index = httpx.post(f"{edge.url}/v2/repository/index", json={}).json()
    assert index == [{"name": "power", "version": "1", "state": "READY", "reason": ""}]


def test_an_answer(edge: Edge) -> None:
    found = edge.infer(request(1, 2, 3, id="7")).json()
    assert found["outputs"][0].pop("data") == pytest.approx([6.0])
    assert found == {
        "model_name": "power",
        "model_version": "1",
        "id": "7",
        "outputs": [{"name": "output", "datatype": "FP32", "shape": [1, 1]}],
    }
    by_version = httpx.post(f"{edge.url}/v2/models/power/versions/1/infer", json=request())
    assert by_version.status_code == 200


def test_bytes_in_and_out(edge: Edge) -> None:
    import numpy as np

    numbers = np.array([[1, 2, 3], [4, 5, 6]], "float32").tobytes()
    size = {"binary_data_size": len(numbers)}
    tensor = {"name": "input", "datatype": "FP32", "shape": [2, 3], "parameters": size}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    found = httpx.post(
        edge.url + INFER,
        content=head + numbers,
        headers={"inference-header-content-length": str(len(head))},
    )
    split = int(found.headers["inference-header-content-length"])
    assert json.loads(found.content[:split])["outputs"][0]["shape"] == [2, 1]
    answered = np.frombuffer(found.content[split:], "float32")
    np.testing.assert_allclose(answered, [6, 15], rtol=1e-5)


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/v3", 404, "there is no /v3"),
        ("GET", "/v2/models/voltage", 404, "there is no model 'voltage' here: there is power"),
        ("POST", "/v2/models/voltage/infer", 404, "there is no model 'voltage' here"),
        (
            "POST",
            "/v2/models/power/versions/7/infer",
            404,
            "7 of power is not loaded: version 1 is",
        ),
        ("POST", "/v2/models/power/nonsense/1/infer", 404, "there is no /v2/models/power/nonsense"),
        ("GET", INFER, 405, "it takes POST, not GET"),
        ("POST", "/v2/repository/models/voltage/load", 404, "there is no model 'voltage' here"),
    ],
)
def test_what_there_is_not(edge: Edge, method: str, path: str, status: int, said: str) -> None:
    found = httpx.request(method, edge.url + path, json=request() if method == "POST" else None)
    assert (found.status_code, said in found.json()["error"]) == (status, True), found.text


def test_what_the_model_does_not_take(edge: Edge) -> None:
    found = edge.infer(request(1, 2))
    assert found.status_code == 400
    assert found.json()["error"] == (
        "the input 'input' has the shape [1, 2], and the model takes input (FP32, shape [any, 3])"
    )


def test_a_request_that_is_too_long(edge: Edge) -> None:
    found = httpx.post(edge.url + INFER, content=b"x" * 1_100_000)
    assert (found.status_code, found.headers["connection"]) == (413, "close")
    assert "more than the 1,048,576 bytes that are allowed" in found.json()["error"]

    def parts() -> Iterator[bytes]:
        yield from [b"x" * 100_000] * 11  # without saying how many

    assert httpx.post(edge.url + INFER, content=parts()).status_code == 413


def test_a_request_that_does_not_arrive(edge: Edge) -> None:
    address = urlsplit(edge.url)
    with socket.create_connection((address.hostname, address.port)) as slow:
        slow.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab".encode())
        answer = b"".join(iter(lambda: slow.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the request did not arrive within 2 s" in answer


def test_compressed_requests(edge: Edge) -> None:
    found = httpx.post(edge.url + INFER, content=b"x", headers={"content-encoding": "gzip"})
    assert found.status_code == 415


def test_as_many_as_are_allowed(publish: Publish, store: object, tmp_path: Path) -> None:
    """A model that takes long leaves others no place, and says so at once."""
    from podline.models.registry import Model
    from podline.store import open_store

    # Long enough for a thread of its own: what takes under 2 ms is answered one after the other.
    number = publish_line(tmp_path, 2, filling=64_000_000)
    Model(open_store(), "power").promote(number, "edge")
    options = ("--concurrency", "2", "--body", "64")
    with serving(tmp_path / "edge", *options, models=MODELS) as edge:
        # A row takes 16 MB of products: a few take a fraction of a second, and little memory.
        rows = request()["inputs"][0] | {"shape": [8, 3], "data": [1.0] * 24}
        body = json.dumps({"inputs": [rows]})
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        asked = f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        address = urlsplit(edge.url)
        with ExitStack() as stack:
            connections = [
                stack.enter_context(socket.create_connection((address.hostname, address.port)))
                for _ in range(12)
            ]
            for connection in connections:  # all at once
                connection.sendall(asked)
            answers = [b"".join(iter(partial(one.recv, 4096), b"")) for one in connections]
        statuses = [int(answer.split()[1]) for answer in answers]
        assert {*statuses} == {200, 503}
        assert edge.infer().status_code == 200


# --- loading and unloading


def test_unload_and_load(edge: Edge, publish: Publish) -> None:
    assert httpx.post(f"{edge.url}/v2/repository/models/power/unload").status_code == 200
    publish(2)
    found = edge.infer()
    assert (found.status_code, "it was unloaded" in found.json()["error"]) == (503, True)
    assert httpx.get(f"{edge.url}/v2/health/ready").status_code == 503
    assert httpx.get(f"{edge.url}/v2/models/power/ready").status_code == 503
    assert edge.load().status_code == 200
    assert edge.answer() == ("2", 12.0)


def test_a_version_that_is_asked_for_stays(edge: Edge, publish: Publish) -> None:
    second = publish(2)
    edge.wait_for(version=second)
    assert edge.load(1).status_code == 200
    assert edge.answer() == ("1", 6.0)
    publish(3)
    assert edge.model()["pinned"] == 1
    assert edge.load().status_code == 200
    assert edge.answer() == ("3", 18.0)
    assert edge.model()["pinned"] is None


def test_only_who_has_the_token(publish: Publish, tmp_path: Path) -> None:
    publish(1)
    token = {"PODLINE_EDGE_TOKEN": "let me in"}
    with serving(tmp_path / "edge", models=MODELS, variables=token) as edge:
        url = f"{edge.url}/v2/repository/models/power/load"
        for headers in ({}, {"authorization": "Bearer guess"}):
            refused = httpx.post(url, headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert httpx.post(url, headers={"authorization": "Bearer let me in"}).status_code == 200
        environment = Path(f"/proc/{edge.process.pid}/environ").read_bytes()
        assert b"let me in" not in environment


def test_a_page_in_a_browser_may_not_load(edge: Edge) -> None:
    url = f"{edge.url}/v2/repository/models/power/unload"
    refused = httpx.post(url, headers={"origin": "http://anybody.example"})
    assert (refused.status_code, "a web page" in refused.json()["error"]) == (403, True)
    assert edge.infer().status_code == 200


# --- what is told, and the end


def test_status_and_metrics(edge: Edge, publish: Publish) -> None:
    edge.infer()
    edge.infer(request(1, 2))
    publish(2)
    edge.wait_for(version=2)
    edge.infer()
    status = httpx.get(f"{edge.url}/status").json()
    assert (status["node"], status["podline"]) == ("barn", __version__)
    (model,) = status["models"]
    assert (model["version"], model["form"], model["requests"], model["errors"]) == (
        2,
        "onnx",
        1,
        0,
    )
    assert sum(model["latencies"].values()) == 1
    first, second = model["swaps"]
    assert (first["version"], first["before"], first["why"]) == (1, 0, "alias")
    assert (second["version"], second["before"], second["why"]) == (2, 1, "alias")
    moments = [second[name] for name in ("published", "noticed", "swapped", "first_prediction")]
    assert moments == sorted(moments)
    assert all(second[step] > 0 for step in ("fetch", "load", "warm_up"))
    assert second["verify"] == 0  # what comes is verified while it comes
    lines = httpx.get(f"{edge.url}/metrics").text.splitlines()
    assert 'podline_edge_requests_total{model="power",code="200"} 2' in lines
    assert 'podline_edge_requests_total{model="power",code="400"} 1' in lines
    assert 'podline_edge_request_seconds_count{model="power"} 3' in lines
    assert 'podline_edge_model_version{model="power",alias="edge"} 2' in lines
    assert 'podline_edge_swaps_total{model="power",outcome="done"} 2' in lines


def test_feedback(edge: Edge, publish: Publish) -> None:
    """Of a version that served before, too."""
    publish(2)
    edge.wait_for(version=2)
    for version, answer in ((1, 6.0), (2, 12.0)):
        body = {"model": "power", "version": version, "answers": [answer], "labels": [11.0]}
        assert httpx.post(f"{edge.url}/feedback", json=body).status_code == 200
    model = edge.model()
    assert (model["labels"], model["error"]) == (1, 1.0)
    assert model["quality"]["1"] == {"labels": 1, "error": 5.0}
    refused = httpx.post(f"{edge.url}/feedback", json=body | {"model": "voltage"})
    assert (refused.status_code, "no model 'voltage'" in refused.json()["error"]) == (404, True)


def test_the_last_versions_stay_on_the_disk(edge: Edge, publish: Publish, tmp_path: Path) -> None:
    for slope in range(2, 6):
        edge.wait_for(version=publish(slope))

    def kept() -> set[str]:
        return {path.name for path in (tmp_path / "edge/power").iterdir() if path.is_dir()}

    until(lambda: kept() == {"3", "4", "5"})


def test_it_ends_without_a_request_that_fails(publish: Publish, tmp_path: Path) -> None:
    """It says that it is not ready, answers for as long as it is told to, and then ends."""
    publish(1)
    with serving(tmp_path / "edge", "--drain", "6", models=MODELS) as edge:
        with Load(edge) as load:
            until(lambda: len(load.versions) > 10)
            edge.process.terminate()
            until(lambda: httpx.get(f"{edge.url}/v2/health/ready").status_code == 503)
            assert edge.infer().headers["connection"] == "close"
        assert load.failures == []
        assert edge.process.wait(20) == 0
        assert edge.events("ended")


def test_neither_airflow_nor_tensorflow_is_in_it(publish: Publish, tmp_path: Path) -> None:
    publish(1)
    script = f"""
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from podline.edge.serve import Options, build
from podline.store import open_store
import podline.cli.edge, uvicorn
server = build(Options(["power@edge"], Path({str(tmp_path / "edge")!r})), open_store())
assert server.follower.load("power") and not server.follower.start()
while not server.models["power"].current: pass
heavy = "airflow keras tensorflow pandas sklearn onnx fastapi cryptography ai_edge_litert"
print([name for name in heavy.split() if name in sys.modules])
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert found.stdout.strip() == "[]", found.stderr


def test_an_address_that_is_taken(publish: Publish, tmp_path: Path) -> None:
    publish(1)
    with serving(tmp_path / "edge", models=MODELS) as edge:
        port = str(urlsplit(edge.url).port)
        command = [sys.executable, "-m", "podline.cli", "edge", "serve", "power", "--port", port]
        command += ["--folder", str(tmp_path / "other")]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (found.returncode, "cannot be listened at: Address al" in found.stderr) == (1, True)
