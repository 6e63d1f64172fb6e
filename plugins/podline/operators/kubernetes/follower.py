"""A pod, followed from its creation to its last word, without polling.

One watch tells what the cluster does with the pod; from its container's first moment on the log
brings what the stage says. Whichever tells first that the result is stored ends it. A stream
that ends or breaks is opened again where it was.
"""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from podline.exceptions import StageError
from podline.latency.observations import Moments
from podline.operators.kubernetes import pod_status, pods
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.startup import SILENCE, Progress, Reconnection
from podline.operators.log_lines import Stored, Transcript, last_state, stored_in

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

_LAST_WORDS = 3.0  # seconds in which the log of a container that ended must have come
_CLOCKS = 60  # seconds that the cluster's clock may be off ours
_STREAM = pods.REQUEST | {"_request_timeout": (pods.CONNECT_SECONDS, None)}


class Follower:
    """Follows one pod.

    Args:
        client: of the cluster.
        pod: as the API gave it when it was created or adopted.
        transcript: takes the lines of the stage's output.
        say: takes what the cluster does with the pod, in sentences.
        startup_seconds: within which the container must run.
        moments: takes the times of what happens.
        no_room: is called where no node has room for the pod.
    """

    def __init__(
        self,
        client: "CoreV1Api",
        pod: Pod,
        transcript: Transcript,
        say: Callable[[str], object],
        startup_seconds: float,
        moments: Moments,
        no_room: Callable[[], object] = lambda: None,
    ) -> None:
        self.client, self.pod, self.transcript, self.say = client, pod, transcript, say
        self.name, self.namespace = pod_status.name_of(pod), pod["metadata"]["namespace"]
        self.version = str(pod["metadata"]["resourceVersion"])
        self.progress = Progress(self.name, startup_seconds, say, moments)
        self.news: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.started, self.over = threading.Event(), threading.Event()
        self._no_room = no_room
        self.stamp = ""  # of the last line of the log

    def follow(self) -> Stored:
        """Follow the pod until its stage has stored the result.

        Returns:
            The result that the stage names.

        Raises:
            StageError: it ended without one, cannot start, or the cluster does not answer.
        """
        self.news.put(("pod", self.pod))
        for work in (self._watch, self._read_log):
            threading.Thread(target=work, daemon=True).start()
        try:
            return self._listen()
        finally:
            self.over.set()
            self.started.set()

    def give_up(self, why: str) -> None:
        """Have `follow`, in another thread, raise at once."""
        self.news.put(("broken", f"the pod {self.name}: {why}"))

    # -- what the streams bring

    def _listen(self) -> Stored:
        until: float | None = time.monotonic() + self.progress.startup_seconds
        while True:
            try:
                kind, value = self.news.get(timeout=self._patience(until))
            except queue.Empty:
                if time.time() < self.progress.quiet_until:
                    return self._at_the_end()
                self.progress.say_unbegun()
                continue
            if kind == "line" and (stored := self.transcript.hear(value)):
                return stored
            if kind == "pod":
                self._look_at(value)
                if pod_status.has_ended(value):
                    until = until or time.monotonic() + _LAST_WORDS
                elif self.progress.started:
                    until = None
            elif kind == "log ended" and pod_status.has_ended(self.pod):
                return self._at_the_end()
            elif kind == "trouble":
                self.say(value)
            elif kind in ("gone", "broken"):
                raise StageError(value)

    def _patience(self, until: float | None) -> float | None:
        """Seconds in which there must be news; None: it may take as long as it likes."""
        if until is None:
            return None
        quiet = self.progress.quiet_until - time.time()
        return max(0.0, min(until - time.monotonic(), quiet))

    def _look_at(self, pod: Pod) -> None:
        self.pod = pod
        self.progress.see(pod, time.time())
        if self.progress.started:
            self.started.set()
        elif pod_status.lacks_room(pod):
            self._no_room()

    def _at_the_end(self) -> Stored:
        """The result, if the container's termination message names it: the log may break."""
        how = pod_status.ended(self.pod)
        if how and (stored := stored_in(how.message, self.transcript.nonce)):
            return stored
        if pod_status.has_ended(self.pod):
            last = self.transcript.last
            why = pod_status.death(self.pod, self.transcript.stage, last)
            raise StageError(why, pod_status.is_final(self.pod))
        raise self.progress.late()

    # -- the streams

    def _watch(self) -> None:
        def read(reconnection: Reconnection) -> None:
            for event in _events(self.client, self.namespace, self.name, self.version):
                reconnection.worked()
                if event["type"] == "ERROR":
                    break  # the version is too old
                self._heard(event["type"], event["object"])
            if not self.over.is_set():
                self._read_pod()

        self._keep(read, "the API server does not answer")

    def _heard(self, kind: str, pod: Pod) -> None:
        self.version = str(pod["metadata"]["resourceVersion"])
        self.news.put(("pod", pod))
        if kind == "DELETED":
            self._note_gone()

    def _read_pod(self) -> None:
        try:
            self._heard("MODIFIED", pods.read_pod(self.client, self.pod))
        except pods.failures() as error:
            if pods.status_of(error) != 404:
                raise
            self._note_gone()

    def _note_gone(self) -> None:
        self.news.put(("gone", str(self.progress.gone())))
        self.over.set()

    def _read_log(self) -> None:
        def read(reconnection: Reconnection) -> None:
            for stamp, line in _stamped(_log(self.client, self.namespace, self.name, self.stamp)):
                reconnection.worked()
                if stamp > self.stamp:
                    self.stamp = stamp
                    self.news.put(("line", line))
            self.news.put(("log ended", None))

        self._connect()
        self.started.wait()
        self._keep(read, "the log of the pod does not come")

    def _connect(self) -> None:
        """Have a connection for the log ready by the time that there is one."""
        from kubernetes.client import VersionApi

        with suppress(*pods.failures()):  # the watch will tell
            VersionApi(self.client.api_client).get_code(_request_timeout=(pods.CONNECT_SECONDS, 5))

    def _keep(self, read: Callable[[Reconnection], None], trouble: str) -> None:
        """Read a stream again and again, until all is over."""
        reconnection = Reconnection()
        while not self.over.is_set():
            try:
                read(reconnection)
                reconnection.worked()
            except pods.failures() as error:
                why = pods.explain(error)
                if reconnection.broke(time.monotonic()):
                    self.news.put(("trouble", f"{trouble}: {why}; it is tried again"))
                if reconnection.is_over(time.monotonic()):
                    self.news.put(("broken", f"{trouble}, for {SILENCE:g} s: {why}"))
                    return
            self.over.wait(reconnection.wait)


def _events(client: "CoreV1Api", namespace: str, name: str, version: str) -> Iterator[Any]:
    response = client.list_namespaced_pod(
        namespace,
        field_selector=f"metadata.name={name}",
        resource_version=version,
        watch=True,
        timeout_seconds=3600,
        **_STREAM,
    )
    for line in pods.lines(response.stream(amt=None, decode_content=False)):
        yield json.loads(line)


def _log(client: "CoreV1Api", namespace: str, name: str, after: str) -> Iterator[bytes]:
    since = None
    if after:
        then = datetime.fromisoformat(f"{after[:19]}+00:00")
        since = int((datetime.now(UTC) - then).total_seconds()) + _CLOCKS
    response = client.read_namespaced_pod_log(
        name,
        namespace,
        container=pod_status.CONTAINER,
        follow=True,
        timestamps=True,
        since_seconds=None if since is None else max(since, 1),
        **_STREAM,
    )
    yield from response.stream(amt=None, decode_content=False)


def _stamped(chunks: Iterator[bytes]) -> Iterator[tuple[str, str]]:
    """Yield the time stamps and the lines of a log: RFC 3339 in UTC, so that they sort as text."""
    for line in pods.lines(chunks):
        stamp, _, text = line.decode(errors="replace").partition(" ")
        yield stamp, last_state(text)
