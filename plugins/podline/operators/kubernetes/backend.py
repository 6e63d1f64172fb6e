"""The backend `kubernetes`: a stage as a pod, watched and followed, never polled."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from podline import settings
from podline.contract import TASK_VARIABLE, StageTask
from podline.exceptions import PodlineError, StageError
from podline.latency.observations import Moments, PodAhead, PodFacts, PodTimes
from podline.operators import successors, task_spec
from podline.operators.backend import Deferral, Log, StageBackend, TryContext
from podline.operators.kubernetes import (
    ahead,
    cpu_share,
    handover,
    pod_events,
    pod_gc,
    pod_status,
    pods,
)
from podline.operators.kubernetes.ahead import AheadPods, Parts
from podline.operators.kubernetes.follower import Follower
from podline.operators.kubernetes.handover import Handover, UntilTaken
from podline.operators.kubernetes.pod_requests import PodRequests
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.pods import explain, failures, status_of
from podline.operators.log_lines import Stored, Transcript
from podline.store.keys import TryKey

if TYPE_CHECKING:
    from podline.operators.kubernetes.triggers import PodEnd
    from podline.operators.successors import NextStage
    from podline.store import Store, StoreConnection

_REASON_SECONDS = 3.0  # in which the cluster says why it ended a pod
_TRIGGER_FIRST = 60.0  # seconds after a timeout in which the trigger should say so, not Airflow


class PodBackend(StageBackend):
    """Runs a try of a stage as a pod.

    Attributes:
        say: takes what the cluster does with the pod; `note`: what is of less weight.
        pod: what is known of it; None: there is none yet.
    """

    not_applied = ("cache",)
    can_leave = True

    def __init__(self, wanted: TryContext) -> None:
        self.client = wanted.operator.client
        self.namespace = wanted.operator.namespace or settings.namespace()
        self.say: Callable[[str], object] = wanted.operator.log.warning
        self.note: Callable[[str], object] = wanted.operator.log.info
        self.seen = wanted.seen
        self.pod: Pod | None = None
        self.supervisor, self.stopped = os.getppid(), False
        self._wanted = wanted
        self._requests = PodRequests(self.client, self.namespace, lambda why: self.say(why))
        self._secret: Future[str] | None = None
        self._observed: Future[None] | None = None
        self._expected: Callable[[], Sequence[NextStage]] = tuple
        self._ahead: AheadPods | None = None  # for the stages that follow
        self._waiting: Future[Pod | None] | None = None  # for this one
        self._handover: Handover | None = None
        # Of each of its attempts; what breaks is said once, in a sentence of ours.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)

    def prepare(self, connection: "StoreConnection") -> None:
        # The store's Secret, and with it a connection to the cluster.
        self._secret = ThreadPoolExecutor(1).submit(self._requests.secret, connection)
        context = self._wanted.context
        operator: Any = self._wanted.operator
        if operator.stage is not None and successors.steps_ahead(operator, context):
            name = ahead.name_in_run(context)
            find = handover.find
            self._waiting = ThreadPoolExecutor(1).submit(find, self.client, self.namespace, name)

    def expect(self, stages: "Callable[[], Sequence[NextStage]]") -> None:
        self._expected = stages

    def run(self, task: StageTask, connection: "StoreConnection", log: Log) -> str:
        """Run a stage in a pod, or follow the adopted one; see `StageBackend.run`.

        Args:
            task: what it is to do.
            connection: of the store, for the pod's Secret.
            log: takes its output, line by line.

        Raises:
            StageError: the pod cannot be made, cannot start, or ended without a result.
        """
        self._begin(task, connection)
        stored = None
        if self._handover is not None:
            stored = self._follow_claimed(task, connection, self._transcript(task, log))
        if stored is None:
            stored = self._follow(self._transcript(task, log))
        self.seen.moments.stored = stored.at
        return stored.digest

    def _begin(self, task: StageTask, connection: "StoreConnection", leaves: bool = False) -> None:
        """Have a pod that does the task, and begin with those of the stages that follow.

        Args:
            task: what is to be done.
            connection: of the store.
            leaves: this process leaves its worker.
        """
        if self.pod is None:
            self.create(task, connection)
        elif pods.was_ahead(self.pod):  # whoever claimed it may not have given it the task
            self._give(self.pod, task, connection)
            self.seen.ahead = None  # it was the earlier try's
        self._begin_ahead(task, connection, leaves)

    def create(self, task: StageTask, connection: "StoreConnection") -> None:
        """Create the pod of a task, or claim one that was made ahead.

        Raises:
            StageError: the cluster refuses it, or does not answer.
        """
        planned = self.planned(task, connection)
        self.pod = self._claim(planned, task)
        if self.pod is None:
            self.pod = self._requests.create(planned, self._make_room)
            self.seen.moments.created = time.time()
        else:
            self.seen.moments.created = time.time()
            self._give(self.pod, task, connection)

    def planned(self, task: StageTask, connection: "StoreConnection") -> Pod:
        """The pod of a task, which is not created yet; the store's Secret is.

        Raises:
            StageError: the Secret cannot be made.
        """
        from podline.operators.kubernetes import manifest

        variables = {TASK_VARIABLE: task_spec.as_variable(task.to_json(), task.prefix, connection)}
        identity = manifest.Identity.of_try(task, self._wanted.context["ti"])
        pod = manifest.pod_of(self._wanted, identity, variables, self._secret_name(connection))
        planned: Pod = self.client.api_client.sanitize_for_serialization(pod)
        return planned

    def _secret_name(self, connection: "StoreConnection") -> str:
        return self._secret.result() if self._secret else self._requests.secret(connection)

    def _transcript(self, task: StageTask, log: Log) -> Transcript:
        return Transcript(task.plan.stage, task.nonce, log, self.seen.ended)

    def _follow(self, transcript: Transcript) -> Stored:
        assert self.pod is not None
        moments, seconds = self.seen.moments, settings.startup_timeout()
        follower = Follower(
            self.client, self.pod, transcript, self.say, seconds, moments, self._make_room
        )
        if self._handover is not None:
            transcript.told = self._handover.hear
            self._handover.watch(partial(follower.give_up, "it does not take its task"))
        try:
            return follower.follow()
        except StageError:
            if self.stopped:
                raise StageError(f"the stage {transcript.stage!r} was told to stop") from None
            raise
        finally:
            moments.heard, self.pod = time.time(), follower.pod

    # --- pods that are made ahead

    def _claim(self, planned: Pod, task: StageTask) -> Pod | None:
        """Claim the pod that was made ahead for this task, if there is one that is of use."""
        waiting = self._waiting.result() if self._waiting else None
        if waiting is None:
            return None
        digest = ahead.digest_of(planned, task.plan)
        return handover.claim(self.client, waiting, planned, digest)

    def _give(self, pod: Pod, task: StageTask, connection: "StoreConnection") -> None:
        from podline.store import open_store

        cpu_share.restore(self.client, pod, self.note)
        moments = self.seen.moments
        moments.bound = moments.created
        made = float(pod["metadata"]["annotations"][pods.MADE])
        self.seen.ahead = PodAhead(made, time.time(), pod_status.requests_of(pod))
        self._handover = Handover(open_store(connection), pod, task)
        self._handover.give()

    def _follow_claimed(
        self, task: StageTask, connection: "StoreConnection", transcript: Transcript
    ) -> Stored | None:
        """Follow a pod that was made ahead; None: it never took its task, and a fresh one is made.

        Args:
            task: what it is to do.
            connection: of the store.
            transcript: takes what it says.

        Raises:
            StageError: it ended without a result, or no fresh one can be made.
        """
        assert self._handover is not None
        assert self.pod is not None
        try:
            return self._follow(transcript)
        except StageError as error:
            if self.stopped or not self._handover.refuse():
                raise
            self.note(f"the pod that was made ahead is of no use, and another is made: {error}")
        finally:
            self.seen.moments.running = self._handover.taken
        with suppress(*failures()):  # it ends by itself
            pods.delete_pod(self.client, self.pod, 0)
        self._handover = self.seen.ahead = None
        self.seen.moments = Moments(execute=self.seen.moments.execute)
        self.pod = self._requests.create(self.planned(task, connection), self._make_room)
        self.seen.moments.created = time.time()
        return None

    def _begin_ahead(self, task: StageTask, connection: "StoreConnection", leaves: bool) -> None:
        """Make the pods of the stages that follow, beside this one.

        Args:
            task: what this one does.
            connection: of the store.
            leaves: this process leaves its worker.
        """
        if self._waiting is not None:
            self.seen.parameters = task.plan.parameters
        try:
            stages = self._expected()
        except PodlineError as error:  # of theirs to tell
            self.note(f"no pod is made ahead: {error}")
            return
        if not stages:
            return
        from podline.latency import stage_profile
        from podline.store import open_store

        store, dag_id = open_store(connection), self._wanted.context["ti"].dag_id
        parts = Parts(
            self._secret_name(connection),
            lambda text: task_spec.as_variable(text, task.prefix, connection),
            lambda stage: stage_profile.read(store, dag_id, stage),
        )
        self._ahead = AheadPods(self.client, self.namespace, task.prefix, self.seen, self.note)
        work = partial(self._ahead.make, stages, parts, at_once=leaves)
        threading.Thread(target=work, daemon=True).start()

    def _end_ahead(self) -> None:
        """Delete the pods of the stages that follow: this one has failed."""
        made = self._ahead
        if made is None and self.seen.made_ahead:  # before this try was left to a trigger
            made = AheadPods(self.client, self.namespace, "", self.seen, self.note)
        if made is not None:
            made.delete()

    def _make_room(self) -> None:
        """Delete what waits for its turn: this pod is due, and has no room."""
        with suppress(*failures()):  # the pod waits for room as any other
            for name in ahead.make_room(self.client, self.namespace):
                self.note(f"deleted the pod {name}, which waited for its turn, to make room")

    # --- its end

    def stop(self) -> None:
        self.stopped = self._requests.stopped = True
        self.close()
        self._end_ahead()

    def why_stopped(self) -> str:
        if self.stopped or self.pod is None:
            return ""
        until = time.monotonic() + _REASON_SECONDS
        while time.monotonic() < until:
            try:
                pod = pods.read_pod(self.client, self.pod)
            except failures():
                return f"the pod {pod_status.name_of(self.pod)} was deleted"
            found, going = pod_status.finding(pod), "deletionTimestamp" in pod["metadata"]
            if found and (going or pod_status.has_ended(pod)):
                return found.sentence
            if going:
                return "the pod was deleted"
            time.sleep(0.2)
        return ""

    def fail(self) -> None:
        if os.getppid() != self.supervisor:
            return  # without its supervisor this process is lost: the next try takes the pod over
        if self.pod is None:
            return
        if settings.keep_failed_pods() and not self.stopped:
            name, where = pod_status.name_of(self.pod), self.pod["metadata"]["namespace"]
            self.say(f"the pod {name} of the failed stage is kept in {where!r}")
            with suppress(*failures()):  # it is kept, and may be removed too early
                pods.keep_pod(self.client, self.pod)
        else:
            self.close()
        self._end_ahead()

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.end()
        if self.pod is not None:
            self._observed = ThreadPoolExecutor(1).submit(self._observe, self.pod)
            self.seen.moments.deleting = time.time()
            self._delete(self.pod)
            self.seen.moments.deleted = time.time()

    def tidy(self, store: "Store") -> None:
        states = pod_gc.states_for_task(self._wanted.context["ti"])
        with suppress(*failures()):  # the next task looks for them, too
            for name in pod_gc.collect_ended(self.client, self.namespace, states, store):
                self.say(f"removed the pod {name}, which a lost worker had left")
            if self._waiting is not None:
                pod_gc.collect_waiting(self.client, self.namespace, states)

    def _delete(self, pod: Pod) -> None:
        try:
            pods.delete_pod(self.client, pod)
        except failures() as error:
            if status_of(error) != 404:
                self.say(pod_status.left_behind(pod_status.name_of(pod), explain(error)))

    def observe(self) -> None:
        if self._observed is not None:  # beside the pod's deletion
            self._observed.result()
        elif self.pod is not None:
            self._observe(self.pod)

    def _observe(self, pod: Pod) -> None:
        seen = self.seen
        if "spec" in pod:  # else a trigger has seen it
            seen.status, seen.pod = pod_status.times(pod), pod_status.facts(pod)
        if settings.latency() != "none" and seen.pod.uid:
            said = pod_events.read_events(self.client, seen.pod.namespace, seen.pod.uid)
            seen.events, seen.pull = pod_events.brief(said), pod_events.pull_in(said)

    # --- without its worker

    def leave(
        self, task: StageTask, connection: "StoreConnection", until: float | None
    ) -> Deferral:
        """Make the pod, unless one was adopted, and leave it to a trigger.

        Args:
            task: what it is to do.
            connection: of the store, for the pod's Secret.
            until: when the task's timeout is over (epoch).

        Raises:
            StageError: the pod cannot be made.
        """
        from podline.operators.kubernetes.triggers import StageTrigger

        try:
            self._begin(task, connection, leaves=True)
            if self._handover is not None:
                told = UntilTaken(task.plan.stage, task.nonce, lambda line: None, self.seen.ended)
                self._follow_claimed(task, connection, told)
        except BaseException:
            self.fail()
            raise
        assert self.pod is not None
        if self._ahead is not None:
            self._ahead.wait()  # this process ends
        cluster, now = self._wanted.cluster._asdict(), time.time()
        trigger = StageTrigger(
            pod=pod_status.name_of(self.pod),
            namespace=self.pod["metadata"]["namespace"],
            stage=task.plan.stage,
            prefix=task.prefix,
            cluster={name: value for name, value in cluster.items() if value is not None},
            startup_seconds=settings.startup_timeout(),
            created=now,
            until=until,
            ahead=self.seen.made_ahead,
        )
        limit = None if until is None else timedelta(seconds=max(until - now, 0) + _TRIGGER_FIRST)
        return Deferral(trigger, limit)

    def finish(self, event: "PodEnd", log: Log) -> str:
        """Go on where the trigger ended: read the pod's log, and find the result in it.

        Raises:
            StageError: there is none; the error says how the pod ended.
        """
        self.pod = pod = {"metadata": {"name": event["pod"], "namespace": event["namespace"]}}
        seen = self.seen
        seen.moments = replace(seen.moments, **event["moments"])
        seen.status, seen.pod = PodTimes(**event["status"]), PodFacts(**event["facts"])
        nonce = TryKey.at(event["prefix"]).nonce
        transcript = Transcript(event["stage"], nonce, log, seen.ended)
        stored = Stored(*event["stored"]) if "stored" in event else None
        try:
            for line in self._log_of(pod) if event["started"] else ():
                stored = transcript.hear(line) or stored
        except failures() as error:
            if status_of(error) != 404:
                self.say(f"the log of the pod cannot be read: {explain(error)}")
        if stored:
            seen.moments.stored = stored.at
            return stored.digest
        if "ended" in event:
            over = event["ended"]
            why = pod_status.death(over, event["stage"], transcript.last)
            raise StageError(why, pod_status.is_final(over))
        raise StageError(event["error"])

    def _log_of(self, pod: Pod) -> list[str]:
        return self._requests.ask(lambda: list(pods.whole_log(self.client, pod)))

    def abandon(self, where: TryKey) -> None:
        try:
            left = self._pods_of(where.prefix, where.try_number + 1)
        except failures() as error:
            self.say(f"the stage's pod cannot be found: {explain(error)}")
            return
        for self.pod in left:
            self.close()

    # --- the try before

    def adopt(self, task: StageTask, number: int, tries: int) -> StageTask | None:
        """Take over the latest pod of an earlier try that does the same work.

        The pods of other earlier tries are deleted: nobody follows them any more.

        Args:
            task: what this try would do.
            number: of this try.
            tries: how many Airflow allows.

        Raises:
            StageError: the cluster does not say which pods there are.
        """
        try:
            earlier = self._requests.ask(lambda: self._pods_of(task.prefix, number))
        except failures() as error:
            raise StageError(
                "whether the try before has left a pod cannot be told: "
                f"{explain(error)}. fix: see to it, and let it be tried again"
            ) from None
        for pod in earlier:
            notes = pod["metadata"]["annotations"]
            if pods.START in notes:  # else another version of podline made it
                self.seen.lost += (pods.left_by(pod),)
            same = notes.get(pods.WORK) == task.work and notes.get(pods.TRIES) == str(tries)
            if same and self.pod is None:
                self.pod = pod
            else:
                self._delete(pod)
        if self.pod is None:
            return None
        notes = self.pod["metadata"]["annotations"]
        return replace(task, nonce=notes[pods.NONCE], prefix=notes[pods.PREFIX])

    def _pods_of(self, prefix: str, before: int) -> list[Pod]:
        """The pods of a task's tries that are not over, the latest first.

        Args:
            prefix: the folder of one of the tries.
            before: the number of the first try that is none of them.
        """
        folder, _, _ = prefix.rpartition("/")
        found: list[tuple[int, Pod]] = []
        for pod in pods.list_pods(self.client, self.namespace):
            notes = pod["metadata"]["annotations"]
            if notes[pods.PREFIX].rpartition("/")[0] != folder:
                continue  # another may have no number
            number = int(notes[pods.TRY])
            if number < before and not pods.is_over(pod):
                found.append((number, pod))
        return [pod for _, pod in sorted(found, key=itemgetter(0), reverse=True)]
