"""How near to the link's limit clients upload, over a link of 1 Gbit/s or less, clean and lossy.

At each point (round trip, loss, size, repeat) each client, in an order of chance, uploads the same
bytes twice to new keys: the first by a client made anew (cold), the second right after it, over the
connection that is there then (warm). What an upload takes is set against what the link allows at
that time: the bytes at the goodput of plain TCP, and one round trip warm, two cold. The store is
the embedded one, behind a delay link (root, Linux).
"""

import argparse
import itertools
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.report import goal, goal_at_least, print_last_line
from podline.store import Store, StoreConnection
from podline.store.boto3_client import boto3_client
from podline_studies.machine import busy_share
from podline_studies.reports.estimates import Estimate, geometric
from podline_studies.uploads.batch import write_chance
from podline_studies.uploads.clients import CLIENTS, COLD_ONLY, Client
from podline_studies.uploads.delay_link import LinkSpec, topology
from podline_studies.uploads.delay_link.control import Link
from podline_studies.uploads.delay_link.probe import Prober, sinking
from tests.support import far_store

MIB = 1024 * 1024
SIZES = (1, 8, 64, 256)  # MiB
ROUND_TRIPS = (0.0, 0.02, 0.05, 0.1)  # seconds
LOSSES = (0.0, 0.005)
RATE = 1000  # Mbit a second: of the link that the goals are for
OURS = "podline"
# The issue's goals: the share of the limit warm, by size; cold, a ratio to boto3's or a share.
WARM = {1: 0.7, 8: 0.85, 64: 0.9, 256: 0.9}
COLD_RATIO, COLD_SHARE = 1.3, 0.85


@dataclass(frozen=True)
class Upload:
    """One upload: where, by whom, how long, and the link's limit at that time, in seconds."""

    rtt: float
    loss: float
    size: float
    repeat: int
    client: str
    warm: bool
    seconds: float
    limit: float


def main() -> None:
    """Measure, and print the table and the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=8, help="repeats (8)")
    parser.add_argument("--rate", type=float, default=RATE, help=f"in Mbit/s ({RATE})")
    parser.add_argument("--size", type=float, action="append", help="in MiB")
    parser.add_argument("--rtt", type=float, action="append", help="in ms")
    parser.add_argument("--loss", type=float, action="append", help="a share")
    parser.add_argument("--jitter", type=float, default=0.0, help="in ms (0)")
    parser.add_argument("--client", action="append")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    round_trips = [ms / 1000 for ms in given.rtt] if given.rtt else list(ROUND_TRIPS)
    clients = given.client or _installed()
    with tempfile.TemporaryDirectory() as name, _store_behind_a_link(Path(name)) as (store, link):
        links = [
            LinkSpec(rtt, given.rate * 1e6, loss, given.jitter / 1000)
            for rtt, loss in itertools.product(round_trips, given.loss or LOSSES)
        ]
        found, probes = measure(
            store, link, links, given.size or SIZES, clients, given.n, given.seed, Path(name)
        )
    tell(found, probes, given.n, given.rate)


def _installed() -> list[str]:
    return [name for name in CLIENTS if name != "rclone" or shutil.which("rclone")]


@contextmanager
def _store_behind_a_link(folder: Path) -> Iterator[tuple[StoreConnection, Link]]:
    with (
        topology.laid({}, folder / "link.log") as network,
        sinking(),
        far_store.serving(folder / "store") as store,
    ):
        yield store, network.link


def measure(
    store: StoreConnection,
    link: Link,
    links: Sequence[LinkSpec],
    sizes: Sequence[float],
    clients: Sequence[str],
    repeats: int,
    seed: int,
    folder: Path,
) -> tuple[list[Upload], list[dict[str, Any]]]:
    """Upload at all points; returns the uploads, and each point's link as it was."""
    order = random.Random(seed)
    many = {size: int(size * MIB) for size in sizes}
    files = {size: write_chance(folder / f"{size}", n, n) for size, n in many.items()}
    found: list[Upload] = []
    probes: list[dict[str, Any]] = []
    keys = (f"{seed}/{number}" for number in itertools.count())
    with Prober(topology.SINK) as prober:
        for repeat in range(repeats):
            for spec in order.sample(links, len(links)):
                rtt, loss = spec.rtt, spec.loss
                link.set(spec)
                probe = prober.measure()
                link.stats()
                with _bucket(store, f"point-{len(probes)}") as bucket:
                    for size in order.sample(sizes, len(sizes)):
                        for client in order.sample(clients, len(clients)):
                            for warm, seconds in _pair(client, bucket, files[size], keys):
                                limit = many[size] / probe.goodput + probe.rtt * (1 if warm else 2)
                                found.append(
                                    Upload(rtt, loss, size, repeat, client, warm, seconds, limit)
                                )
                about = {"rtt_asked": rtt, "loss": loss, "repeat": repeat, "busy": busy_share(0.5)}
                probes.append({**about, **asdict(probe), **link.stats()})
                print(f"repeat {repeat}: {rtt * 1000:g} ms, loss {loss:g}", file=sys.stderr)
    return found, probes


@contextmanager
def _bucket(store: StoreConnection, name: str) -> Iterator[StoreConnection]:
    """A bucket of a point's own: the server gives its disk back with it, and not with an object."""
    own = replace(store, bucket=name)
    there = Store(own)
    there.ensure_bucket()
    there.put("first", b"makes the server make room")
    yield own
    there.delete([item.key for item in there.list("")])
    boto3_client(own, {}).delete_bucket(Bucket=name)


def _pair(
    name: str, store: StoreConnection, path: Path, keys: Iterator[str]
) -> list[tuple[bool, float]]:
    """A cold upload by a client, and a warm one right after it."""
    began = time.perf_counter()
    client: Client = CLIENTS[name](store)
    try:
        client.upload(path, next(keys))
        times = [(False, time.perf_counter() - began)]
        if name not in COLD_ONLY:
            began = time.perf_counter()
            client.upload(path, next(keys))
            times.append((True, time.perf_counter() - began))
    finally:
        client.close()
    return times


# --- what it comes to


class Results:
    """The uploads by point and client."""

    def __init__(self, found: Sequence[Upload]) -> None:
        self.found = found
        self.points = sorted({(u.loss, u.rtt, u.size, u.warm) for u in found})
        self.clients = sorted({u.client for u in found}, key=list(CLIENTS).index)

    def at(self, point: tuple[float, float, float, bool], client: str) -> dict[int, Upload]:
        """A client's uploads at a point, by repeat."""
        return {
            u.repeat: u for u in self.found
            if (u.loss, u.rtt, u.size, u.warm) == point and u.client == client
        }  # fmt: skip

    def share(self, point: tuple[float, float, float, bool], client: str) -> Estimate:
        """The share of the link's limit that a client reached."""
        return geometric(u.limit / u.seconds for u in self.at(point, client).values())

    def ratio(self, point: tuple[float, float, float, bool], client: str) -> Estimate:
        """How many times as long as ours a client took, repeat by repeat."""
        ours, theirs = self.at(point, OURS), self.at(point, client)
        both = ours.keys() & theirs.keys()
        return geometric(theirs[each].seconds / ours[each].seconds for each in sorted(both))


def goals_of(results: Results) -> dict[str, dict[str, Any]]:
    """The goals: on the clean link, from 20 ms up."""
    clean = [point for point in results.points if not point[0] and point[1] >= 0.02]
    found: dict[str, dict[str, Any]] = {}
    for size, least in WARM.items():
        shares = [results.share(p, OURS).median for p in clean if p[3] and p[2] == size]
        if shares:
            found[f"warm_{size}_mib"] = goal_at_least(min(shares), least)
    cold = [_cold(results, point) for point in clean if not point[3]]
    if cold:
        found["cold"] = goal_at_least(min(cold), 1.0)
    ahead = [
        (client, point) for point in clean for client in results.clients
        if client != OURS and (high := results.ratio(point, client).high) is not None and high < 1
    ]  # fmt: skip
    found["clients_ahead"] = goal(len(ahead), 0)
    return found


def _cold(results: Results, point: tuple[float, float, float, bool]) -> float:
    """1 or more where our client is as fast as the goal asks for, by either of its measures."""
    near = results.share(point, OURS).median / COLD_SHARE
    if "boto3" not in results.clients:
        return near
    return max(near, results.ratio(point, "boto3").median / COLD_RATIO)


def tell(found: Sequence[Upload], probes: Sequence[dict[str, Any]], n: int, rate: float) -> None:
    """Print a line a point and client, and the last line; goals are for a link of `RATE`."""
    results = Results(found)
    print("loss   rtt ms  MiB        client        median s   of limit   time / ours [95 %]")
    rows = []
    for point in results.points:
        for client in results.clients:
            uploads = results.at(point, client)
            if not uploads:
                continue
            loss, rtt, size, warm = point
            share, ratio = results.share(point, client), results.ratio(point, client)
            seconds = statistics.median(u.seconds for u in uploads.values())
            row = {
                "loss": loss, "rtt_ms": rtt * 1000, "mib": size, "warm": warm, "client": client,
                "n": len(uploads), "median_s": round(seconds, 4), "share": round(share.median, 3),
                "share_low": _round(share.low), "share_high": _round(share.high),
                "ratio": round(ratio.mean, 3), "ratio_low": _round(ratio.low),
                "ratio_high": _round(ratio.high),
            }  # fmt: skip
            rows.append(row)
            kind = "warm" if warm else "cold"
            interval = f"[{ratio.low:.2f}, {ratio.high:.2f}]" if ratio.low and ratio.high else ""
            print(
                f"{loss:<6g} {rtt * 1000:<7g} {size:<5g} {kind} {client:<12} {seconds:9.3f}"
                f"   {share.median:8.2f}   {ratio.mean:6.2f} {interval}"
            )
    goals = goals_of(results) if rate == RATE else {}
    print_last_line("upload", n, goals, rate_mbit=rate, points=rows, links=_links(probes))


def _links(probes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each kind of link was measured to be, in the median."""
    found = []
    for rtt, loss in sorted({(probe["rtt_asked"], probe["loss"]) for probe in probes}):
        mine = [p for p in probes if (p["rtt_asked"], p["loss"]) == (rtt, loss)]
        median = {
            name: round(statistics.median(p[name] for p in mine), 6)
            for name in ("rtt", "goodput", "late_p99_s", "busy")
        }
        found.append(
            {"rtt_asked": rtt, "loss": loss, "congestion": mine[0]["congestion"], **median}
        )
    return found


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


if __name__ == "__main__":
    main()
