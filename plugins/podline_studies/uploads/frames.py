"""The upload study's measurements as a table, whose columns stand here alone."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from podline_studies.reports.provenance import Circumstances
from podline_studies.study import Study, circumstances
from podline_studies.uploads.batch import Measurement, Upload
from podline_studies.uploads.delay_link.measurement import make_table
from podline_studies.uploads.design import Design

if TYPE_CHECKING:
    import pandas as pd

# Times are in seconds; what is not known becomes NaN.
COLUMNS: dict[str, Callable[[Measurement, Upload], object]] = {
    "index": lambda of, _: of.index,
    "sitting": lambda of, _: of.sitting,
    "attempt": lambda of, _: of.attempt,
    "warmup": lambda *_: False,  # `table` says where it does not count
    "arm": lambda of, _: of.visit.arm,
    "what": lambda of, _: of.visit.what,
    "size": lambda of, _: of.visit.size,
    "rtt": lambda of, _: of.visit.rtt,  # as it was asked for
    "client": lambda of, _: of.visit.client,
    "round": lambda of, _: of.visit.round,
    "failure": lambda of, _: of.failure,
    "store": lambda _, upload: upload.store,
    "pair": lambda _, upload: upload.pair,
    "warm": lambda _, upload: upload.warm,
    "direct": lambda _, upload: upload.direct,
    "seconds": lambda _, upload: upload.seconds,
    # Only where they are of the last acknowledgement: what was written may wait in the socket.
    "transfer_s": lambda _, upload: upload.transfer if upload.exact else None,
    "commit_s": lambda _, upload: upload.commit if upload.exact else None,
    "link_rtt": lambda of, _: sum(probe.rtt for probe in of.probes) / 2,
    "goodput": lambda of, _: max(probe.goodput for probe in of.probes),
    "congestion": lambda of, _: of.probes[0].congestion,
    "window": lambda of, _: of.probes[0].window,
    "busy": lambda of, _: of.busy,
    "late_p99_s": lambda of, _: of.link.late_p99_s,
    # Of the whole batch, from here to the stores; where probes were not told apart, with them.
    "sent": lambda of, _: of.link.segments_there - (of.link.probes_there or 0),
    "dropped": lambda of, _: of.link.dropped_there - (of.link.probes_dropped_there or 0),
    "with_probes": lambda of, _: of.link.probes_there is None,
}


class UploadCircumstances(Circumstances):
    """How an upload study was measured.

    Attributes:
        design: what was planned.
        failed: what failed or was disturbed.
        ran_by: versions of what uploaded; those of older studies, which had no rule for what
            disturbs, are not known.
    """

    design: Design
    failed: Sequence[Measurement]
    ran_by: dict[str, str]


def tables(study: Study[Design, Measurement]) -> tuple["pd.DataFrame", UploadCircumstances]:
    """Return a study's uploads as a table, and how it was measured."""
    measured, warm_ups = study.measurements(), study.warm_ups()
    told = circumstances(study, measured + warm_ups)
    about: UploadCircumstances = {
        **told,
        "design": study.design(),
        "failed": study.discarded(),
        "ran_by": _ran_by(measured),
    }
    return table(measured, warm_ups), about


def _ran_by(measured: Sequence[Measurement]) -> dict[str, str]:
    """Versions by name, but the code's; where sessions differ, all of them."""
    found: dict[str, set[str]] = {}
    for one in measured:
        for name, version in one.versions.items():
            found.setdefault(name, set()).add(version)
    return {name: " and ".join(sorted(some)) for name, some in found.items() if name != "code"}


def table(measured: Sequence[Measurement], warm_ups: Sequence[Measurement] = ()) -> "pd.DataFrame":
    """Return a row an upload, with the `COLUMNS`."""
    return make_table(COLUMNS, measured, warm_ups, lambda one: one.uploads)
