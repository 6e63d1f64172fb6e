"""The update study's measurements as a table, whose columns stand here alone."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from podline_studies.reports.provenance import Circumstances
from podline_studies.study import Study, circumstances
from podline_studies.updates.batch import PARTS, Measurement, Update
from podline_studies.updates.design import Design
from podline_studies.uploads.delay_link.measurement import make_table
from podline_studies.uploads.design import in_bytes

if TYPE_CHECKING:
    import pandas as pd


def _part(name: str) -> Callable[[Measurement, Update], object]:
    return lambda _, update: update.parts[name]


# Times are in seconds; what is not known becomes NaN.
COLUMNS: dict[str, Callable[[Measurement, Update], object]] = {
    "index": lambda of, _: of.index,
    "sitting": lambda of, _: of.sitting,
    "attempt": lambda of, _: of.attempt,
    "warmup": lambda *_: False,  # `table` says where it does not count
    "store": lambda of, _: of.batch.store,
    "rtt": lambda of, _: of.batch.rtt,  # as it was asked for
    "rate": lambda of, _: of.batch.rate,
    "round": lambda of, _: of.batch.round,
    "what": lambda _, update: in_bytes(update.size),
    "size": lambda _, update: update.size,
    "form": lambda _, update: update.form,
    "way": lambda _, update: update.way,
    "repeat": lambda _, update: update.repeat,
    "bytes": lambda _, update: update.bytes,
    "seconds": lambda _, update: update.seconds,
    **{part: _part(part) for part in PARTS},
    "asked": lambda _, update: update.asked,
    "refused": lambda _, update: update.refused,
    "link_rtt": lambda of, _: sum(probe.rtt for probe in of.probes) / 2,
    "goodput": lambda of, _: max(probe.goodput for probe in of.probes),
    "congestion": lambda of, _: of.probes[0].congestion,
    "busy": lambda of, _: of.busy,
    "late_p99_s": lambda of, _: of.link.late_p99_s,
}


class UpdateCircumstances(Circumstances):
    """How an update study was measured.

    Attributes:
        design: what was planned.
        failed: what failed or was disturbed.
    """

    design: Design
    failed: Sequence[Measurement]


def tables(study: Study[Design, Measurement]) -> tuple["pd.DataFrame", UpdateCircumstances]:
    """Return a study's updates as a table, and how it was measured."""
    measured, warm_ups = study.measurements(), study.warm_ups()
    told = circumstances(study, measured + warm_ups)
    about: UpdateCircumstances = {**told, "design": study.design(), "failed": study.discarded()}
    return table(measured, warm_ups), about


def table(measured: Sequence[Measurement], warm_ups: Sequence[Measurement] = ()) -> "pd.DataFrame":
    """Return a row an update, with the `COLUMNS`."""
    return make_table(COLUMNS, measured, warm_ups, lambda one: one.updates)
