"""The kinds of studies that there are."""

from typing import Any

from podline_studies.overhead.kind import OVERHEAD
from podline_studies.study import Kind, StudyError
from podline_studies.updates.kind import UPDATES
from podline_studies.uploads.kind import UPLOADS

KINDS: dict[str, Kind[Any, Any]] = {kind.name: kind for kind in (OVERHEAD, UPLOADS, UPDATES)}


def kind_of(name: str) -> Kind[Any, Any]:
    """The kind of a name.

    Raises:
        StudyError: there is none.
    """
    if name not in KINDS:
        raise StudyError(f"there are no studies of {name!r}: give {' or '.join(KINDS)}")
    return KINDS[name]


def kind_of_dag(dag_id: str) -> Kind[Any, Any] | None:
    """The kind of studies that a DAG measures; None: it measures none."""
    return next((kind for kind in KINDS.values() if kind.dag_id == dag_id), None)
