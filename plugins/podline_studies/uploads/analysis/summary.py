"""What an upload study found, point by point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from podline_studies.uploads.analysis.points import Compared, check_uploads, compare, pair


@dataclass(frozen=True)
class Summary:
    """What was found: the uploads that count, their pairs, and each point compared."""

    about: Mapping[str, Any]
    uploads: pd.DataFrame
    pairs: pd.DataFrame
    compared: Sequence[Compared]


def summarise(uploads: pd.DataFrame, about: Mapping[str, Any]) -> Summary:
    """Pair the uploads and compare the stores; see `make_report`."""
    counted = check_uploads(uploads)
    cluster, machine = about["stores"]
    pairs = pair(counted, cluster, machine)
    return Summary(about, counted, pairs, compare(counted, pairs, cluster, machine))
