"""Numbers and names as a reader wants them: three digits, a unit, an interval with its n."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from podline_studies.reports.estimates import Estimate
from podline_studies.reports.regression import Interval

SPACE = "\N{NO-BREAK SPACE}"
_SHOWN = 12  # values that are listed one by one

Format = Callable[[float], str]


def number(value: float) -> str:
    """Three digits: ``0.123``, ``12.3``, ``1,230``; unknown: a dash."""
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    rounded = float(f"{abs(value):.3g}")  # or 0.9996 would be 1.000
    digits = max(0, 2 - math.floor(math.log10(rounded)))
    text = f"{value:,.{min(digits, 3)}f}"
    return text.replace("-", "−")


def seconds(value: float) -> str:
    """``12.3 s``; unknown: a dash."""
    if not math.isfinite(value):
        return "–"
    return f"{number(value)}{SPACE}s"


def milliseconds(value: float) -> str:
    """Seconds as they were chosen: ``20 ms``."""
    return f"{value * 1000:g}{SPACE}ms"


def percent(share: float) -> str:
    """``12.3 %``; two digits are enough below ten."""
    if not math.isfinite(share):
        return "–"
    value = 100 * share
    text = f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.1f}"
    return f"{text.replace('-', '−')}{SPACE}%"


def size(value: float) -> str:
    """A count as it was chosen: ``10 k``, ``1.5 M``; unknown: ``default``."""
    if not math.isfinite(value):
        return "default"
    return _scaled(float(f"{value:.3g}")).strip(SPACE)  # or 999,999 would be 1000 k


def data_bytes(value: float) -> str:
    """``1.2 GB``, by powers of ten; unknown: a dash."""
    if not math.isfinite(value):
        return "–"
    return f"{_scaled(value)}B"


def _scaled(value: float) -> str:
    for power, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= power:
            return f"{value / power:.3g}{SPACE}{prefix}"
    return f"{value:.3g}{SPACE}"


def estimate(found: Estimate | None, form: Format) -> str:
    """A mean with its interval; with too few values for one, all of them."""
    if found is None:
        return "–"
    if not found.n:
        return "not measured"
    if found.low is not None and found.high is not None:
        return f"{form(found.mean)} ({form(found.low)} to {form(found.high)})"
    listed = ", ".join(form(value) for value in found.values[:_SHOWN])
    return form(found.mean) if found.n == 1 else f"{form(found.mean)} (each: {listed})"


def interval(found: Interval | None, form: Format) -> str:
    """A value with the ends of its interval."""
    if found is None:
        return "–"
    return f"{form(found.value)} ({form(found.low)} to {form(found.high)})"


def listed(texts: Sequence[str]) -> str:
    """``a, b and c``."""
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def count(number: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def finite(value: float | None) -> float | None:
    """A number as JSON can have it: to six digits behind the point; NaN becomes None."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
