"""Whether a version is as good as the one before, by what was seen of both."""

from collections.abc import Iterable
from dataclasses import dataclass

from podline.fleet import latencies
from podline.fleet.rollout import Measure, Strategy
from podline.fleet.status import ModelStatus

_SLACK = 0.005  # seconds: a difference of less is noise
_FOR_P99 = 500  # requests that make it say something
_FOR_QUALITY = 20  # labels that make it say something


@dataclass(frozen=True)
class Verdict:
    """What is decided: whether the version is `good`, and why, in a sentence."""

    good: bool
    why: str


def measure(version: int, seen: Iterable[tuple[ModelStatus | None, ModelStatus]]) -> Measure:
    """How a version did on nodes between two looks at each.

    Args:
        version: its number.
        seen: what each node said at first (None: nothing counted yet), and later. A node that does
            not answer with the version is passed over.
    """
    windows = [_window(version, *pair) for pair in seen if pair[1].version == version]
    labels = sum(window.labels for window in windows)
    off = sum(window.error * window.labels for window in windows)
    counts = latencies.added(window.latencies for window in windows)
    return Measure(
        nodes=len(windows),
        requests=sum(window.requests for window in windows),
        errors=sum(window.errors for window in windows),
        p50=latencies.quantile(counts, 0.5),
        p99=latencies.quantile(counts, 0.99),
        labels=labels,
        error=off / labels if labels else None,
    )


@dataclass(frozen=True)
class _Window:
    requests: int
    errors: int
    latencies: dict[int, int]
    labels: int
    error: float


def _window(version: int, first: ModelStatus | None, last: ModelStatus) -> _Window:
    quality = last.quality.get(version)
    labels, error = (quality.labels, quality.error) if quality else (0, 0.0)
    if first is None or first.version != version or first.requests > last.requests:
        return _Window(last.requests, last.errors, last.latencies, labels, error)
    before = first.quality.get(version)
    if before and before.labels < labels:
        off = error * labels - before.error * before.labels
        labels, error = labels - before.labels, off / (labels - before.labels)
    elif before:
        labels, error = 0, 0.0
    return _Window(
        last.requests - first.requests,
        last.errors - first.errors,
        latencies.since(last.latencies, first.latencies),
        labels,
        error,
    )


def early(new: Measure, old: Measure, strategy: Strategy) -> Verdict | None:
    """What can be decided at once: that it fails too often.

    Args:
        new: how the new version did.
        old: how the one before did.
        strategy: what it must keep to.
    """
    if new.errors and new.requests >= strategy.requests:
        allowed = _share(old) + strategy.errors
        if _share(new) > allowed:
            return Verdict(
                False,
                f"it failed {_share(new):.1%} of its {new.requests} requests, and the one before "
                f"{_share(old):.1%} of {old.requests}: {strategy.errors:.1%} more are allowed",
            )
    return None


def judge(new: Measure, old: Measure, strategy: Strategy) -> Verdict:
    """What is decided at the end of the time for which it was watched.

    Args:
        new: how the new version did.
        old: how the one before did.
        strategy: what it must keep to.
    """
    if worse := early(new, old, strategy):
        return worse
    if new.requests < strategy.requests:
        return Verdict(
            False,
            f"it had {new.requests} requests within {strategy.limit:g} s, and is judged by "
            f"{strategy.requests} at least",
        )
    if slow := _slower(new, old, strategy):
        return Verdict(False, slow)
    if off := _further_off(new, old, strategy):
        return Verdict(False, off)
    return Verdict(True, _praise(new, old))


def _slower(new: Measure, old: Measure, strategy: Strategy) -> str:
    few = min(new.requests, old.requests) < _FOR_P99
    for name, mine, theirs in (("50 %", new.p50, old.p50), ("99 %", new.p99, old.p99)):
        if mine is None or theirs is None or (name == "99 %" and few):
            continue
        if mine > strategy.latency * theirs + _SLACK:
            return (
                f"it answered {name} of its {new.requests} requests within {_ms(mine)}, and the "
                f"one before within {_ms(theirs)}: {strategy.latency:g} times as long is allowed"
            )
    return ""


def _further_off(new: Measure, old: Measure, strategy: Strategy) -> str:
    if new.error is None or old.error is None or min(new.labels, old.labels) < _FOR_QUALITY:
        return ""
    if new.error <= strategy.quality * old.error:
        return ""
    return (
        f"its answers were off by {new.error:.3g} on {new.labels} labels, and those of the one "
        f"before by {old.error:.3g} on {old.labels}: {strategy.quality:g} times as far is allowed"
    )


def _praise(new: Measure, old: Measure) -> str:
    said = [f"it failed {_share(new):.1%} of its {new.requests} requests"]
    if new.p50 is not None and new.p99 is not None:
        said.append(f"answered 50 % within {_ms(new.p50)} and 99 % within {_ms(new.p99)}")
    if new.error is not None:
        said.append(f"was off by {new.error:.3g} on {new.labels} labels")
    if not old.requests:
        return f"{', '.join(said)}; there was nothing to compare it with"
    than = [f"{_share(old):.1%} of {old.requests}"]
    if old.p50 is not None and old.p99 is not None:
        than.append(f"{_ms(old.p50)} and {_ms(old.p99)}")
    if old.error is not None:
        than.append(f"{old.error:.3g} on {old.labels} labels")
    return f"{', '.join(said)}; the one before: {', '.join(than)}"


def _share(measured: Measure) -> float:
    return measured.errors / measured.requests if measured.requests else 0.0


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
