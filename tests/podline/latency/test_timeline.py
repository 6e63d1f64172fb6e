"""From what was seen of a try to its phases."""

from dataclasses import replace

import pytest

from podline.contract import CellTime, HeadNote, Phase, StageResult
from podline.latency import timeline
from podline.latency.observations import Moments, Observed, PodAhead, PodTimes, Pull
from podline.latency.record import Skew
from tests.support.latency import stage_result

START, END = 1000.0, 1003.0
NO_SKEW = Skew()


def a_result(started: float, **seconds: float) -> StageResult:
    phases, at = [], 0.0
    for name, length in seconds.items():
        phases.append(Phase(name, at, length))
        at += length
    return stage_result(tuple(phases), (CellTime(3, 0.4, 0.5),), started=started)


def a_pod(**changes: object) -> Observed:
    moments = Moments(
        execute=1000.1, created=1000.2, bound=1000.25, running=1000.6, stored=1002.0, heard=1002.1
    )
    seen = Observed(moments, backend="kubernetes", pull=Pull(0.05))
    seen.result = a_result(1000.5, boot=0.2, code=1.0, store=0.25)
    for name, value in changes.items():
        setattr(seen, name, value)
    return seen


def lengths(seen: Observed, skew: Skew = NO_SKEW) -> dict[str, float]:
    phases = timeline.stage_phases(START, END, seen, skew)
    at = 0.0
    for phase in phases:
        assert phase.start == pytest.approx(at, abs=1e-6), phase
        assert phase.seconds >= 0
        at = phase.start + phase.seconds
    assert at == pytest.approx(END - START, abs=1e-6)
    return {phase.name: round(phase.seconds, 3) for phase in phases}


def as_text(seconds: dict[str, float]) -> str:
    return " ".join(f"{name} {length:g}" for name, length in seconds.items())


def test_a_pod() -> None:
    assert as_text(lengths(a_pod())) == (
        "prepare 0.1 submit 0.1 schedule 0.05 pull 0.05 start 0.2 "
        "boot 0.2 code 1 store 0.3 notice 0.1 finish 0.9"
    )


def test_a_process() -> None:
    seen = a_pod(backend="process", pull=None)
    seen.moments.created = 1000.49
    assert as_text(lengths(seen)) == (
        "prepare 0.1 submit 0.39 boot 0.21 code 1 store 0.3 notice 0.1 finish 0.9"
    )


def test_an_image_that_took_several_attempts() -> None:
    found = lengths(a_pod(pull=Pull(0.01, until=1000.4)))
    assert (found["pull"], found["start"]) == (0.15, 0.1)


def test_without_the_nodes_word_the_pull_is_a_part_of_the_start() -> None:
    found = lengths(a_pod(pull=None))
    assert "pull" not in found
    assert found["start"] == 0.25


@pytest.mark.parametrize(
    ("known", "last", "seconds"),
    [
        ((), "prepare", 3.0),
        (("execute",), "submit", 2.9),
        (("execute", "heard"), "submit", 2.0),
        (("execute", "created", "heard"), "schedule", 1.9),
        (("execute", "created", "bound", "heard"), "start", 1.85),
        (("execute", "created", "bound", "running", "heard"), "run", 1.5),
    ],
)
def test_a_try_that_failed_goes_as_far_as_it_came(
    known: tuple[str, ...], last: str, seconds: float
) -> None:
    seen = a_pod(result=None, pull=None)
    moments = seen.moments.known()
    seen.moments = Moments(**{name: moments[name] for name in known})
    found = lengths(seen)
    ends = ("notice", "finish")
    assert [name for name in found if name not in ends][-1] == last
    assert found[last] == seconds


def test_an_image_that_did_not_come() -> None:
    seen = a_pod(result=None, pull=Pull(None))
    seen.moments.running = None
    found = lengths(seen)
    assert (found["pull"], found["start"]) == (1.85, 0)


def test_a_process_that_died() -> None:
    seen = a_pod(result=None, backend="process")
    assert lengths(seen)["run"] == 1.9


def test_a_process_that_died_is_known_as_far_as_it_said() -> None:
    seen = a_pod(result=None, backend="process", ended={"boot": 1000.5, "imports": 1001.5})
    found = lengths(seen)
    assert as_text(found) == (
        "prepare 0.1 submit 0.1 boot 0.3 imports 1 load 0.6 notice 0 finish 0.9"
    )


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (("execute",), "prepare 0.1 submit 2.9"),
        (("execute", "created"), "prepare 0.1 submit 0.1 schedule 2.8"),
        (("execute", "created", "bound"), "prepare 0.1 submit 0.1 schedule 0.05 start 2.75"),
        (
            ("execute", "created", "bound", "running"),
            "prepare 0.1 submit 0.1 schedule 0.05 start 0.35 boot 0.2 fetch 0.2 imports 2",
        ),
        (
            ("execute", "created", "bound", "running", "heard"),
            "prepare 0.1 submit 0.1 schedule 0.05 start 0.35 boot 0.2 fetch 0.2 imports 1.1 notice 0 finish 0.9",
        ),
    ],
)
def test_the_last_phase_of_what_goes_on_is_the_one_that_it_is_at(
    known: tuple[str, ...], said: str
) -> None:
    seen = a_pod(result=None, pull=None)
    moments = seen.moments.known()
    seen.moments = Moments(**{name: moments[name] for name in known})
    if "running" in known:
        seen.ended = {"boot": 1000.8, "fetch": 1001.0}
    found = {phase.name: phase.seconds for phase in timeline.so_far(START, END, seen)}
    assert as_text(found) == said


def test_what_only_the_pods_status_tells_is_known_to_a_second() -> None:
    seen = a_pod()
    seen.moments.bound = None
    seen.status = PodTimes(bound=1000.0)
    phases = {p.name: p for p in timeline.stage_phases(START, END, seen, NO_SKEW)}
    assert (phases["schedule"].source, phases["schedule"].precision) == ("status", 1.0)
    assert phases["schedule"].seconds == 0  # not before it was created


def test_a_deferred_try() -> None:
    seen = a_pod(deferred=True)
    seen.moments.triggered, seen.moments.resumed = 1000.7, 1002.6
    found = lengths(seen)
    assert (found["defer"], found["notice"], found["resume"], found["finish"]) == (0, 0.1, 0.5, 0.4)
    seen.moments.triggered = 1002.08  # the pod had ended before its trigger ran
    found = lengths(seen)
    assert (found["defer"], found["notice"]) == (0.08, 0.02)


def test_a_deferred_try_whose_trigger_was_lost() -> None:
    assert lengths(Observed(Moments(resumed=1002.5), deferred=True)) == {
        "defer": 2.5,
        "finish": 0.5,
    }


def test_an_adopted_pod_is_clipped_to_the_try() -> None:
    seen = a_pod(status=PodTimes(created=990.0, bound=990.0, running=991.0), pull=None)
    seen.result = a_result(991.2, boot=0.2, code=10.0, store=0.25)
    seen.moments = Moments(execute=1000.1, adopted=1000.2, stored=1001.7, heard=1002.1)
    found = lengths(seen)
    assert [found[name] for name in ("schedule", "start", "boot")] == [0, 0, 0]
    assert found["code"] == 1.2
    before, after = timeline.outside(START, END, seen)
    assert [(phase.name, phase.start, phase.seconds) for phase in before] == [("adopted", -10, 10)]
    assert not after


def test_a_pod_that_was_made_ahead() -> None:
    """What was before its claim is apart, and not in the phases, which sum up all the same."""
    seen = a_pod(ahead=PodAhead(990.0, 1000.2, {"cpu": "500m", "memory": "1Gi"}))
    seen.moments = replace(seen.moments, bound=1000.2, created=1000.2)
    seen.result = replace(
        a_result(1000.25, boot=0.01, code=1.0, store=0.25), ahead=HeadNote(990.2, 995.0)
    )
    found = lengths(seen)
    assert [*found][:4] == ["prepare", "submit", "start", "boot"]
    assert found["start"] == pytest.approx(0.05)
    assert sum(found.values()) == pytest.approx(END - START, abs=1e-6)
    ahead = timeline.ahead_of(seen, NO_SKEW)
    assert ahead is not None
    assert (ahead.made, ahead.begun, ahead.ready, ahead.claimed) == (990.0, 990.2, 995.0, 1000.2)
    assert ahead.idle == pytest.approx(5.2)
    assert ahead.cpu_seconds == pytest.approx(0.5 * 10)
    assert ahead.byte_seconds == pytest.approx(2**30 * 10)
    assert timeline.ahead_of(a_pod(), NO_SKEW) is None


def test_the_cleanup_comes_after_the_end() -> None:
    seen = a_pod()
    seen.moments.deleting, seen.moments.deleted = 1003.1, 1003.2
    _, after = timeline.outside(START, END, seen)
    assert [(phase.name, phase.start, phase.seconds) for phase in after] == [("cleanup", 3.1, 0.1)]
    seen.moments.deleting = 1002.0  # of a failed stage: within the try
    assert timeline.outside(START, END, seen) == ([], [])


# --- clocks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "estimate"),
    [(0.0, 0.0), (0.05, 0.0), (5.0, 4.9), (-5.0, -5.1)],  # the message took 0.1 s
)
def test_the_clock_of_the_pod_is_moved_where_it_must_be_off(ahead: float, estimate: float) -> None:
    seen = a_pod()
    assert seen.result
    seen.result = a_result(seen.result.started + ahead, boot=0.2, code=1.0, store=0.25)
    assert seen.moments.stored
    seen.moments.stored += ahead
    skew = timeline.clock_skew(seen)
    assert skew.seconds == pytest.approx(estimate)
    assert skew.low is not None
    assert skew.high is not None
    assert skew.low <= ahead <= skew.high
    found = lengths(seen, skew)
    assert found["code"] == 1.0
    assert found["boot"] == 0.2


def test_times_that_contradict_each_other_stay_contiguous() -> None:
    seen = a_pod()
    assert seen.result
    seen.result = a_result(2000.0, boot=0.2, code=1.0, store=0.25)
    found = lengths(seen)  # the stage's times lie after the try
    assert found["code"] == 0
    seen.moments.heard = 900.0
    lengths(seen)


# --- tasks that are no stages -------------------------------------------------------------------


def test_a_plain_task() -> None:
    phases = timeline.task_phases(START, END, 1000.2, PodTimes())
    assert [(p.name, p.seconds) for p in phases] == [("prepare", 0.2), ("run", 2.8)]


def test_a_task_that_failed_before_its_own_work() -> None:
    assert [p.name for p in timeline.task_phases(START, END, None, PodTimes())] == [
        "prepare",
        "run",
    ]


def test_a_stock_pod() -> None:
    pod = PodTimes(created=1000.0, bound=1000.0, running=1001.0, ended=1002.0)
    phases = timeline.task_phases(START, END, 1000.2, pod)
    assert as_text({phase.name: phase.seconds for phase in phases}) == (
        "prepare 0.2 submit 0 schedule 0 start 0.8 run 1 notice 1"
    )
    assert [phase.precision for phase in phases] == [0.001, 1, 1, 1, 1, 0.001]
