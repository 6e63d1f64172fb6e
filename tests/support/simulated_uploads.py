"""An upload study that never was: times whose ratios, shares and noise are known."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from podline_studies.reports.provenance import MeasuredSession
from podline_studies.uploads.batch import Measurement, Upload
from podline_studies.uploads.delay_link.control import LinkStats
from podline_studies.uploads.delay_link.probe import Probe
from podline_studies.uploads.design import MB, Batch, Design, Point
from podline_studies.uploads.frames import UploadCircumstances, table

CLUSTER, MACHINE, BARE = "podline_store", "vm_store", "bare_store"
GOODPUT = 12e6  # bytes a second


def uploads(
    ratio: float = 1.0,
    sizes: Sequence[int] = (1_000_000, 8_000_000),
    rtts: Sequence[float] = (0.02, 0.1),
    clients: Mapping[str, float] = {"podline": 0.95, "boto3": 0.6},
    visits: int = 5,
    pairs: int = 2,
    spread: float = 0.015,
    machine_rate: float = 30e6,
    answer: float = 0.0,
    bare: float | None = None,
    arms: Sequence[str] = ("",),
    seed: int = 1,
) -> pd.DataFrame:
    """Return the frame of a study.

    Args:
        ratio: of the cluster's time over the machine's.
        sizes: in bytes.
        rtts: in seconds.
        clients: the share of the link's limit that each reaches.
        visits: of each point, in two sessions.
        pairs: of each visit.
        spread: of a time's logarithm: of a visit's, and of each pair's within it.
        machine_rate: bytes a second that the machine takes without a link.
        answer: seconds that the machine takes longer to answer after the last byte.
        bare: the bare server's time over the machine's; None: it is not measured.
        arms: kinds of links.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    sides = {CLUSTER: (math.sqrt(ratio), 200e6), MACHINE: (1 / math.sqrt(ratio), machine_rate)}
    if bare is not None:
        sides[BARE] = (bare / math.sqrt(ratio), 200e6)
    found = []
    points = itertools.product(arms, sizes, rtts, clients, range(visits))
    for index, (arm, size, rtt, client, visit) in enumerate(points):
        made = [_upload(store, -1, False, size / rate) for store, (_, rate) in sides.items()]
        made = [replace(upload, direct=True) for upload in made]
        for store, (times, _) in sides.items():
            pace = times * math.exp(rng.normal(0, spread)) / clients[client]
            for pair, warm in itertools.product(range(pairs), (False, True)):
                limit = size / GOODPUT + rtt * (1 if warm else 2)
                seconds = limit * pace * math.exp(rng.normal(0, spread))
                made.append(_upload(store, pair, warm, seconds, answer * (store == MACHINE)))
        batch = Batch(index, size, "", rtt, client, visit, pairs, arm)
        found.append(_measured(batch, made))
    return table(found)


def _upload(store: str, pair: int, warm: bool, seconds: float, late: float = 0.0) -> Upload:
    transfer, commit = seconds * 0.95, seconds * 0.05 + late
    return Upload(store, "", pair, warm, False, seconds + late, transfer, commit, exact=True)


def _measured(batch: Batch, uploads: Sequence[Upload]) -> Measurement:
    """A visit; boto3 overruns the queue."""
    link = Probe(batch.rtt, GOODPUT, "bbr", 67_108_864)
    sent, dropped = 10_000, 500 if batch.client == "boto3" else 10
    stats = LinkStats(late_p99_s=0.0001, segments_there=sent + 100, dropped_there=dropped + 50)
    stats = replace(stats, probes_there=100, probes_dropped_there=50)
    made, session = tuple(uploads), 1 + batch.round % 2
    return Measurement(batch, session, 1, 0, 0, made, before=link, after=link, link=stats, busy=0.3)


DESIGN = Design(
    points=(Point(MB, "", (0.02, 0.1), 10), Point(8 * MB, "", (0.02, 0.1), 10)),
    clients=("podline", "boto3"),
    stores=(CLUSTER, MACHINE),
    rate=100e6,
    loss=0.0,
    jitter=0.0,
    place="pod",
    pairs=2,
    seed=1,
    accelerated=False,
)
_SESSION: MeasuredSession = {
    "processors": 2,
    "memory_bytes": 16e9,
    "kernel": "6.12",
    "started": 1.8e9,
    "ended": 1.8e9 + 3600,
    "versions": {"podline": "0.1.0"},
}


def about(machines: Sequence[str] = ("a machine",) * 2, **changes: Any) -> UploadCircumstances:
    """What there is to say about it, with the kind of machine of each session."""
    sessions: list[MeasuredSession] = []
    for number, machine in enumerate(machines, 1):
        sessions.append({**_SESSION, "session": number, "machine": machine})
    usual: UploadCircumstances = {
        "sweep": "simulated",
        "sessions": sessions,
        "interruptions": [],
        "design": DESIGN,
        "failed": [],
        "ran_by": {},
    }
    return usual | changes
