"""What was measured over a delay link, between two probes of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from podline.contract import Json
from podline_studies.uploads.delay_link.control import LinkStats
from podline_studies.uploads.delay_link.probe import Probe

if TYPE_CHECKING:
    import pandas as pd

_MeasuredT = TypeVar("_MeasuredT")
_PartT = TypeVar("_PartT")


@dataclass(frozen=True, kw_only=True)
class LinkMeasurement(Json):
    """A batch that was made over a link.

    Attributes:
        before, after: the link as it was measured; None: the batch failed.
        link: what the link's process says of it; empty where that is none of ours.
        busy: share of the machine's processors that was taken beside the batch; None: not known.
        failure: why it does not count; empty: it does.
    """

    before: Probe | None = None
    after: Probe | None = None
    link: LinkStats = field(default_factory=LinkStats)
    busy: float | None = None
    failure: str = ""

    @property
    def probes(self) -> tuple[Probe, Probe]:
        """The link before and after, of a batch that did not fail."""
        assert self.before is not None
        assert self.after is not None
        return self.before, self.after

    @property
    def trouble(self) -> str:
        """Why it does not count; empty: it does."""
        return self.failure


def make_table(
    columns: Mapping[str, Callable[[_MeasuredT, _PartT], object]],
    measured: Sequence[_MeasuredT],
    warm_ups: Sequence[_MeasuredT],
    parts: Callable[[_MeasuredT], Iterable[_PartT]],
) -> "pd.DataFrame":
    """Return a row each of what batches are made of; those to warm up come last.

    Args:
        columns: by name, what gives a value; `warmup`, which is one of them, is said here.
        measured: the batches that count.
        warm_ups: those that do not.
        parts: gives what a batch is made of.
    """
    import pandas as pd

    counted, others = (
        [[column(one, part) for column in columns.values()] for one in of for part in parts(one)]
        for of in (measured, warm_ups)
    )
    frame = pd.DataFrame(counted + others, columns=pd.Index(columns))
    frame["warmup"] = frame.index >= len(counted)
    return frame
