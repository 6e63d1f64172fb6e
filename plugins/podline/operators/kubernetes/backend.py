"""The backend `kubernetes`: a stage as a pod, watched and followed, never polled."""

import contextlib
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.contract import LONGEST_VARIABLE, TASK_VARIABLE, StageTask
from podline.exceptions import StageError
from podline.latency.observations import Observed
from podline.operators.kubernetes import follower, pod_events, pod_status
from podline.operators.kubernetes.follower import CONNECT_SECONDS, Follower
from podline.operators.kubernetes.pod_status import STAGE_LABEL, Pod
from podline.operators.kubernetes.secrets import have_secret
from podline.operators.log_lines import Transcript

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api, V1Pod

    from podline.store import StoreConnection

GRACE_SECONDS = 2
KEPT_LABEL = "podline-kept"  # of those of failed stages that are kept
_REQUEST = (CONNECT_SECONDS, 30)  # seconds to connect, and to answer
_QUOTA_AGAIN = 2.0  # seconds
_REASON_SECONDS = 3.0  # in which the cluster says why it ended a pod

NONCE, PREFIX, WORK, TRY, TRIES, START, EXECUTE = (
    f"podline/{name}" for name in ("nonce", "prefix", "work", "try", "tries", "start", "execute")
)


class PodBackend:
    """Runs a try of a stage as a pod.

    Args:
        client: of the cluster.
        make_pod: makes the pod of a task, given its environment.
        say: takes what the cluster does with the pod.
        seen: takes what happens.
    """

    not_applied: tuple[str, ...] = ("cache",)

    def __init__(
        self,
        client: "CoreV1Api",
        make_pod: Callable[[StageTask, dict[str, str], str], "V1Pod"],
        say: Callable[[str], object],
        seen: Observed | None = None,
    ) -> None:
        self.client, self.make_pod, self.say = client, make_pod, say
        self.seen = seen or Observed()
        self.marks = self.seen.marks
        self.pod: Pod | None = None
        self.supervisor, self.stopped = os.getppid(), False
        self._secret: Future[str] | None = None
        self._observed: Future[None] | None = None

    def prepare(self, connection: "StoreConnection") -> None:
        """Have the store's Secret made, and with it a connection to the cluster."""
        self._secret = ThreadPoolExecutor(1).submit(self._have_secret, connection)

    def run(
        self, task: StageTask, connection: "StoreConnection", log: Callable[[str], object]
    ) -> str:
        """Run a stage in a new pod, or in the adopted one; pass each line of its output to `log`.

        Returns:
            The sha256 that the stage gives its result.

        Raises:
            StageError: the pod cannot be made or cannot start, or ended without a result.
        """
        if self.pod is None:
            self.create(task, connection)
        return self.follow(task, log)

    def create(self, task: StageTask, connection: "StoreConnection") -> None:
        """Create the pod of a task.

        Raises:
            StageError: the cluster refuses it, or does not answer.
        """
        self.pod = self._create(self.planned(task, connection))
        self.marks["created"] = time.time()

    def planned(self, task: StageTask, connection: "StoreConnection") -> "V1Pod":
        """The pod of a task, which is not created yet; the store's Secret is.

        Raises:
            StageError: the Secret cannot be made.
        """
        secret = self._secret.result() if self._secret else self._have_secret(connection)
        return self.make_pod(task, {TASK_VARIABLE: _passed(task, connection)}, secret)

    def follow(self, task: StageTask, log: Callable[[str], object]) -> str:
        """Follow the pod that was created or adopted; see `run`."""
        assert self.pod is not None
        transcript = Transcript(task.plan.stage, task.nonce, log)
        seconds = settings.startup_timeout()
        pod_follower = Follower(self.client, self.pod, transcript, self.say, seconds, self.marks)
        try:
            stored = pod_follower.follow()
        except StageError:
            if self.stopped:
                raise StageError(f"the stage {task.plan.stage!r} was told to stop") from None
            raise
        finally:
            self.marks["heard"], self.pod = time.time(), pod_follower.pod
        self.marks["stored"] = stored.at
        return stored.digest

    def stop(self) -> None:
        """End the pod, if there is one."""
        self.stopped = True
        self.close()

    def why_stopped(self) -> str:
        """What the cluster says of a pod whose stage was told to stop."""
        if self.stopped or self.pod is None:
            return ""
        about = self.pod["metadata"]
        until = time.monotonic() + _REASON_SECONDS
        while time.monotonic() < until:
            try:
                pod = follower.read_pod(self.client, about["namespace"], about["name"])
            except follower.failures():
                return f"the pod {about['name']} was deleted"
            if pod_status.has_ended(pod) and (found := pod_status.finding(pod)):
                return found.sentence
            if "deletionTimestamp" in pod["metadata"]:
                return (
                    found.sentence if (found := pod_status.finding(pod)) else "the pod was deleted"
                )
            time.sleep(0.2)
        return ""

    def fail(self) -> None:
        """Delete the pod of a stage that failed, or keep it if the setting says so."""
        if self.pod is None or os.getppid() != self.supervisor:
            return  # without its supervisor this process is lost: the next try takes the pod over
        if settings.keep_failed_pods() and not self.stopped:
            self._keep(self.pod)
        else:
            self.close()

    def close(self) -> None:
        """Delete the pod; waits for nothing."""
        if self.pod is not None:
            self._observed = ThreadPoolExecutor(1).submit(self._observe, self.pod)
            self.marks["deleting"] = time.time()
            self._delete(self.pod)
            self.marks["deleted"] = time.time()

    def observe(self) -> None:
        """Add what is to be known of the pod at its end, unless that was done beside its deletion.

        Raises:
            ApiException: its events may not be read.
        """
        if self._observed is not None:
            self._observed.result()
        elif self.pod is not None:
            self._observe(self.pod)

    def _observe(self, pod: Pod) -> None:
        seen = self.seen
        if "spec" in pod:  # else a trigger has seen it
            seen.status, seen.pod = pod_status.times(pod), pod_status.facts(pod)
        if settings.latency() != "none" and (uid := seen.pod.get("uid")):
            said = pod_events.read_events(self.client, seen.pod["namespace"], uid)
            seen.events, seen.pull = pod_events.brief(said), pod_events.pull_in(said)

    # -- the try before

    def adopt(self, task: StageTask, number: int, tries: int) -> StageTask | None:
        """Take over the pod of an earlier try that lost its worker, if it does the same work.

        The pods of other earlier tries are deleted: nobody follows them any more.

        Args:
            task: what this try would do.
            number: of this try.
            tries: how many Airflow allows: a clear raises it, and what was cleared is not adopted.

        Returns:
            The task of that pod, with its nonce and its folder; None: there is none.
        """
        found = None
        for pod in self._earlier(task, number):
            notes = pod["metadata"]["annotations"]
            if START in notes:  # else another version of podline made it
                self.seen.lost.append(left_by(pod))
            same = notes.get(WORK) == task.work and notes.get(TRIES) == str(tries)
            if same and found is None:
                found, self.pod = pod, pod
            else:
                self._delete(pod)
        if found is None:
            return None
        notes = found["metadata"]["annotations"]
        return replace(task, nonce=notes[NONCE], prefix=notes[PREFIX])

    def _earlier(self, task: StageTask, number: int) -> list[Pod]:
        """The pods of earlier tries that are not over, the latest first."""
        here, _, _ = task.prefix.rpartition("/")
        try:
            pods = list_pods(self.client, settings.namespace())
        except follower.failures() as error:
            raise StageError(
                "whether the try before has left a pod cannot be told: "
                f"{follower.explain(error)}. fix: see to it, and let it be tried again"
            ) from None
        found = [
            pod
            for pod in pods
            if pod["metadata"]["annotations"][PREFIX].rpartition("/")[0] == here
            and int(pod["metadata"]["annotations"][TRY]) < number
            and not is_over(pod)
        ]
        return sorted(found, key=lambda pod: -int(pod["metadata"]["annotations"][TRY]))

    def _keep(self, pod: Pod) -> None:
        about = pod["metadata"]
        self.say(f"the pod {about['name']} of the failed stage is kept in {about['namespace']!r}")
        patch = {"metadata": {"labels": {KEPT_LABEL: "true"}}}
        with contextlib.suppress(*follower.failures()):  # it is kept, and may be swept too early
            self.client.patch_namespaced_pod(
                about["name"], about["namespace"], patch, _request_timeout=_REQUEST
            )

    def _delete(self, pod: Pod) -> None:
        try:
            delete_pod(self.client, pod)
        except follower.failures() as error:
            if getattr(error, "status", None) != 404:
                why = follower.explain(error)
                self.say(pod_status.left_behind(pod_status.name_of(pod), why))

    # -- creation

    def _create(self, pod: "V1Pod") -> Pod:
        body = self.client.api_client.sanitize_for_serialization(pod)
        until = time.monotonic() + settings.startup_timeout()
        said = False
        while True:
            try:
                return self._post(body)
            except follower.failures() as error:
                status, why = getattr(error, "status", None), follower.explain(error)
                if status == 409:  # the answer to our first request was lost
                    about = body["metadata"]
                    return follower.read_pod(self.client, about["namespace"], about["name"])
                room = status == 403 and "exceeded quota" in why
                if not room or time.monotonic() > until:
                    raise StageError(_refused(status, why, body)) from None
                if not said:
                    self.say(f"no room in the namespace's quota: {why}; it is tried again")
                said = True
                time.sleep(_QUOTA_AGAIN)

    def _post(self, body: dict[str, Any]) -> Pod:
        response = self.client.create_namespaced_pod(
            body["metadata"]["namespace"], body, _preload_content=False, _request_timeout=_REQUEST
        )
        pod: Pod = json.loads(response.data)
        return pod

    def _have_secret(self, connection: "StoreConnection") -> str:
        """Have the store's connection in a Secret, named by what it holds; returns its name."""
        if name := settings.store_secret():
            return name
        if settings.store_endpoint():
            connection = replace(connection, endpoint_url=settings.store_endpoint())
        try:
            return have_secret(self.client, settings.namespace(), connection.to_env())
        except follower.failures() as error:
            raise StageError(
                f"the store's Secret cannot be made in the namespace {settings.namespace()!r}: "
                f"{follower.explain(error)}. fix: allow that, or name a Secret in [podline] "
                "store_secret"
            ) from None


def left_by(pod: Pod) -> dict[str, Any]:
    """What a pod tells of its try, whose worker died: as `Observed.lost` has it."""
    notes, times = pod["metadata"]["annotations"], pod_status.times(pod)
    execute = float(notes[EXECUTE])
    seen = Observed(
        marks={"execute": execute, "created": max(execute, times["created"])},
        status=times,
        backend="kubernetes",
        prefix=notes[PREFIX],
        pod=pod_status.facts(pod),
    )
    return {"number": int(notes[TRY]), "start": float(notes[START]), "seen": seen.noted()}


def list_pods(client: "CoreV1Api", namespace: str) -> list[Pod]:
    """List the pods of stages as the API's JSON.

    Raises:
        ApiException: they may not be listed.
    """
    response = client.list_namespaced_pod(
        namespace,
        label_selector=f"{STAGE_LABEL}=stage",
        _preload_content=False,
        _request_timeout=_REQUEST,
    )
    pods: list[Pod] = json.loads(response.data)["items"]
    # Others may use the label too.
    return [pod for pod in pods if PREFIX in pod["metadata"].get("annotations", {})]


def delete_pod(client: "CoreV1Api", pod: Pod) -> None:
    """Delete a pod; waits for nothing.

    Raises:
        ApiException: it is not there, or may not be deleted.
    """
    about = pod["metadata"]
    client.delete_namespaced_pod(
        about["name"],
        about["namespace"],
        grace_period_seconds=GRACE_SECONDS,
        _preload_content=False,
        _request_timeout=_REQUEST,
    )


def is_over(pod: Pod) -> bool:
    """Whether a pod is being deleted, or is kept for a look at it."""
    about = pod["metadata"]
    return "deletionTimestamp" in about or KEPT_LABEL in (about.get("labels") or {})


def _passed(task: StageTask, connection: "StoreConnection") -> str:
    """The task as a variable, or where it lies in the store if it is too long for one."""
    text = task.packed()
    if len(text) < LONGEST_VARIABLE - 1024:
        return text
    from podline.store import open_store

    data = task.to_json().encode()
    key = f"{task.prefix}/task.json"
    return f"@{key} {open_store(connection).put_same(key, data)}"


def _refused(status: int | None, why: str, body: dict[str, Any]) -> str:
    namespace = body["metadata"]["namespace"]
    if status == 404:
        return (
            f"the cluster has no namespace {namespace!r}: {why}. fix: make it, or name another in "
            "[podline] namespace"
        )
    if status is None:
        return (
            f"the cluster does not answer: {why}. fix: see to it, or correct KUBECONFIG or "
            "[podline] kubernetes_conn_id"
        )
    return f"the cluster refused the pod ({status}): {why}"
