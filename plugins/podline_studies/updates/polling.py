"""A server that polls: it lists the store each second, fetches what is new, and loads it.

``python -m podline_studies.updates.polling MODEL FOLDER PORT``. So TensorFlow Serving follows a
model's folder (``file_system_poll_wait_seconds``, 1 by default), and loads a new version before it
lets go of the old one. A store has no folder to mount here: boto3, with its defaults, lists the
versions and fetches the file; ONNX Runtime answers. It verifies nothing, and warms up nothing.
"""

import json
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from podline.store import StoreConnection, keys
from podline.store.boto3_client import boto3_client

POLL = 1.0  # seconds between the beginnings of two looks


class Poller(threading.Thread):
    """Takes up the newest version that is complete.

    Args:
        store: where it is.
        model: its name.
        folder: for files.
    """

    def __init__(self, store: StoreConnection, model: str, folder: Path) -> None:
        super().__init__(daemon=True)
        self.model, self.folder, self._store = model, folder, store
        self._client = boto3_client(store, {})
        self.current: tuple[int, Any] | None = None  # the version and its session
        self.taken: dict[int, dict[str, float]] = {}

    def run(self) -> None:
        """Poll until the process ends."""
        while True:
            began = time.monotonic()
            self._look()
            time.sleep(max(0.0, began + POLL - time.monotonic()))

    def _look(self) -> None:
        files = self._files()
        complete = [version for version in files if keys.MANIFEST in files[version]]
        newest = max(complete, default=0)
        if newest > (self.current[0] if self.current else 0):
            models = {name: of for name, of in files[newest].items() if name.endswith(".onnx")}
            self._take(newest, min(models, key=lambda name: models[name]))

    def _files(self) -> dict[int, dict[str, int]]:
        """The bytes of each version's files, by its number and their names."""
        prefix = keys.join(keys.MODELS, self.model, "versions") + "/"
        found: dict[int, dict[str, int]] = {}
        pages = self._client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self._store.bucket, Prefix=prefix):
            for item in page.get("Contents", ()):
                version, _, name = item["Key"].removeprefix(prefix).partition("/")
                found.setdefault(int(version), {})[name] = item["Size"]
        return found

    def _take(self, version: int, file: str) -> None:
        noticed, began = time.time(), time.perf_counter()
        path = self.folder / f"{version}.onnx"
        key = keys.version_key(self.model, version, file)
        self._client.download_file(self._store.bucket, key, str(path))
        fetched = time.perf_counter()
        session = _session(path)
        loaded = time.perf_counter()
        self.taken[version] = {
            "noticed": noticed,
            "fetch": fetched - began,
            "verify": 0.0,
            "load": loaded - fetched,
            "warm_up": 0.0,
            "swapped": time.time(),
        }
        self.current = version, session
        path.unlink()


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


class _Handler(BaseHTTPRequestHandler):
    """Answers as much of the Open Inference Protocol as is asked for here."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go in one segment
    poller: Poller

    def do_GET(self) -> None:
        if self.path == "/status":
            self._answer(self.poller.taken)
        else:
            ready = HTTPStatus.OK if self.poller.current else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer({}, ready)

    def do_POST(self) -> None:
        import numpy as np

        length = int(self.headers["Content-Length"])
        (tensor,) = json.loads(self.rfile.read(length))["inputs"]
        assert self.poller.current
        version, session = self.poller.current
        given = np.array(tensor["data"], "float32").reshape(tensor["shape"])
        (found,) = session.run(["output"], {tensor["name"]: given})
        output = {"name": "output", "datatype": "FP32", "shape": found.shape}
        outputs = [output | {"data": found.ravel().tolist()}]
        self._answer({"model_version": str(version), "outputs": outputs})

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _answer(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the process is ended."""
    model, folder, port = sys.argv[1:]
    _Handler.poller = Poller(StoreConnection.read(), model, Path(folder))
    _Handler.poller.start()
    ThreadingHTTPServer(("127.0.0.1", int(port)), _Handler).serve_forever()


if __name__ == "__main__":
    main()
