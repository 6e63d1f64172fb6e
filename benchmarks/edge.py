"""An edge under full load: swaps, requests, memory and start, beside MLServer with the same model.

Rounds of both alternate. MLServer comes from PyPI into an environment of its own, and runs as fast
as it can be set up: in one process, with ONNX Runtime, without logs of requests. The protocol's
public client, `tritonclient`, is tried on the edge as it is. Updates over a slow link need root and
Linux; elsewhere they are left out.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.report import goal, goal_at_least, print_last_line
from podline.store import Store, seaweedfs
from podline_studies.updates.batch import PARTS, BatchResult, BatchTask, make_batch
from podline_studies.updates.design import Batch, Cell
from podline_studies.updates.limit import limit
from podline_studies.updates.nodes import write_mlserver_model, write_mlserver_settings
from podline_studies.uploads.delay_link import LinkSpec, topology
from podline_studies.uploads.delay_link.probe import sinking
from podline_studies.uploads.design import MB
from tests.support import far_store
from tests.support.edge import Edge, publish_line, request, serving, write_line

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "peers"
MLSERVER = ("mlserver==1.7.1", "onnxruntime")
CLIENT = "tritonclient[http]"
EDGE = HERE.parent / "images" / "edge" / "requirements.txt"
FILLING = 200_000  # bytes of the models
AROUND = 0.25  # seconds before and after a swap that count as during it
# Round trip (seconds) and rate (bits a second; 0: the machine's) of the links for updates.
LINKS = {"no_link": LinkSpec(), "link": LinkSpec(0.05, 100e6)}
UPDATED = 8 * MB  # bytes of the model that is updated over them
WAYS = ("podline", "podline-told", "mlserver")


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
def load(
    url: str, seconds: float, connections: int = 4, rate: float = 0.0, columns: int = 3
) -> Iterator[list[Load]]:
    """Send requests while the block runs, and until the time is over; the list has what became.

    Args:
        url: of the server.
        seconds: how long.
        connections: at once.
        rate: requests a second; 0: as many as there can be.
        columns: of the one row in a request.
    """
    command = [sys.executable, "-m", "benchmarks.edge_load", f"{url}/v2/models/power/infer"]
    options = ["--connections", connections, "--seconds", seconds, "--rate", rate]
    options += ["--columns", columns]
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


def environment(name: str, *packages: str) -> Path:
    """The Python of an environment with packages, which is made once.

    Args:
        name: its own.
        packages: as pip takes them.
    """
    python = BUILD / name / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", "--python", sys.executable, BUILD / name], check=True)
        command = ["uv", "pip", "install", "-q", "--compile-bytecode", "--python", str(python)]
        subprocess.run([*command, *packages], check=True)
    return python


def mlserver_python() -> Path:
    """The Python of MLServer's environment."""
    return environment("mlserver", *MLSERVER)


def installed(python: Path, *more: Path) -> int:
    """Bytes of what is installed in an environment, without Python itself.

    Args:
        python: the environment's.
        more: folders that are installed too.
    """
    files = [path for folder in (python.parents[1] / "lib", *more) for path in folder.rglob("*")]
    return sum(path.stat().st_size for path in files if path.is_file())


# --- updates over a link --------------------------------------------------------------------------


def updates(folder: Path, n: int) -> dict[str, dict[str, Any]]:
    """Update nodes `n` times by each way over each link; returns what was found, link by link.

    Args:
        folder: for the store.
        n: how often.
    """
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], str(mlserver_python().parent)])
    found = {}
    with (
        topology.laid({"podline_store": topology.AROUND}, folder / "link.log") as network,
        sinking(),
        far_store.serving(folder / "far", topology.AROUND) as far,
    ):
        store = replace(far, conn_id="podline_store")
        os.environ.update(store.to_env())
        around = store.endpoint_url or ""
        for name, spec in LINKS.items():
            network.link.set(spec)
            cells = (Cell(UPDATED, "float32", n),)
            batch = Batch(0, store.conn_id, spec.rtt, spec.rate, 0, cells)
            link = network.url(store.conn_id, around)
            task = BatchTask(batch, WAYS, link, f"bench-{name}".replace("_", "-"), topology.SINK, 1)
            found[name] = _updated(make_batch(task))
            print(name, found[name], flush=True)
    return found


def _updated(result: BatchResult) -> dict[str, Any]:
    """What updates over a link came to, in seconds."""
    rtt, goodput = result.before.rtt, max(result.before.goodput, result.after.goodput)
    by_way = {way: [one for one in result.updates if one.way == way] for way in WAYS}
    beyond = sorted(one.seconds - 1.15 * limit(one.bytes, goodput, rtt) for one in by_way[WAYS[0]])
    told = {  # from the word that there is a version to the first answer by it
        way: statistics.median(one.seconds - one.parts["publish"] for one in by_way[way])
        for way in WAYS
    }
    parts = {
        way: {part: statistics.median(one.parts[part] for one in by_way[way]) for part in PARTS}
        for way in WAYS
    }
    return {
        "limit_s": limit(by_way[WAYS[0]][0].bytes, goodput, rtt),
        "beyond_p95_s": beyond[int(0.95 * (len(beyond) - 1) + 0.5)],
        "seconds": {way: statistics.median(u.seconds for u in by_way[way]) for way in WAYS},
        "published_to_first_s": told,
        "refused": {way: sum(one.refused for one in by_way[way]) for way in WAYS},
        "parts_s": parts,
    }


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
            client = HERE / "triton_client.py"
            address = edge.url.removeprefix("http://")
            subprocess.run([environment("client", CLIENT), client, address], check=True)
        servers = (ours(folder, 18500), theirs(folder, 18600, python))
        rounds: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
        for number in range(asked.rounds):
            for server in servers[:: -1 if number % 2 else 1]:
                rounds[server.name].append(one_round(server, asked.seconds))
                print(server.name, rounds[server.name][-1], flush=True)
        updated = updates(folder, asked.n) if os.geteuid() == 0 else {}
    _report(asked.n, swapped, level, resident, rounds, updated)


def _report(
    n: int,
    swapped: dict[str, Any],
    level: float,
    resident: int,
    rounds: dict[str, list[dict[str, float]]],
    updated: dict[str, dict[str, Any]],
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
    for name, found in updated.items():
        told = found["published_to_first_s"]
        goals[f"swap_over_mlserver_{name}"] = goal(told["podline-told"] / told["mlserver"], 1.0)
    if updated:
        goals["update_beyond_1_15_of_the_limit_p95_s"] = goal(updated["link"]["beyond_p95_s"], 1.0)
    sizes = {
        "podline": installed(environment("edge", "-r", str(EDGE)), HERE.parent / "plugins/podline"),
        "mlserver": installed(mlserver_python()),
    }
    goals["installed_over_mlserver"] = goal(sizes["podline"] / sizes["mlserver"], 1.0)
    for name, found in middle.items():
        print(name, {key: round(value, 5) for key, value in found.items()})
    print_last_line(
        *("edge", n, goals),
        swaps=swapped,
        memory_mib=round(resident / 2**20, 1),
        servers=middle,
        updates=updated,
        installed_mb={name: round(size / MB, 1) for name, size in sizes.items()},
    )


if __name__ == "__main__":
    main()
