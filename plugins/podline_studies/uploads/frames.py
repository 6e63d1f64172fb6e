"""The upload study's measurements as a table, which `podline_studies.reports` reads."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from podline_studies.study import Study, circumstances
from podline_studies.uploads.design import Design, in_bytes
from podline_studies.uploads.measurement import Measurement

if TYPE_CHECKING:
    import pandas as pd

UPLOADS = [
    "index", "sitting", "attempt", "warmup", "what", "size", "rtt", "client", "round", "failure",
    "store", "pair", "warm", "direct", "seconds", "transfer_s", "commit_s", "exact", "link_rtt",
    "goodput", "congestion", "window", "busy",
    "late_p99_s",
]  # fmt: skip


def tables(study: Study[Design, Measurement]) -> tuple["pd.DataFrame", dict[str, Any]]:
    """Return a study as a table, and what there is to say about it.

    Returns:
        The uploads, a row each with the columns `UPLOADS`, a visit that failed one without a
        store; and the study's name, design, sittings, interruptions, and what failed.
    """
    import pandas as pd

    measured, warm_ups, discarded = study.measurements(), study.warm_ups(), study.discarded()
    design = study.design()
    about = circumstances(study, measured + warm_ups) | {
        "seed": design.seed,
        "stores": list(design.stores),
        "design": _design(design),
        "planned": len(design.items()),
        "models": [
            {"model": point.model, "bytes": point.size, "serialise_s": point.serialise}
            for point in design.points if point.model
        ],
        "failed": [_discarded(one) for one in discarded],
    }  # fmt: skip
    rows = [row for one in measured for row in _rows(one, warm_up=False)]
    rows += [row for one in warm_ups for row in _rows(one, warm_up=True)]
    return pd.DataFrame(rows, columns=pd.Index(UPLOADS)), about


def _rows(one: Measurement, warm_up: bool) -> Iterable[dict[str, Any]]:
    visit = one.visit
    assert one.before is not None
    assert one.after is not None
    about = {
        "index": visit.index, "sitting": one.sitting, "attempt": one.attempt, "warmup": warm_up,
        "what": visit.model or in_bytes(visit.size), "size": visit.size, "rtt": visit.rtt,
        "client": visit.client, "round": visit.round, "failure": one.failure,
        "link_rtt": (one.before.rtt + one.after.rtt) / 2,
        "goodput": max(one.before.goodput, one.after.goodput),
        "congestion": one.before.congestion, "window": one.before.window, "busy": one.busy,
        "late_p99_s": one.link.get("late_p99_s"),
    }  # fmt: skip
    for upload in one.uploads:
        yield {
            **about, "store": upload.store, "pair": upload.pair, "warm": upload.warm,
            "direct": upload.direct, "seconds": upload.seconds, "transfer_s": upload.transfer,
            "commit_s": upload.commit, "exact": upload.exact,
        }  # fmt: skip


def _design(design: Design) -> dict[str, Any]:
    points = [
        f"{point.model or in_bytes(point.size)} "
        f"({', '.join(f'{rtt * 1000:g}' for rtt in point.rtts)} ms; {point.pairs} pairs)"
        for point in design.points
    ]
    return {
        "points": points,
        "clients": list(design.clients),
        "stores": list(design.stores),
        "link": f"{design.rate / 1e6:g} Mbit/s, loss {design.loss * 100:g} %, "
        f"jitter {design.jitter * 1000:g} ms",
        "uploads from a": design.place,
        "pairs a visit": design.pairs,
    }


def _discarded(one: Measurement) -> dict[str, Any]:
    return {"visit": str(one.visit), "attempt": one.attempt, "failure": one.failure}
