"""Studies of how long a model's new version takes to answer at an edge."""

from typing import TYPE_CHECKING

from podline_studies.study import Kind, Study
from podline_studies.updates.batch import Measurement
from podline_studies.updates.design import Design

if TYPE_CHECKING:
    from podline_studies.reports.page import Report


def _make_report(study: Study[Design, Measurement]) -> "Report":
    from podline_studies.updates.frames import tables
    from podline_studies.updates.report.report import make_report

    return make_report(*tables(study))


UPDATES = Kind("updates", "update_benchmark", Design, Measurement, _make_report)
