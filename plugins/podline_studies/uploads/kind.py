"""Studies of whether a model uploads to a cluster as fast as to a virtual machine."""

from typing import TYPE_CHECKING

from podline_studies.study import Kind, Study
from podline_studies.uploads.batch import Measurement
from podline_studies.uploads.design import Design

if TYPE_CHECKING:
    from podline_studies.reports.page import Report


def _make_report(study: Study[Design, Measurement]) -> "Report":
    from podline_studies.uploads.frames import tables
    from podline_studies.uploads.report.report import make_report

    return make_report(*tables(study))


UPLOADS = Kind("uploads", "upload_benchmark", Design, Measurement, _make_report)
