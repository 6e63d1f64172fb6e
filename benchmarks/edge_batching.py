"""What an edge gains by answering requests that come together in one run of the model.

The server as it is, beside the same one with a run for each request; rounds of both alternate.
Models are dense networks, whose run takes the longer the more bytes they have.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.edge import Load, load
from benchmarks.report import goal_at_least, print_last_line, summary
from podline.edge import serve
from podline.edge.version import LoadedVersion
from podline.models.publishing import publish
from podline.store import Store, open_store, seaweedfs
from podline_studies.updates.models import COLUMNS, write_dense
from podline_studies.updates.nodes import free_ports
from tests.support.waiting import until

SIZES = (200_000, 2_000_000, 8_000_000)  # bytes of the models
CLIENTS = (1, 8, 32)
TOGETHER, APART = "together", "apart"


def serve_one(folder: Path, port: int, how: str) -> None:
    """Serve the model of the environment's store until the process is ended.

    Args:
        folder: for versions.
        port: where to listen.
        how: `TOGETHER` or `APART`.
    """
    if how == APART:
        LoadedVersion._are_rows_apart = lambda *_: False  # type: ignore[method-assign]
    serve.run(serve.Options(["power"], folder, port=port), open_store())


@contextmanager
def serving(folder: Path, how: str) -> Iterator[str]:
    """A server of its own process; yields its address.

    Args:
        folder: for versions.
        how: `TOGETHER` or `APART`.
    """
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "benchmarks.edge_batching", "--serve", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--how", how], stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _is_ready(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v2/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def measure(folder: Path, size: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure both with a model; returns a row for each number of clients.

    Args:
        folder: for it.
        size: its bytes.
        rounds: how often.
        seconds: of each load.
    """
    folder.mkdir()
    publish(write_dense(folder, size, 1), "power")
    found: dict[tuple[str, int], list[Load]] = {}
    for number in range(rounds):
        for how in (TOGETHER, APART)[:: -1 if number % 2 else 1]:
            with serving(folder / f"served-{how}", how) as url:
                for clients in CLIENTS:
                    with load(url, seconds, clients, columns=COLUMNS) as became:
                        pass
                    assert not became[0].failures, became[0].failures[:3]
                    found.setdefault((how, clients), []).extend(became)
    rows = [_row(size, clients, found) for clients in CLIENTS]
    for row in rows:
        print(json.dumps(row), flush=True)
    return rows


def _row(
    size: int, clients: int, found: Mapping[tuple[str, int], Sequence[Load]]
) -> dict[str, Any]:
    """Requests a second and p99 of both, and by how many times both differ, round by round."""
    row: dict[str, Any] = {"bytes": size, "clients": clients}
    loads = {how: found[how, clients] for how in (TOGETHER, APART)}
    for how, mine in loads.items():
        row[f"rate_{how}"] = summary([one.rate for one in mine])["median"]
        row[f"p99_{how}_s"] = summary([one.quantile(0.99) for one in mine])["median"]
    pairs = list(zip(*loads.values(), strict=True))
    row["rate_ratio"] = summary([one.rate / other.rate for one, other in pairs])
    row["p99_ratio"] = summary([one.quantile(0.99) / other.quantile(0.99) for one, other in pairs])
    return row


def main() -> None:
    """Measure, and print the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5, help="rounds (5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load (3)")
    parser.add_argument("--size", type=int, action="append", help="of a model, in bytes")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--how", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve_one(asked.serve, asked.port, asked.how)
        return
    rows: list[dict[str, Any]] = []
    for size in asked.size or SIZES:
        with tempfile.TemporaryDirectory() as name, seaweedfs.running(Path(name) / "s") as store:
            os.environ.update(store.to_env())
            Store(store).ensure_bucket()
            rows += measure(Path(name) / "models", size, asked.n, asked.seconds)
    goals = {
        f"rate_{row['bytes']}_by_{row['clients']}": goal_at_least(
            row["rate_ratio"]["median"], 0.95 if row["clients"] == 1 else 1.2
        )
        for row in rows
    }
    print_last_line("edge-batching", asked.n, goals, points=rows)


if __name__ == "__main__":
    main()
