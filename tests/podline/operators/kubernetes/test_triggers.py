"""The trigger of a deferred stage and the watch that it shares, without a cluster."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, TypeVar

import pytest

from podline.airflow_compat import Cluster
from podline.contract import RESULT_MARK
from podline.exceptions import StageError
from podline.operators.kubernetes import informer, pod_status, startup
from podline.operators.kubernetes.informer import PodInformer, Seen, shared_informer
from podline.operators.kubernetes.startup import Progress, Reconnection
from podline.operators.kubernetes.triggers import StageTrigger

T = TypeVar("T")
PREFIX = "runs/d/r/t/-1/1-aaaa"
STORED = ["1234", 1000.5]
NAMED = f"{RESULT_MARK} aaaa 1234 1000.500000"
RUNNING = {"running": {}}
ENDED = {"terminated": {"exitCode": 0, "message": NAMED}}


def pod(state: dict[str, Any] | None = None, name: str = "p", **status: Any) -> dict[str, Any]:
    statuses = [{"name": "other", "state": {}}, {"name": "base", "state": state or {}}]
    return {
        "metadata": {"name": name, "resourceVersion": "1", "managedFields": ["long"]},
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "base", "image": "i", "env": [{"name": "X", "value": "secret"}]}
            ],
        },
        "status": {"phase": "Running", "containerStatuses": statuses, **status},
    }


def a_trigger(**changes: Any) -> StageTrigger:
    which = {"pod": "p", "namespace": "ns", "stage": "s", "prefix": PREFIX, "cluster": {}}
    return StageTrigger(**which | {"startup_seconds": 60, "created": time.time()} | changes)


def a_progress() -> tuple[Progress, list[str]]:
    said: list[str] = []
    return Progress("p", 60, said.append), said


# --- what a state means -------------------------------------------------------------------------


def test_an_outline_gives_the_same_sentences() -> None:
    dead = pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, phase="Failed")
    evicted = pod(phase="Failed", reason="Evicted", message="no  disk")
    waiting = pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}})
    condition = {"type": "PodScheduled", "status": "False", "message": "no room", "x": 1}
    pending = pod(phase="Pending", conditions=[condition, {"type": "Ready", "status": "True"}])
    for each in (dead, evicted, waiting, pending, pod(RUNNING), pod(ENDED)):
        short = pod_status.outline(each)
        assert "secret" not in json.dumps(short)
        assert pod_status.finding(short) == pod_status.finding(each)
        assert pod_status.ended(short) == pod_status.ended(each)
        assert pod_status.is_running(short) == pod_status.is_running(each)
        assert pod_status.has_ended(short) == pod_status.has_ended(each)
        assert pod_status.death(short, "s", "last") == pod_status.death(each, "s", "last")


def test_a_pod_of_others_with_our_label_does_no_harm() -> None:
    foreign = pod(phase="Pending")
    foreign["spec"]["containers"] = [{"name": "web", "image": "i"}]
    foreign["status"]["containerStatuses"] = None
    assert not pod_status.is_running(pod_status.outline(foreign))


def test_a_finding_is_said_once() -> None:
    course, said = a_progress()
    condition = {"type": "PodScheduled", "status": "False", "message": "no room"}
    full = pod(phase="Pending", conditions=[condition])
    course.see(full, 0.0)
    course.see(full, 0.0)
    assert said == ["no node has room for the pod: no room"]
    assert not course.started
    assert "did not start within 60 s: no node has room" in str(course.late())
    course.see(pod(RUNNING), 0.0)
    assert course.started
    assert str(course.gone()).endswith("ended by somebody else")


def test_what_a_watch_brings_is_noted_but_not_what_had_been_so_before() -> None:
    course, _ = a_progress()
    unbound = pod(phase="Pending")
    unbound["spec"]["nodeName"] = None
    for state, now in ((unbound, 1.0), (pod(phase="Pending"), 2.0), (pod(RUNNING), 3.0)):
        course.see(state, now)
        course.see(state, now + 0.5)
    assert course.moments.known() == {"bound": 2.0, "running": 3.0}
    late, _ = a_progress()
    late.see(pod(RUNNING), 3.0)
    assert late.moments.known() == {}


def test_it_is_said_once_that_nobody_has_begun_with_a_pod() -> None:
    course, said = a_progress()
    unbound = pod(phase="Pending")
    unbound["spec"]["nodeName"] = None
    course.see(unbound, 1.0)
    course.see(unbound, 5.0)
    assert course.quiet_until == 6
    course.say_unbegun()
    assert said == ["the cluster's scheduler has not looked at the pod p for 5 s; it is waited for"]
    course.see(unbound, 20.0)
    assert course.quiet_until == float("inf")
    course.see(pod(phase="Pending"), 21.0)
    assert course.quiet_until == 26
    assert "the node n1 has not begun with the pod p" in str(course.late())
    course.see(pod({"waiting": {"reason": "ContainerCreating"}}), 22.0)
    assert course.quiet_until == float("inf")


def test_a_final_finding_ends_it() -> None:
    course, _ = a_progress()
    with pytest.raises(StageError, match="cannot be pulled: not found"):
        course.see(pod({"waiting": {"reason": "ErrImagePull", "message": "not found"}}), 0.0)


def test_what_a_state_means_for_the_event() -> None:
    trigger, (course, _) = a_trigger(), a_progress()
    assert trigger.outcome(course, pod(), gone=False) is None
    assert trigger.outcome(course, pod(RUNNING), gone=False) is None
    assert trigger.outcome(course, pod(ENDED), gone=False) == {"stored": STORED}
    assert trigger.outcome(course, pod(ENDED), gone=True) == {"stored": STORED}
    other = {"terminated": {"exitCode": 0, "message": f"{RESULT_MARK} bbbb 1234 1000.5"}}
    assert trigger.outcome(course, pod(other), gone=False) is None
    over = pod(other, phase="Succeeded")
    assert trigger.outcome(course, over, gone=False) == {"ended": over}
    for last in (None, pod(RUNNING)):
        with pytest.raises(StageError, match="was deleted before its stage had ended"):
            trigger.outcome(course, last, gone=True)


def test_the_nearest_limit_counts() -> None:
    course, _ = a_progress()
    trigger = a_trigger(created=1000.0, until=1030.0)
    assert trigger._limit(course, None)[0] == 1030
    assert trigger._limit(course, (1010.0, pod(ENDED))) == (1020, {"ended": pod(ENDED)})
    trigger.until = None
    limit, otherwise = trigger._limit(course, None)
    assert limit == 1060
    assert "did not start" in otherwise["error"]
    course.started = True
    assert trigger._limit(course, None)[0] == float("inf")


def test_reconnection() -> None:
    reconnection = Reconnection()
    assert [reconnection.broke(now) for now in (0, 1, 2)] == [True, False, False]
    assert reconnection.wait > 0.2
    assert not reconnection.is_over(startup.SILENCE)
    assert reconnection.is_over(startup.SILENCE + 1)
    reconnection.worked()
    assert not reconnection.is_over(10 * startup.SILENCE)
    assert reconnection.broke(5000)
    assert not reconnection.is_over(5001)


# --- what is passed on --------------------------------------------------------------------------


def test_it_is_remade_from_what_it_serializes() -> None:
    trigger = a_trigger(cluster={"conn_id": "k8s"}, until=5.0)
    path, kwargs = trigger.serialize()
    assert path == "podline.operators.kubernetes.triggers.StageTrigger"
    assert StageTrigger(**json.loads(json.dumps(kwargs))).serialize() == (path, kwargs)
    assert len(json.dumps(kwargs)) < 300


def test_the_triggerer_loads_no_kubernetes_before_its_first_trigger() -> None:
    script = (
        "import sys, airflow.jobs.triggerer_job_runner, podline.operators.kubernetes.triggers as t\n"
        "trigger = t.StageTrigger(pod='p', namespace='n', stage='s', prefix='p', cluster={},\n"
        "    startup_seconds=1, created=1)\n"
        "found = [m for m in sys.modules if m.split('.')[0] in ('kubernetes', 'kubernetes_asyncio')]\n"
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


# --- the watch, with an API server that says what it is told to ---------------------------------


class Answer:
    status = 200

    def __init__(self, body: Any = None, lines: Iterable[Any] = (), stays: bool = False) -> None:
        self.body, self.lines, self.stays = body, lines, stays

    async def read(self) -> bytes:
        return json.dumps(self.body).encode()

    async def __aenter__(self) -> "Answer":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    @property
    async def content(self) -> AsyncIterator[bytes]:
        for line in self.lines:
            yield json.dumps(line).encode()
        if self.stays:
            await asyncio.sleep(60)


class Server:
    """Gives its answers in turn; the last one stays."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.deleted: list[str] = []

    async def list_namespaced_pod(self, namespace: str, **query: Any) -> Answer:
        self.asked.append(query)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Answer)
        return answer

    def count(self, watch: bool) -> int:
        return sum(query.get("watch", False) == watch for query in self.asked)


def listing(*pods: Any, more: str = "") -> Answer:
    return Answer({"items": pods, "metadata": {"resourceVersion": "7", "continue": more}})


def events(*listed: tuple[str, Any], stays: bool = False) -> Answer:
    return Answer(lines=[{"type": kind, "object": item} for kind, item in listed], stays=stays)


QUIET = events(stays=True)
TOO_OLD = ("ERROR", {"kind": "Status", "code": 410, "metadata": {}})


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Any:
    def by(*answers: Any) -> Server:
        server = Server(*answers)

        async def connect(self: PodInformer) -> Server:
            return server

        monkeypatch.setattr(PodInformer, "_connect", connect)
        return server

    return by


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 20))


async def event_of(trigger: StageTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        found: dict[str, Any] = event.payload
        return found
    raise AssertionError("no event")


async def later_event(pod: str) -> dict[str, Any]:
    """The event of a trigger that begins while another one waits."""
    first = asyncio.create_task(event_of(a_trigger()))
    await asyncio.sleep(0.05)
    found = await event_of(a_trigger(pod=pod))
    first.cancel()
    return found


def test_all_triggers_share_one_list_and_one_watch(serve: Any) -> None:
    names = [f"p{number}" for number in range(50)]
    half = len(names) // 2
    server = serve(
        listing(*(pod(RUNNING, n) for n in names[:half]), more="token"),
        listing(*(pod(RUNNING, n) for n in names[half:])),
        events(*(("MODIFIED", pod(ENDED, n)) for n in names), stays=True),
    )

    async def all_events() -> list[dict[str, Any]]:
        return await asyncio.gather(*(event_of(a_trigger(pod=name)) for name in names))

    found = run(all_events())
    assert {event["stored"][0] for event in found} == {"1234"}
    assert [event["pod"] for event in found] == names
    assert [query.get("_continue") for query in server.asked] == ["", "token", None]
    assert informer._informers == {}


def test_a_version_that_is_too_old_begins_with_a_fresh_list(serve: Any) -> None:
    server = serve(
        listing(pod(RUNNING)),
        events(TOO_OLD),
        listing(pod(ENDED)),
        QUIET,
    )
    assert run(event_of(a_trigger()))["stored"] == STORED
    assert server.count(watch=False) == 2


def test_a_stream_that_ends_goes_on_where_it_was(serve: Any) -> None:
    later = pod(RUNNING)
    later["metadata"]["resourceVersion"] = "9"
    bookmark = {"kind": "Pod", "metadata": {"resourceVersion": "12"}}
    server = serve(
        listing(pod(RUNNING)),
        events(("MODIFIED", later)),
        events(("BOOKMARK", bookmark)),
        events(("MODIFIED", pod(ENDED)), stays=True),
    )
    assert run(event_of(a_trigger()))["stored"] == STORED
    assert [query.get("resource_version") for query in server.asked] == [None, "7", "9", "12"]


def test_an_api_server_that_is_away_is_said_once(serve: Any) -> None:
    away = OSError("refused")
    serve(away, away, away, listing(pod(RUNNING)), away, listing(pod(ENDED)), QUIET)
    trigger = a_trigger()
    said: list[str] = []
    trigger.log.warning = lambda text, *given: said.append(text % given)  # type: ignore[method-assign]
    assert run(event_of(trigger))["stored"] == STORED
    assert said == ["the API server does not answer: refused; it is tried again"]


def test_an_api_server_that_stays_away(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "SILENCE", 0.0)
    serve(OSError("refused"))
    assert "does not answer" in run(event_of(a_trigger()))["error"]


def test_whatever_breaks_the_watch_is_told(serve: Any) -> None:
    serve(RuntimeError("unforeseen"))
    assert "cannot be watched: unforeseen" in run(event_of(a_trigger()))["error"]


def test_a_pod_that_went_while_nobody_watched(serve: Any) -> None:
    serve(listing(pod(RUNNING)), OSError("broken"), listing(), QUIET)
    assert "was deleted" in run(event_of(a_trigger()))["error"]


def test_a_pod_that_nobody_has_seen_is_looked_for_once(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(informer, "_UNSEEN", 0.05)
    server = serve(listing(pod(RUNNING)), QUIET, listing(pod(RUNNING)), QUIET)

    assert "was deleted" in run(later_event("absent"))["error"]
    assert server.count(watch=False) == 2


def test_a_later_trigger_asks_for_nothing(serve: Any) -> None:
    server = serve(listing(pod(RUNNING)), events(("ADDED", pod(ENDED, "q")), stays=True))

    assert run(later_event("q"))["stored"] == STORED
    assert len(server.asked) == 2


def test_what_is_deleted_is_forgotten(serve: Any) -> None:
    serve(
        listing(pod(RUNNING), pod(RUNNING, "q")),
        events(("DELETED", pod(ENDED, "q")), stays=True),
    )

    async def known() -> dict[str, Seen]:
        async with shared_informer(Cluster(), "ns") as watch:
            with watch.place("p") as place:
                while "q" in watch.pods or "p" not in watch.pods:
                    await place.wait(0.01)
                return dict(watch.pods)

    assert run(known()).keys() == {"p"}


def test_a_kill_deletes_the_pod_and_an_end_does_not(serve: Any) -> None:
    server = serve(listing(pod(RUNNING)), QUIET)

    async def delete(name: str, namespace: str, **_: Any) -> Any:
        server.deleted.append(f"{namespace}/{name}")
        answer: Any = Answer()
        answer.release = lambda: None
        return answer

    server.delete_namespaced_pod = delete
    trigger = a_trigger()

    async def cancel() -> None:
        waiting = asyncio.create_task(event_of(trigger))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.wait([waiting])
        await trigger.cleanup()
        assert server.deleted == []
        await trigger.on_kill()
        await trigger.on_kill()

    run(cancel())
    assert server.deleted == ["ns/p"] * 2
    server.answers = [listing(pod(ENDED)), QUIET]
    assert run(event_of(trigger))["stored"] == STORED
    run(trigger.on_kill())
    assert server.deleted == ["ns/p"] * 2
