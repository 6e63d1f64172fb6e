"""An update study that never was: times whose ratios, limits and noise are known."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from podline_studies.updates.batch import PARTS, Measurement, Update
from podline_studies.updates.design import FORMS, MB, Design, Point
from podline_studies.updates.frames import UpdateCircumstances, table
from podline_studies.updates.limit import limit
from podline_studies.updates.nodes import WAYS
from podline_studies.uploads.delay_link.control import LinkStats
from podline_studies.uploads.delay_link.probe import Probe
from tests.support.simulated_uploads import about as about_uploads

CLUSTER, MACHINE = "podline_store", "vm_store"
SHARE = 0.96  # of the rate that plain TCP reaches

# How many times as long as ours the others take, beyond the transfer.
TIMES = {"podline": 1.0, "podline-told": 0.6, "polling": 1.8, "mlserver": 1.2}


def design(**changes: Any) -> Design:
    """What is planned."""
    usual: dict[str, Any] = {
        "points": tuple(Point(size, (0.02, 0.1), (10e6, 100e6), 8) for size in (MB, 8 * MB)),
        "forms": FORMS,
        "ways": tuple(WAYS),
        "stores": (CLUSTER, MACHINE),
        "repeats": 4,
        "seed": 1,
    }
    return Design(**usual | changes)


def updates(
    own: float = 0.5,
    machine: float = 1.1,
    spread: float = 0.03,
    times: Mapping[str, float] = TIMES,
    refused: int = 0,
    busy: float = 0.05,
    seed: int = 1,
    **changes: Any,
) -> pd.DataFrame:
    """Return the frame of a study.

    Args:
        own: seconds that our way takes besides the transfer.
        machine: how many times as long an update from the machine takes.
        spread: of a time's logarithm.
        times: how many times `own` each way takes.
        refused: requests of each update.
        busy: share of the processors.
        seed: of the noise.
        changes: of the design.
    """
    planned, chance = design(**changes), np.random.default_rng(seed)
    found = []
    for batch in planned.items():
        goodput = batch.rate / 8 * SHARE
        made = []
        for one in batch.updates(planned.ways, planned.seed):
            size = one.cell.size // (4 if one.cell.form == "int8" else 1)
            transfer = limit(size, goodput, batch.rtt)
            seconds = transfer + own * times[one.way]
            seconds *= (machine if batch.store == MACHINE else 1) * math.exp(
                chance.normal(0, spread)
            )
            parts = dict.fromkeys(PARTS, 0.0) | {"fetch": transfer, "load": seconds - transfer}
            cell = one.cell
            made.append(
                Update(
                    *(cell.size, cell.form, one.repeat, one.way, size),
                    *(seconds, parts, 100, refused),
                )
            )
        link = Probe(batch.rtt, goodput, "bbr", 67_108_864)
        session, stats = 1 + batch.round % 2, LinkStats(late_p99_s=0.0001)
        found.append(
            Measurement(
                batch, session, 1, 0, 0, tuple(made), before=link, after=link, link=stats, busy=busy
            )
        )
    return table(found)


def about(failed: Sequence[Measurement] = (), **changes: Any) -> UpdateCircumstances:
    """What there is to say about it."""
    told = about_uploads()
    return {
        "sweep": told["sweep"],
        "sessions": told["sessions"],
        "interruptions": told["interruptions"],
        "design": design(**changes),
        "failed": failed,
    }
