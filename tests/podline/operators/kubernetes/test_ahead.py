"""Pods that are made ahead, on a real cluster: what they spare, and that they leave no trace."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from podline.operators.dag_factory import notebook_dags
from podline.operators.kubernetes import ahead, handover, pod_gc, pod_status
from podline.operators.kubernetes import pods as api
from tests.support.notebooks import write_cells
from tests.support.waiting import until

from .conftest import PodRun, Pods, Ran

pytestmark = pytest.mark.cluster

SLOW = "import time\nprint('up', flush=True)\ntime.sleep(2.5)\n"
# Whether IPython was there before the task came: the runner itself is imported later.
AHEAD = "print([*sys.modules].index('colorsys') < [*sys.modules].index('podline.runner.runner'))"


@pytest.fixture
def chain(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PodRun]:
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "1")
    monkeypatch.setattr(handover, "_TAKES", 60.0)  # on a busy machine; one test is about it

    def make(*cells: tuple[str, str], **params: Any) -> PodRun:
        write_cells(pods.folder / "chain.ipynb", *cells)
        return PodRun(pods, notebook_dags(pods.folder, "chain")[0], params)

    return make


def two(first: str = SLOW, second: str = "print(x)", imports: str = "import colorsys, sys") -> Any:
    return ("imports", imports), ("step:one", f"{first}\nx = 41"), ("step:two", second)


def test_the_next_stage_s_libraries_are_imported_meanwhile(chain: Any) -> None:
    run = chain(*two(second=f"x += colorsys.ONE_SIXTH > 0\nprint(x)\n{AHEAD}"))
    first = run.first()
    second = run.run("two")
    assert (second.lines, second.said) == (["42", "True"], [])
    assert second.ok.ahead is not None
    assert second.ok.ahead.begun < second.ok.ahead.ready < second.ok.started
    assert second.ok.ahead.void == ""
    assert second.phases()["boot"] < first.phases()["boot"] / 2
    assert run.pods.left() == []


def cpu(pod: Any) -> str:
    return str(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"])


def test_it_waits_with_the_least_share_of_a_processor(chain: Any) -> None:
    """And has its own as soon as it has its task."""
    run = chain(*two(second="import time\nprint('up', flush=True)\ntime.sleep(1)"))
    run.first()
    assert cpu(run.ready()) == "1m"
    shares: list[str] = []

    def look(line: str) -> None:
        name, namespace = run.pods.left()[0], run.pods.namespace
        pod: Any = {"metadata": {"name": name, "namespace": namespace}}
        until(lambda: cpu(api.read_pod(run.pods.core, pod)) == "100m")
        shares.append(cpu(api.read_pod(run.pods.core, pod)))

    ran = run.follow(run.prepare("two"), look)
    assert (shares, run.noted) == (["100m"], [])
    assert ran.ok.ahead is not None
    assert ran.ok.peak_memory > 0


def test_where_so_little_may_not_be_asked_for_it_has_its_own(chain: Any) -> None:
    run = chain(*two())
    item = {"type": "Container", "min": {"cpu": "50m"}}
    limits = {"metadata": {"name": "least"}, "spec": {"limits": [item]}}
    run.pods.core.create_namespaced_limit_range(run.pods.namespace, limits)
    try:
        run.first()
        assert cpu(run.ready()) == "100m"
        assert run.run("two").ok.ahead is not None
    finally:
        run.pods.core.delete_namespaced_limit_range("least", run.pods.namespace)


def test_a_limit_that_is_the_request_stays(chain: Any) -> None:
    """Its pod may be of the quality of service Guaranteed, which must not change."""
    cells = [*two()]
    cells[-1] = ("step:two limit:cpu:200m limit:memory:512Mi", "print(x)")
    run = chain(*cells)
    run.first()
    assert cpu(run.ready()) == "200m"
    assert run.run("two").ok.ahead is not None


def test_off_makes_none(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "off")
    run = chain(*two())
    seen: list[Any] = []
    run.follow(run.prepare("one"), lambda line: (time.sleep(1.0), seen.extend(run.pods.left())))
    assert len(seen) == 1
    assert run.run("two").ok.ahead is None


def test_what_a_library_reads_at_import_may_be_set_by_the_stage_before(chain: Any) -> None:
    first = f"{SLOW}import os\nos.environ['SKLEARN_ASSUME_FINITE'] = '1'"
    second = "print(sklearn.get_config()['assume_finite'])"
    run = chain(*two(first, second, "import sklearn"))
    run.first()
    found = run.run("two")
    why = "the stages before changed environ"
    assert found.lines[-2:] == [f"libraries are imported anew, not ahead: {why}", "True"]
    assert found.ok.ahead is not None
    assert found.ok.ahead.void == why
    moments = found.backend.seen.moments
    assert moments.created is not None
    assert found.ok.started > moments.created - 0.05  # its time begins with its task


def test_a_stage_that_fails_takes_the_next_one_s_pod_with_it(chain: Any) -> None:
    run = chain(*two(f"{SLOW}1 / 0"))
    failed = run.first()
    assert "ZeroDivisionError" in failed.error
    assert run.pods.left() == []


def test_a_stage_that_is_stopped_takes_it_too(chain: Any) -> None:
    run = chain(*two("import time\nprint('up', flush=True)\ntime.sleep(60)"))
    ran = run.prepare("one")

    def stop(line: str) -> None:
        run.ready()
        threading.Thread(target=ran.backend.stop).start()

    run.follow(ran, stop)
    assert "was told to stop" in ran.error
    until(lambda: not run.pods.left())


def test_two_claims_get_one_pod(chain: Any) -> None:
    run = chain(*two())
    run.first()
    pod = run.ready()
    tries = [run.prepare("two") for _ in range(2)]
    claimed: list[Any] = []

    def claim(ran: Ran) -> None:
        planned = ran.backend.planned(ran.task, run.pods.store.connection)
        digest = ahead.digest_of(planned, ran.task.plan)
        claimed.append(handover.claim(run.pods.core, pod, planned, digest))

    threads = [threading.Thread(target=claim, args=(ran,)) for ran in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (got,) = filter(None, claimed)
    assert got["metadata"]["annotations"][api.NONCE] in {ran.task.nonce for ran in tries}
    assert api.AHEAD_LABEL not in got["metadata"]["labels"]
    assert run.waiting() == []


def test_a_retry_gets_no_used_pod(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__KEEP_FAILED_PODS", "True")
    run = chain(*two(second="1 / 0"))
    run.first()
    first, second = run.run("two"), run.run("two", try_number=2, max_tries=1)
    assert first.result is not None
    assert first.result.ahead is not None
    assert second.result is not None
    assert second.result.ahead is None
    for name in run.pods.left():
        run.pods.core.delete_namespaced_pod(name, run.pods.namespace)


def test_the_next_try_takes_over_a_pod_that_got_no_task(chain: Any) -> None:
    """Its worker was lost between the claim and the task."""
    run = chain(*two())
    run.first()
    lost = run.prepare("two", max_tries=1)
    lost.backend._give = lambda *_: None
    lost.backend.create(lost.task, run.pods.store.connection)
    ran = run.prepare("two", try_number=2, max_tries=1)
    adopted = ran.backend.adopt(ran.task, 2, 1)
    assert adopted is not None
    ran.task = adopted
    assert run.follow(ran).lines == ["41"]
    assert ran.ok.nonce == lost.task.nonce


@pytest.mark.parametrize("grace", [0, 1])
def test_one_that_was_deleted_while_it_waited(chain: Any, grace: int) -> None:
    run = chain(*two())
    run.first()
    name = run.ready()["metadata"]["name"]
    run.pods.core.delete_namespaced_pod(name, run.pods.namespace, grace_period_seconds=grace)
    found = run.run("two")
    assert (found.lines, found.said, found.ok.ahead) == (["41"], [], None)


def test_one_that_was_evicted_while_it_waited(chain: Any) -> None:
    from kubernetes import client

    run = chain(*two())
    run.first()
    name, namespace = run.ready()["metadata"]["name"], run.pods.namespace
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace=namespace))
    run.pods.core.create_namespaced_pod_eviction(name, namespace, eviction)
    found = run.run("two")
    assert (found.lines, found.said, found.ok.ahead) == (["41"], [], None)
    until(lambda: not run.pods.left())


def test_a_quota_without_room_for_one(chain: Any) -> None:
    """The stage that is due does not notice."""
    run = chain(*two())
    quota = {"metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}}
    run.pods.core.create_namespaced_resource_quota(run.pods.namespace, quota)
    until(lambda: run.pods.quota_used() == "0")
    first = run.run("one")
    assert (first.ok.ahead, first.said, run.waiting()) == (None, [], [])
    assert "no pod is made ahead: " in "".join(run.noted)
    assert "exceeded quota: one" in "".join(run.noted)
    second = run.run("two")
    assert (second.lines, second.ok.ahead) == (["41"], None)


def test_one_whose_process_ended_while_it_waited(
    chain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "LONGEST_WAIT", 4.0)
    run = chain(*two())
    made: list[Any] = []
    run.follow(run.prepare("one"), lambda line: made.extend(until(run.waiting)))
    until(lambda: api.read_pod(run.pods.core, made[0])["status"]["phase"] == "Succeeded")
    found = run.run("two")
    assert (found.lines, found.said, found.ok.ahead) == (["41"], [], None)
    assert run.pods.left() == []


def test_one_that_does_not_take_its_task(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for for longer than a second; the task is done once."""
    run = chain(*two())
    run.first()
    ran = run.prepare("two")
    monkeypatch.setattr(handover.Handover, "give", lambda self: None)
    monkeypatch.setattr(handover, "_TAKES", 1.0)
    start, noted = time.monotonic(), dict[str, float]()
    ran.backend.note = lambda text: noted.setdefault(text, time.monotonic() - start)
    run.follow(ran)
    assert (ran.lines, ran.said, ran.ok.ahead) == (["41"], [], None)
    (after,) = (at for text, at in noted.items() if "is of no use, and another is made: " in text)
    assert 1.0 < after < 30  # it would wait for ten minutes
    until(lambda: not run.pods.left())


def test_one_of_another_kind_is_of_no_use(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting was changed between the two stages."""
    run = chain(*two())
    run.first()
    monkeypatch.setenv("AIRFLOW__PODLINE__MEMORY_REQUEST", "300Mi")
    found = run.run("two")
    assert (found.lines, found.ok.ahead) == (["41"], None)
    assert run.pods.left() == []


def test_one_that_still_starts_is_waited_for(chain: Any) -> None:
    run = chain(*two("", imports="import sklearn, sys"))
    ran = run.prepare("one")
    run.follow(ran)
    until(run.waiting)
    assert run.run("two").ok.ahead is not None


def test_a_timeout_begins_with_the_task(chain: Any) -> None:
    cells = [*two()]
    cells[-1] = ("step:two timeout:15s", "print(x)")
    run = chain(*cells)
    run.first()
    started = pod_status.times(run.ready()).bound
    assert started is not None
    until(lambda: time.time() - started > 15)
    found = run.run("two")
    assert found.lines == ["41"], found.error
    assert found.ok.ahead is not None


@pytest.mark.parametrize("by", ["quota", "node"])
def test_a_pod_that_is_due_gets_the_room_of_one_that_waits(by: str, chain: Any) -> None:
    cells = [*two()]
    cells[-1] = ("step:two request:memory:16Gi limit:memory:16Gi", "print(x)")
    run = chain(*(cells if by == "node" else two()))
    run.first()
    if by == "quota":
        quota = {"metadata": {"name": "one"}, "spec": {"hard": {"pods": "1"}}}
        run.pods.core.create_namespaced_resource_quota(run.pods.namespace, quota)
        until(lambda: run.pods.quota_used() == "1")
        other = run.pods.prepare("print('due')")
    else:
        other = run.pods.prepare("print('due')", "request:memory:12Gi", "limit:memory:12Gi")
    run.pods.follow(other)
    assert other.lines == ["due"], other.error
    assert run.waiting() == []
    assert run.run("two").lines == ["41"]


@pytest.mark.parametrize(
    ("maker", "due", "swept"),
    [
        ("running", "none", False),
        ("success", "queued", False),
        ("success", "skipped", True),
        ("failed", "none", True),
        ("success", "success", True),
        (None, None, True),
    ],
)
def test_what_no_task_will_claim_is_swept(maker: str | None, due: str | None, swept: bool) -> None:
    notes = {api.MAKER: "runs/d/r/one/-1/1-a", api.FOR: "runs/d/r/two/-1/0--"}
    about = {"creationTimestamp": datetime.now(UTC).isoformat(), "annotations": notes}
    pod = {"metadata": about, "status": {"phase": "Running"}}
    states = {"one": maker, "two": due}
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert pod_gc.is_given_up(pod, lambda where: states[where.task_id], later) == swept
    soon = later - timedelta(minutes=2)
    assert not pod_gc.is_given_up(pod, lambda where: states[where.task_id], soon)


def test_the_sweep_leaves_what_was_claimed_since(chain: Any) -> None:
    run = chain(*two())
    run.first()
    pod = run.ready()
    ran = run.prepare("two")
    ran.backend.create(ran.task, run.pods.store.connection)
    assert not api.delete_unchanged(run.pods.core, pod)
    assert run.follow(ran).lines == ["41"]
