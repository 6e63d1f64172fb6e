"""An upload study that never was: times whose ratios, shares and noise are known."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

CLUSTER, MACHINE = "podline_store", "vm_store"

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
        pairs: of each point, in two sittings.
        spread: of a time's logarithm.
        machine_rate: bytes a second that the machine takes without a link.
        answer: seconds that the machine takes longer to answer after the last byte.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for number, (size, rtt, client) in enumerate(
        (size, rtt, client) for size in sizes for rtt in rtts for client in clients
    ):
        for store, rate in ((CLUSTER, 200e6), (MACHINE, machine_rate)):
            rows.append(_row(number, size, rtt, client, store, -1, False, size / rate, direct=True))
        for pair in range(pairs):
            for warm in (False, True):
                limit = size / 12e6 + rtt * (1 if warm else 2)
                for store, times in ((CLUSTER, math.sqrt(ratio)), (MACHINE, 1 / math.sqrt(ratio))):
                    seconds = limit / clients[client] * times * math.exp(rng.normal(0, spread))
                    late = answer if store == MACHINE else 0.0
                    rows.append(_row(number, size, rtt, client, store, pair, warm, seconds, late))
    return pd.DataFrame(rows)


def _row(
    index: int, size: int, rtt: float, client: str, store: str, pair: int, warm: bool,
    seconds: float, late: float = 0.0, direct: bool = False,
) -> dict[str, Any]:  # fmt: skip
    return {
        "index": index, "sitting": 1 + pair % 2, "attempt": 1, "warmup": False,
        "what": f"{size // 1_000_000} MB", "size": size, "rtt": rtt, "client": client, "round": 0,
        "failure": "", "store": store, "pair": pair, "warm": warm, "direct": direct,
        "seconds": seconds + late, "transfer_s": seconds * 0.95, "commit_s": seconds * 0.05 + late,
        "exact": client == "podline", "link_rtt": rtt, "goodput": 12e6, "congestion": "bbr",
        "window": 67_108_864, "busy": 0.3, "late_p99_s": 0.0001,
    }  # fmt: skip


def about(**changes: Any) -> dict[str, Any]:
    """What there is to say about it."""
    session = {
        "machine": "a machine", "processors": 2, "memory_bytes": 16e9, "kernel": "6.12",
        "started": 1.8e9, "ended": 1.8e9 + 3600, "versions": {"podline": "0.1.0"},
    }  # fmt: skip
    return {
        "sweep": "simulated", "seed": 1, "stores": [CLUSTER, MACHINE],
        "design": {"place": "pod"}, "planned": 8,
        "sessions": [{"session": n, **session} for n in (1, 2)],
        "interruptions": [], "failed": [],
    } | changes  # fmt: skip
