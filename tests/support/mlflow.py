"""A real MLflow server, from an environment of its own: it wants other versions than podline."""

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.airflow_server import free_port

_SERVER = Path(__file__).parents[2] / ".venv" / "mlflow" / "bin" / "mlflow"


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server whose data is in `folder`; it is stopped at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [_SERVER, *f"server --host 127.0.0.1 --port {port} --workers 1".split()]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            _wait(server, f"{url}/health", folder / "log")
            yield url
        finally:
            server.terminate()
            server.wait(60)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"MLflow does not answer:\n{log.read_text()[-3000:]}")
