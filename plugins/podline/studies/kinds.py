"""The kinds of studies."""

from typing import Any

from podline.studies.keeping import Kind, StudyError
from podline.studies.overhead.design import Design as OverheadDesign
from podline.studies.overhead.measuring import Measurement as OverheadMeasurement
from podline.studies.uploads.design import Design as UploadsDesign
from podline.studies.uploads.measuring import Measurement as UploadsMeasurement

OVERHEAD = Kind("overhead", OverheadDesign, OverheadMeasurement)
UPLOADS = Kind("uploads", UploadsDesign, UploadsMeasurement)
KINDS: dict[str, Kind[Any, Any]] = {kind.name: kind for kind in (OVERHEAD, UPLOADS)}


def kind_of(name: str) -> Kind[Any, Any]:
    """The kind of a name.

    Raises:
        StudyError: there is none.
    """
    if name not in KINDS:
        raise StudyError(f"there are no studies of {name!r}: give {' or '.join(KINDS)}")
    return KINDS[name]
