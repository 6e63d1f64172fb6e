"""How near to the link's limit clients upload, over a link of 1 Gbit/s or less, clean and lossy.

At each point (round trip, loss, size, repeat) each client, in a random order, uploads the same
bytes twice to new keys: the first by a client made anew (cold), the second right after it, over the
connection that is there then (warm). What an upload takes is set against what the link allows at
that time: the bytes at the goodput of plain TCP, and one round trip warm, two cold. The store is
the embedded one, behind a delay link (root, Linux).
"""

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.report import goal, goal_at_least, print_last_line
from podline.store import Store, StoreConnection
from podline.store.boto3_client import boto3_client
from podline_studies.machine import busy_share
from podline_studies.reports.estimates import Estimate, geometric
from podline_studies.uploads.batch import write_random
from podline_studies.uploads.clients import CLIENTS
from podline_studies.uploads.delay_link import LinkSpec, topology
from podline_studies.uploads.delay_link.control import LinkStats
from podline_studies.uploads.delay_link.probe import Probe, Prober, sinking
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


class Point(NamedTuple):
    """Where uploads are compared: share of losses, round trip (s), MiB, whether warm."""

    loss: float
    rtt: float
    size: float
    warm: bool


@dataclass(frozen=True)
class Upload:
    """One upload: where, by whom, how long, and the link's limit at that time, in seconds."""

    point: Point
    repeat: int
    client: str
    seconds: float
    limit: float


@dataclass(frozen=True)
class Measured:
    """A link as it was while clients uploaded over it; `busy`: the share of the processors."""

    asked: LinkSpec
    probe: Probe
    stats: LinkStats
    busy: float | None


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
    sizes = {size: int(size * MIB) for size in given.size or SIZES}
    round_trips = [ms / 1000 for ms in given.rtt] if given.rtt else ROUND_TRIPS
    specs = [
        LinkSpec(rtt, given.rate * 1e6, loss, given.jitter / 1000)
        for rtt, loss in itertools.product(round_trips, given.loss or LOSSES)
    ]
    clients = given.client or [name for name, kind in CLIENTS.items() if kind.is_installed()]
    order = random.Random(given.seed)
    found: list[Upload] = []
    links: list[Measured] = []
    with (
        tempfile.TemporaryDirectory() as name,
        topology.laid({}, Path(name, "link.log")) as network,
        sinking(),
        far_store.serving(Path(name, "store")) as store,
        Prober(topology.SINK) as prober,
    ):
        files = {size: write_random(Path(name, f"{size}"), n, n) for size, n in sizes.items()}
        for repeat in range(given.n):
            for spec in order.sample(specs, len(specs)):
                network.link.set(spec)
                probe = prober.measure()
                network.link.stats()
                with _bucket(store, f"point-{len(links)}") as bucket:
                    for size in order.sample(list(sizes), len(sizes)):
                        for client in order.sample(clients, len(clients)):
                            for warm, seconds in _pair(client, bucket, files[size], f"{size:g}"):
                                point = Point(spec.loss, spec.rtt, size, warm)
                                limit = sizes[size] / probe.goodput + probe.rtt * (2 - warm)
                                found.append(Upload(point, repeat, client, seconds, limit))
                links.append(Measured(spec, probe, network.link.stats(), busy_share(0.5)))
                print(f"{repeat}: {spec.rtt * 1000:g} ms, loss {spec.loss:g}", file=sys.stderr)
    tell(found, links, given.n, given.rate)


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
    name: str, store: StoreConnection, path: Path, prefix: str
) -> Iterator[tuple[bool, float]]:
    """A cold upload by a client, which it is made for, and a warm one right after it."""
    began = time.perf_counter()
    with closing(CLIENTS[name](store)) as client:
        for warm in (False,) if client.cold_only else (False, True):
            client.upload(path, f"{prefix}/{name}-{'warm' if warm else 'cold'}")
            yield warm, time.perf_counter() - began
            began = time.perf_counter()


# --- what it comes to


class Results:
    """The uploads by point and client."""

    def __init__(self, found: Sequence[Upload]) -> None:
        self.points = sorted({upload.point for upload in found})
        self.clients = [name for name in CLIENTS if any(u.client == name for u in found)]
        self._at: dict[tuple[Point, str], dict[int, Upload]] = defaultdict(dict)
        for upload in found:
            self._at[upload.point, upload.client][upload.repeat] = upload

    def seconds(self, point: Point, client: str) -> list[float]:
        """What a client's uploads at a point took."""
        return [upload.seconds for upload in self._at[point, client].values()]

    def share(self, point: Point, client: str) -> Estimate:
        """The share of the link's limit that a client reached."""
        return geometric(u.limit / u.seconds for u in self._at[point, client].values())

    def ratio(self, point: Point, client: str) -> Estimate:
        """How many times as long as ours a client took, repeat by repeat."""
        ours, theirs = self._at[point, OURS], self._at[point, client]
        both = sorted(ours.keys() & theirs.keys())
        return geometric(theirs[each].seconds / ours[each].seconds for each in both)


def goals_of(results: Results) -> dict[str, dict[str, Any]]:
    """The goals: on the clean link, from 20 ms up."""
    clean = [point for point in results.points if not point.loss and point.rtt >= 0.02]
    found: dict[str, dict[str, Any]] = {}
    for size, least in WARM.items():
        warm = [point for point in clean if point.warm and point.size == size]
        if shares := [results.share(point, OURS).median for point in warm]:
            found[f"warm_{size}_mib"] = goal_at_least(min(shares), least)
    if cold := [_cold(results, point) for point in clean if not point.warm]:
        found["cold"] = goal_at_least(min(cold), 1.0)
    others = [name for name in results.clients if name != OURS]
    highs = [results.ratio(*each).high for each in itertools.product(clean, others)]
    found["clients_ahead"] = goal(sum(high is not None and high < 1 for high in highs), 0)
    return found


def _cold(results: Results, point: Point) -> float:
    """1 or more where our client is as fast as the goal asks for, by either of its measures."""
    near = results.share(point, OURS).median / COLD_SHARE
    if "boto3" not in results.clients:
        return near
    return max(near, results.ratio(point, "boto3").median / COLD_RATIO)


def tell(found: Sequence[Upload], links: Sequence[Measured], n: int, rate: float) -> None:
    """Print a line a point and client, and the last line; goals are for a link of `RATE`.

    Args:
        found: the uploads.
        links: as they were.
        n: repeats.
        rate: of the link, in Mbit/s.
    """
    results = Results(found)
    print("loss   rtt ms  MiB        client        median s   of limit   time / ours [95 %]")
    rows = [
        _row(results, point, client)
        for point, client in itertools.product(results.points, results.clients)
        if results.seconds(point, client)
    ]
    goals = goals_of(results) if rate == RATE else {}
    print_last_line("upload", n, goals, rate_mbit=rate, points=rows, links=_links(links))


def _row(results: Results, point: Point, client: str) -> dict[str, Any]:
    """What a client took at a point, for the last line; prints it for people."""
    times = results.seconds(point, client)
    share, ratio = results.share(point, client), results.ratio(point, client)
    seconds = statistics.median(times)
    kind = "warm" if point.warm else "cold"
    interval = f"[{ratio.low:.2f}, {ratio.high:.2f}]" if ratio.low and ratio.high else ""
    print(
        f"{point.loss:<6g} {point.rtt * 1000:<7g} {point.size:<5g} {kind} {client:<12} "
        f"{seconds:9.3f}   {share.median:8.2f}   {ratio.mean:6.2f} {interval}"
    )
    return {
        "loss": point.loss,
        "rtt_ms": point.rtt * 1000,
        "mib": point.size,
        "warm": point.warm,
        "client": client,
        "n": len(times),
        "median_s": round(seconds, 4),
        "share": round(share.median, 3),
        "share_low": _round(share.low),
        "share_high": _round(share.high),
        "ratio": round(ratio.mean, 3),
        "ratio_low": _round(ratio.low),
        "ratio_high": _round(ratio.high),
    }


def _links(links: Sequence[Measured]) -> list[dict[str, Any]]:
    """What each kind of link was measured to be, in the median."""
    kinds: dict[tuple[float, float], list[Measured]] = defaultdict(list)
    for one in links:
        kinds[one.asked.rtt, one.asked.loss].append(one)
    return [
        {
            "rtt_asked": rtt,
            "loss": loss,
            "congestion": mine[0].probe.congestion,
            "rtt": _median(one.probe.rtt for one in mine),
            "goodput": _median(one.probe.goodput for one in mine),
            "late_p99_s": _median(one.stats.late_p99_s for one in mine),
            "busy": _median(one.busy for one in mine),
        }
        for (rtt, loss), mine in sorted(kinds.items())
    ]


def _median(values: Iterable[float | None]) -> float:
    return round(statistics.median(value for value in values if value is not None), 6)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


if __name__ == "__main__":
    main()
