"""What records say together: totals, the critical path, and how a run compares with those before.

Knows neither Airflow nor a database.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import quantiles

from podline.latency.change_point import FEW, is_more, last_change
from podline.latency.record import Record
from podline.phases import OUTSIDE, OWN, PHASES, PhaseName


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
    """A phase that took longer than it used to.

    Attributes:
        seconds: that it took; of a mapped task, its slowest instance.
        usual: the seconds of the runs before it became slow.
        since_run_id, since: the run since which it is, and that one's start (epoch).
        runs: how many runs that are, up to this one.
    """

    task_id: str
    phase: PhaseName
    seconds: float
    usual: Percentiles
    since_run_id: str
    since: float | None
    runs: int


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


def slow_phases(records: Sequence[Record], before: Iterable[Record]) -> list[Slow]:
    """Return what takes longer than it used to, by the seconds lost.

    A phase is slow if it came to a higher level, in this run or in one of those before.

    Args:
        records: of the run.
        before: of earlier runs.
    """
    found = []
    known = _by_start(before)
    longest = [_longest(run) for run in known]
    for (task, name), length in _longest(records).items():
        past = [(at, run[task, name]) for at, run in enumerate(longest) if (task, name) in run]
        lengths = [seconds for _, seconds in past]
        # Most are not, which is quickly seen.
        if len(past) < FEW or not is_more(length, min(lengths)):
            continue
        begun = last_change([*lengths, length])
        if begun == 0 or not is_more(length, (usual := percentiles(lengths[:begun])).p50):
            continue
        first = (known[past[begun][0]] if begun < len(past) else records)[0]
        runs = len(past) - begun + 1
        found.append(Slow(task, name, length, usual, first.run_id, first.run_start, runs))
    return sorted(found, key=lambda slow: slow.usual.p50 - slow.seconds)


def usual_for(record: Record, before: Iterable[Record]) -> dict[str, Percentiles]:
    """Return how long each phase of a task took before it came to the level that it is at.

    Args:
        record: of the try.
        before: of earlier runs.
    """
    runs = _by_start(known for known in before if known.task_id == record.task_id)
    found: dict[str, Percentiles] = {}
    for name in PHASES:
        lengths = [[r.seconds(name) for r in run if r.has(name)] for run in runs]
        known = [seconds for seconds in lengths if seconds]
        if not known:
            continue
        here = [record.seconds(name)] if record.has(name) else []
        begun = last_change([*map(max, known), *here])
        usual = known[:begun] or known
        found[name] = percentiles(second for seconds in usual for second in seconds)
    return found


def usual_seconds(records: Sequence[Record], before: Iterable[Record]) -> Percentiles | None:
    """Return how long runs took before they came to the level of this one; None: unknown.

    Args:
        records: of the run.
        before: of earlier runs.
    """
    lengths = [length for run in _by_start(before) if (length := run_seconds(run)) is not None]
    here = run_seconds(records)
    begun = 0 if here is None else last_change([*lengths, here])
    return spread(lengths[:begun] or lengths)


def _by_start(records: Iterable[Record]) -> list[list[Record]]:
    """The tries of each run that succeeded, the oldest run first."""
    good = (record for record in records if record.state == "success" and is_whole(record))
    return sorted(by_run(good).values(), key=lambda run: run[0].run_start or 0.0)


def _longest(records: Iterable[Record]) -> dict[tuple[str, PhaseName], float]:
    """How long each phase of each task took: of a mapped one, in its slowest instance."""
    found: dict[tuple[str, PhaseName], float] = {}
    for record in records:
        for phase in record.phases:
            key = record.task_id, phase.name
            found[key] = max(found.get(key, 0.0), phase.seconds)
    return found


def run_seconds(records: Sequence[Record]) -> float | None:
    """Return a run's wall time: from its start to its last task's end; None: nothing ended."""
    ends = [record.end for record in records if record.end is not None]
    starts = [record.run_start or record.start for record in records]
    known = [start for start in starts if start is not None]
    return round(max(ends) - min(known), 6) if ends and known else None
