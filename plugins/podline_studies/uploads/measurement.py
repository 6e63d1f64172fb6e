"""What a visit came to: its uploads, verified, and the link as it was."""

from dataclasses import dataclass
from typing import Any

from podline.contract import Json
from podline_studies.uploads.batch import Upload
from podline_studies.uploads.delay_link.probe import Probe
from podline_studies.uploads.design import Visit


@dataclass(frozen=True)
class Measurement(Json):
    """A visit that was made.

    Attributes:
        sitting: which one it was made in.
        attempt: from 1; more where one before was disturbed or failed.
        started, ended: when (epoch).
        uploads: all of them; each was read back and is what was sent.
        before, after: the link as it was measured; None: the visit failed.
        link: what the link's process says of it; empty where that is none of ours.
        busy: share of the machine's processors that was taken after the uploads; None: not known.
        failure: why it does not count; empty: it does.
    """

    visit: Visit
    sitting: int
    attempt: int
    started: float
    ended: float
    uploads: tuple[Upload, ...]
    before: Probe | None
    after: Probe | None
    link: dict[str, Any]
    busy: float | None
    failure: str

    @property
    def index(self) -> int:
        """Of the visit."""
        return self.visit.index

    @property
    def trouble(self) -> str:
        """Why it does not count; empty: it does."""
        return self.failure

    def __str__(self) -> str:
        return f"{len(self.uploads)} uploads"
