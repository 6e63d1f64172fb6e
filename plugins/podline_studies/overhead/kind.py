"""Studies of what Kubernetes and the pipeline cost over running a notebook itself."""

from typing import TYPE_CHECKING

from podline_studies.overhead.design import Design
from podline_studies.overhead.measurement import Measurement
from podline_studies.study import Kind, Study

if TYPE_CHECKING:
    from podline_studies.reports.page import Report


def _make_report(study: Study[Design, Measurement]) -> "Report":
    from podline_studies.overhead.frames import tables
    from podline_studies.overhead.report.report import make_report

    return make_report(*tables(study))


OVERHEAD = Kind("overhead", "overhead_sweep", Design, Measurement, _make_report)
