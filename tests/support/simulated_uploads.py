"""An upload study that never was: times whose ratios, shares and noise are known."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from podline_studies.uploads.batch import Measurement, Upload
from podline_studies.uploads.delay_link.control import LinkStats
from podline_studies.uploads.delay_link.probe import Probe
from podline_studies.uploads.design import MB, Batch, Design, Point
from podline_studies.uploads.frames import UploadCircumstances, table

CLUSTER, MACHINE = "podline_store", "vm_store"
GOODPUT = 12e6  # bytes a second

# The study's pairs, up to 8 MB, of 64 and of 500 MB, and what those of our client spread at most;
# tests/docs/test_study_pages.py sees to it. Where boto3's spread more, the page says so.
USED = [(30, 0.13), (10, 0.04), (5, 0.02)]


def uploads(
    ratio: float = 1.0,
    sizes: Sequence[int] = (1_000_000, 8_000_000),
    rtts: Sequence[float] = (0.02, 0.1),
    clients: Mapping[str, float] = {"podline": 0.95, "boto3": 0.6},
    pairs: int = 10,
    spread: float = 0.03,
    machine_rate: float = 30e6,
    answer: float = 0.0,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the frame of a study.

    Args:
        ratio: of the cluster's time over the machine's.
        sizes: in bytes.
        rtts: in seconds.
        clients: the share of the link's limit that each reaches.
        pairs: of each point, in two sessions.
        spread: of a time's logarithm.
        machine_rate: bytes a second that the machine takes without a link.
        answer: seconds that the machine takes longer to answer after the last byte.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    sides = {CLUSTER: (math.sqrt(ratio), 200e6), MACHINE: (1 / math.sqrt(ratio), machine_rate)}
    found = []
    for index, (size, rtt, client) in enumerate(itertools.product(sizes, rtts, clients)):
        batch = Batch(index, size, "", rtt, client, 0, pairs)
        alone = [_upload(store, -1, False, size / rate) for store, (_, rate) in sides.items()]
        found.append(_measured(batch, 0, [replace(upload, direct=True) for upload in alone]))
        for pair in range(pairs):
            made = []
            for warm, (store, (times, _)) in itertools.product((False, True), sides.items()):
                limit = size / GOODPUT + rtt * (1 if warm else 2)
                seconds = limit / clients[client] * times * math.exp(rng.normal(0, spread))
                made.append(_upload(store, pair, warm, seconds, answer * (store == MACHINE)))
            found.append(_measured(batch, pair, made))
    return table(found)


def _upload(store: str, pair: int, warm: bool, seconds: float, late: float = 0.0) -> Upload:
    parts = {"transfer": seconds * 0.95, "commit": seconds * 0.05 + late}
    return Upload(store, "", pair, warm, seconds=seconds + late, **parts)


def _measured(batch: Batch, pair: int, uploads: Sequence[Upload]) -> Measurement:
    """Some of a batch's uploads, in the session of a pair."""
    link = Probe(batch.rtt, GOODPUT, "bbr", 67_108_864)
    stats = LinkStats(late_p99_s=0.0001)
    return Measurement(
        batch, 1 + pair % 2, 1, 0, 0, tuple(uploads), before=link, after=link, link=stats, busy=0.3
    )


DESIGN = Design(
    points=(Point(MB, "", (0.02, 0.1), 10), Point(8 * MB, "", (0.02, 0.1), 10)),
    clients=("podline", "boto3"),
    stores=(CLUSTER, MACHINE),
    rate=100e6,
    loss=0.0,
    jitter=0.0,
    place="pod",
    pairs=10,
    seed=1,
)
_SESSION = {
    "machine": "a machine",
    "processors": 2,
    "memory_bytes": 16e9,
    "kernel": "6.12",
    "started": 1.8e9,
    "ended": 1.8e9 + 3600,
    "versions": {"podline": "0.1.0"},
}


def about(**changes: Any) -> UploadCircumstances:
    """What there is to say about it."""
    sessions = [{"session": number} | _SESSION for number in (1, 2)]
    usual: UploadCircumstances = {
        "sweep": "simulated",
        "sessions": sessions,
        "interruptions": [],
        "design": DESIGN,
        "failed": [],
    }
    return usual | changes
