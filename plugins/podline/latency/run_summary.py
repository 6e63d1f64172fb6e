"""What records say together: totals, the critical path, and how a run compares with those before.

Knows neither Airflow nor a database.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

from podline.latency.record import Record
from podline.phases import OUTSIDE, OWN, PHASES, PhaseName

_SLOW = 0.25  # of the median by which a phase must be longer to be called slow,
_SLOW_SECONDS = 0.2  # and seconds
_FEW = 3  # runs, from which on there is something to compare with


@dataclass(frozen=True)
class Percentiles:
    """The distribution of some seconds: how many there are, and their quantiles."""

    n: int
    p10: float
    p50: float
    p90: float


@dataclass(frozen=True)
class Step:
    """A stage of the critical path, and how long it waited for the one before (seconds)."""

    task_id: str
    map_index: int
    try_number: int
    waited: float
    seconds: float


@dataclass(frozen=True)
class Slow:
    """A phase that took longer than this DAG's runs before; seconds."""

    task_id: str
    phase: str
    seconds: float
    usual: Percentiles


def percentiles(values: Iterable[float]) -> Percentiles:
    """Return quantiles by linear interpolation (Hyndman and Fan's type 7).

    Raises:
        ValueError: there are no values.
    """
    known = list(values)
    if not known:
        raise ValueError("no values")
    # One value alone is all of its quantiles; before Python 3.13, `quantiles` asks for two.
    parts = quantiles(known * 2 if len(known) == 1 else known, n=10, method="inclusive")
    return Percentiles(len(known), *(round(parts[place], 6) for place in (0, 4, 8)))


def spread(values: Iterable[float | None]) -> Percentiles | None:
    """Return the quantiles of those values that are known; None: none is."""
    known = [value for value in values if value is not None]
    return percentiles(known) if known else None


def by_run(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records of each run, by its id."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        found[record.run_id].append(record)
    return dict(found)


def totals(records: Iterable[Record]) -> dict[PhaseName, float]:
    """Return the seconds of each phase over all tries, in the order of the phases."""
    sums: dict[PhaseName, float] = defaultdict(float)
    for record in records:
        for phase in record.phases:
            sums[phase.name] += phase.seconds
    return {name: round(sums[name], 6) for name in PHASES if name in sums}


def overhead_share(records: Iterable[Record]) -> float | None:
    """Return the part of tries' durations that is not the user's own work; None: nothing known."""
    whole = own = 0.0
    for record in records:
        if is_whole(record):
            whole += record.duration
            own += record.seconds(*OWN)
    return round(1 - own / whole, 6) if whole else None


def is_whole(record: Record) -> bool:
    """Whether a record says where the time of its try went."""
    return record.end is not None and any(phase.name not in OUTSIDE for phase in record.phases)


def last_tries(records: Iterable[Record]) -> list[Record]:
    """Return the last try of each task instance."""
    ordered = sorted(records, key=lambda record: record.order)
    return list({(r.run_id, r.task_id, r.map_index): r for r in ordered}.values())


def critical_path(records: Iterable[Record]) -> list[Step]:
    """Return the chain of a run's task instances that its end waited for, the first one first.

    Each is the one among those that the next waited for which ended last.
    """
    known = [r for r in last_tries(records) if r.end is not None and r.start is not None]
    ended = {record.task_id: record for record in sorted(known, key=_end)}
    here = max(ended.values(), key=_end, default=None)
    path: list[Step] = []
    while here is not None and len(path) < len(ended):
        parents = [ended[task] for task in here.upstream if task in ended]
        parent = max(parents, key=_end, default=None)
        since = here.run_start if parent is None else parent.end
        start = here.start or 0.0
        waited = max(0.0, start - since) if since is not None else 0.0
        times = round(waited, 6), round(here.duration, 6)
        path.append(Step(here.task_id, here.map_index, here.try_number, *times))
        here = parent
    return path[::-1]


def _end(record: Record) -> float:
    return record.end or 0.0


def usual(records: Iterable[Record]) -> dict[str, dict[str, Percentiles]]:
    """Return the distribution of each phase of each task, over the tries that succeeded."""
    seconds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record.state == "success" and is_whole(record):
            for phase in record.phases:
                seconds[record.task_id][phase.name].append(phase.seconds)
    return {
        task: {name: percentiles(phases[name]) for name in PHASES if name in phases}
        for task, phases in seconds.items()
    }


def slow_phases(
    records: Sequence[Record], before: Mapping[str, Mapping[str, Percentiles]]
) -> list[Slow]:
    """Return what took longer than usual, by the seconds lost.

    A phase is slow if it is above the 90th percentile of the runs before, and above their median
    by a quarter and by 0.2 s.

    Args:
        records: of the run.
        before: of `usual`, over earlier runs.
    """
    found = []
    for record in records:
        for phase in record.phases:
            known = before.get(record.task_id, {}).get(phase.name)
            if known is None or known.n < _FEW:
                continue
            over = phase.seconds - known.p50
            if phase.seconds > known.p90 and over > max(_SLOW_SECONDS, _SLOW * known.p50):
                found.append(Slow(record.task_id, phase.name, phase.seconds, known))
    return sorted(found, key=lambda slow: slow.usual.p50 - slow.seconds)


def run_seconds(records: Sequence[Record]) -> float | None:
    """Return a run's wall time: from its start to its last task's end; None: nothing ended."""
    ends = [record.end for record in records if record.end is not None]
    starts = [record.run_start or record.start for record in records]
    known = [start for start in starts if start is not None]
    return round(max(ends) - min(known), 6) if ends and known else None
