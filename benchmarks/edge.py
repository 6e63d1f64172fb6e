"""An edge under full load: swaps, requests, memory and start, beside MLServer with the same model.

Rounds of both alternate. MLServer comes from PyPI into an environment of its own, and runs as fast
as it can be set up: in one process, with ONNX Runtime, without logs of requests. The protocol's
public client, `tritonclient`, is tried on the edge as it is.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.report import goal, goal_at_least, print_last_line
from podline.store import Store, seaweedfs
from podline_studies.updates.nodes import write_mlserver_model, write_mlserver_settings
from tests.support.edge import Edge, publish_line, request, serving, write_line

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "mlserver"
PACKAGES = ("mlserver", "onnxruntime", "tritonclient[http]")
FILLING = 200_000  # bytes of the models
AROUND = 0.25  # seconds before and after a swap that count as during it


@dataclass
class Load:
    """What became of the requests of a while: when and how long each took, in seconds."""

    answers: list[tuple[float, float, str]]
    failures: list[str]
    seconds: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.answers) / self.seconds

    def quantile(self, share: float, keep: Callable[[float], bool] = lambda when: True) -> float:
        """Seconds within which this share of the requests was answered.

        Args:
            share: such as 0.99.
            keep: whether a request counts that was answered then.
        """
        times = sorted(took for when, took, _ in self.answers if keep(when))
        return times[min(len(times) - 1, int(share * len(times)))]


@contextmanager
def load(url: str, seconds: float, connections: int = 4, rate: float = 0.0) -> Iterator[list[Load]]:
    """Send requests while the block runs, and until the time is over; the list has what became.

    Args:
        url: of the server.
        seconds: how long.
        connections: at once.
        rate: requests a second; 0: as many as there can be.
    """
    command = [sys.executable, "-m", "benchmarks.edge_load", f"{url}/v2/models/power/infer"]
    options = ["--connections", connections, "--seconds", seconds, "--rate", rate]
    process = subprocess.Popen([*command, *map(str, options)], stdout=subprocess.PIPE, text=True)
    found: list[Load] = []
    yield found
    out, _ = process.communicate(timeout=seconds + 60)
    answered = json.loads(out)
    answers = [(when, took, version) for when, took, version in answered["answers"]]
    found.append(Load(answers, answered["failures"], seconds))


# --- swaps ----------------------------------------------------------------------------------------


def swaps(edge: Edge, folder: Path, n: int) -> dict[str, Any]:
    """Swap `n` times under full load; returns what was found.

    Args:
        edge: the server.
        folder: for models.
        n: how often.
    """
    taken: list[dict[str, Any]] = []
    with load(edge.url, 1.5 * n + 5, connections=8) as became:
        time.sleep(2)
        for number in range(n):
            version = publish_line(folder, 2 + number, filling=FILLING)
            edge.wait_for(version=version)
            time.sleep(1)
            taken.append(edge.model()["swaps"][-1])
    (found,) = became
    during = [(one["noticed"] - AROUND, one["swapped"] + AROUND) for one in taken]

    def in_swap(when: float) -> bool:
        return any(begin <= when <= end for begin, end in during)

    waited = sorted(one["first_prediction"] - one["published"] for one in taken)
    steps = ("fetch", "verify", "load", "warm_up", "swap")
    return {
        "failed": len(found.failures),
        "requests": len(found.answers),
        "publish_to_first_s": waited,
        "p99_in_s": found.quantile(0.99, in_swap),
        "p99_out_s": found.quantile(0.99, lambda when: not in_swap(when)),
        "steps_s": {
            step: round(statistics.median(one[step] for one in taken), 5) for step in steps
        },
    }


def memory_level(edge: Edge, folder: Path, n: int) -> tuple[float, int]:
    """Resident memory after `n` swaps, as a share of that after ten; and the bytes.

    Args:
        edge: the server.
        folder: for models.
        n: how often.
    """
    levels = []
    for number in range(n):
        edge.wait_for(version=publish_line(folder, 100 + number, filling=FILLING))
        edge.infer()
        levels.append(httpx.get(f"{edge.url}/status").json()["memory"])
    return statistics.median(levels[-5:]) / statistics.median(levels[5:15]), levels[-1]


# --- beside MLServer ------------------------------------------------------------------------------


@dataclass
class Server:
    """A server to measure: how it is started, and where it listens.

    Attributes:
        start_cpu: processor seconds until it answered its first request.
    """

    name: str
    start: Callable[[], "subprocess.Popen[bytes]"]
    url: str
    start_cpu: float = 0.0

    @contextmanager
    def running(self) -> Iterator[tuple[psutil.Process, float]]:
        """The server, and the seconds until it answered its first request."""
        began = time.perf_counter()
        process = self.start()
        try:
            while not self._answers():
                assert process.poll() is None, self.name
                time.sleep(0.005)
            found = psutil.Process(process.pid)
            self.start_cpu = sum(found.cpu_times()[:2])
            yield found, time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _answers(self) -> bool:
        try:
            path = "/v2/models/power/infer"
            return httpx.post(self.url + path, json=request(), timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def memory(process: psutil.Process) -> int:
    """Resident bytes of a process and its children."""
    return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))


def ours(folder: Path, port: int) -> Server:
    """The edge, from its disk."""
    command = [sys.executable, "-m", "podline.cli", "edge", "serve", "power"]
    command += ["--port", str(port), "--folder", str(folder / "edge-alone")]
    return Server("podline", lambda: _quiet(command), f"http://127.0.0.1:{port}")


def theirs(folder: Path, port: int, python: Path) -> Server:
    """MLServer, with the same model."""
    home = folder / "mlserver"
    home.mkdir()
    write_line(home / "model.onnx", 2, FILLING)
    write_mlserver_settings(home, (port, port + 1, port + 2))
    write_mlserver_model(home, "power", "model.onnx", 1)
    code = "from mlserver.cli import main; main()"
    command = [str(python), "-c", code, "start", str(home)]
    return Server("mlserver", lambda: _quiet(command), f"http://127.0.0.1:{port}")


def _quiet(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    null = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=null, stderr=null)


def mlserver_python() -> Path:
    """The Python of MLServer's environment, which is made once."""
    python = BUILD / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, BUILD], check=True)
        command = ["uv", "pip", "install", "-q", "--compile-bytecode", "--python", str(python)]
        subprocess.run([*command, *PACKAGES], check=True)
    return python


def one_round(server: Server, seconds: float) -> dict[str, float]:
    """Start a server, and measure it.

    Args:
        server: which.
        seconds: of each load.
    """
    with server.running() as (process, start):
        with load(server.url, 1.0):
            pass  # warms up
        with load(server.url, seconds, connections=8) as full:
            time.sleep(seconds / 2)
            resident = memory(process)
        with load(server.url, seconds, connections=4, rate=100) as paced:
            pass
        assert not full[0].failures + paced[0].failures, server.name
        return {
            "rate": full[0].rate,
            "full_p99_s": full[0].quantile(0.99),
            "p50_s": paced[0].quantile(0.5),
            "p99_s": paced[0].quantile(0.99),
            "memory_mib": resident / 2**20,
            "start_s": start,
            "start_cpu_s": server.start_cpu,
        }


def main() -> None:
    """Measure, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=20, help="swaps under load (20)")
    parser.add_argument("--rounds", type=int, default=5, help="of both servers (5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load (5)")
    parser.add_argument("--memory-swaps", type=int, default=100, help="without load (100)")
    asked = parser.parse_args()
    python = mlserver_python()
    with tempfile.TemporaryDirectory() as name, seaweedfs.running(Path(name) / "s") as connection:
        folder = Path(name)
        os.environ.update(connection.to_env())
        Store(connection).ensure_bucket()
        publish_line(folder, 2, filling=FILLING)
        with serving(folder / "edge") as edge:
            swapped = swaps(edge, folder, asked.n)
            level, resident = memory_level(edge, folder, asked.memory_swaps)
            client = HERE / "mlserver" / "triton_client.py"
            address = edge.url.removeprefix("http://")
            subprocess.run([python, client, address], check=True)
        servers = (ours(folder, 18500), theirs(folder, 18600, python))
        rounds: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
        for number in range(asked.rounds):
            for server in servers[:: -1 if number % 2 else 1]:
                rounds[server.name].append(one_round(server, asked.seconds))
                print(server.name, rounds[server.name][-1], flush=True)
    _report(asked.n, swapped, level, resident, rounds)


def _report(
    n: int,
    swapped: dict[str, Any],
    level: float,
    resident: int,
    rounds: dict[str, list[dict[str, float]]],
) -> None:
    middle = {
        name: {key: statistics.median(one[key] for one in found) for key in found[0]}
        for name, found in rounds.items()
    }
    mine, peer = middle["podline"], middle["mlserver"]
    waited = swapped["publish_to_first_s"]
    during, outside = swapped["p99_in_s"], swapped["p99_out_s"]
    goals = {
        "failed_requests": goal(swapped["failed"], 0),
        "publish_to_first_p95_s": goal(waited[int(0.95 * (len(waited) - 1) + 0.5)], 1.0),
        "p99_during_over_outside": goal(during / outside, 2.0),
        "memory_after_swaps": goal(level, 1.05),
        "start_s": goal(mine["start_s"], 1.0),
        "rate_over_mlserver": goal_at_least(mine["rate"] / peer["rate"], 2.0),
    } | {
        f"{key}_over_mlserver": goal(mine[key] / peer[key], 1.0)
        for key in ("p50_s", "p99_s", "memory_mib", "start_s")
    }
    for name, found in middle.items():
        print(name, {key: round(value, 5) for key, value in found.items()})
    print_last_line(
        "edge", n, goals, swaps=swapped, memory_mib=round(resident / 2**20, 1), servers=middle
    )


if __name__ == "__main__":
    main()
