"""One informer of all the stages' pods of a namespace, shared by the triggers of a triggerer.

It lists once and watches from there on, so that a stage costs the API server no request of its
own. A watch that breaks begins with a fresh list. Of a pod only its outline is kept.
"""

import asyncio
import contextvars
import importlib
import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from podline.airflow_compat import Cluster, async_connection
from podline.exceptions import StageError
from podline.operators.kubernetes import pod_status, pods
from podline.operators.kubernetes.pod_status import STAGE_LABEL, Pod
from podline.operators.kubernetes.startup import SILENCE, Reconnection

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from kubernetes_asyncio.client import CoreV1Api

_PAGE = 500  # pods that an answer lists at most
_WATCH_SECONDS = 3600
_QUIET = 150.0  # seconds; the API server sends a bookmark each minute, or the connection is dead
_UNSEEN = 2.0  # seconds until a pod that no list or event has named is asked for
_HOOK = "airflow.providers.cncf.kubernetes.hooks.kubernetes"  # and kubernetes_asyncio with it


class Seen(NamedTuple):
    """What is known of a pod: its outline (None: it was gone from the start), and if it is gone."""

    pod: Pod | None
    gone: bool = False


@asynccontextmanager
async def shared_informer(cluster: Cluster, namespace: str) -> AsyncIterator["PodInformer"]:
    """The informer of a namespace, the same for all who are here at a time."""
    key = (asyncio.get_running_loop(), cluster, namespace)
    if key not in _informers:
        _informers[key] = PodInformer(cluster, namespace)
    informer = _informers[key]
    informer.users += 1
    try:
        yield informer
    finally:
        informer.users -= 1
        if not informer.users:
            del _informers[key]
            await informer.close()


class Place:
    """Where one pod's news arrive.

    Attributes:
        news: is set when there are some.
    """

    def __init__(self, informer: "PodInformer", name: str) -> None:
        self._informer, self._name = informer, name
        self.news = asyncio.Event()

    @property
    def seen(self) -> Seen | None:
        """What is known of the pod; None: nothing yet."""
        return self._informer.pods.get(self._name)

    async def wait(self, seconds: float = math.inf) -> bool:
        """Wait for news, of the pod or of the informer; whether there were some in time.

        Raises:
            StageError: the cluster cannot be watched.
        """
        if self.seen is None and seconds > _UNSEEN:
            if await self._wait(_UNSEEN):
                return True
            self._informer.look_again()
            seconds -= _UNSEEN
        return await self._wait(seconds)

    async def _wait(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                await self.news.wait()
        except TimeoutError:
            return False
        self.news.clear()
        if self._informer.broken:
            raise StageError(self._informer.broken)
        return True


class PodInformer:
    """Watches the pods of stages in a namespace while somebody has a place.

    Attributes:
        pods: what is known, by name.
        trouble: why there are no news at present, if so.
        broken: why there will be none any more, if so.
        users: how many share it.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.pods: dict[str, Seen] = {}
        self.trouble = self.broken = ""
        self.users = 0
        self._places: dict[str, Place] = {}
        self._task: asyncio.Task[None] | None = None
        self._complete = False  # what is not in `pods` by now was not there for the list
        self._client: CoreV1Api | None = None
        self._connection = AsyncExitStack()
        self._connecting = asyncio.Lock()

    @contextmanager
    def place(self, name: str) -> Iterator[Place]:
        """A place for the news of a pod, which exists or has existed."""
        place = self._places[name] = Place(self, name)
        if name in self.pods:
            place.news.set()
        if self._task is None:
            self._start()
        try:
            yield place
        finally:
            del self._places[name]
            self.pods.pop(name, None)

    def look_again(self) -> None:
        """List anew, unless that is about to happen."""
        if self._complete and self._task is not None:
            self._task.cancel()
            self._start()

    async def delete(self, name: str) -> None:
        """Delete a pod, in one call that waits for nothing.

        Raises:
            StageError: the cluster refuses it, or does not answer.
        """
        try:
            client = await self._connect()
            answer = await client.delete_namespaced_pod(
                name, self.namespace, grace_period_seconds=pods.GRACE_SECONDS, **pods.REQUEST
            )
            (await _checked(answer, 404)).release()
        except _failures() as error:
            raise StageError(pods.explain(error)) from None

    async def delete_waiting(self) -> list[str]:
        """Delete the pods that were made ahead and that no task has claimed; returns their names.

        Raises:
            StageError: the cluster refuses it, or does not answer.
        """
        deleted = []
        try:
            client = await self._connect()
            selector = f"{STAGE_LABEL}=stage,{pods.AHEAD_LABEL}"
            listed = await _checked(
                await client.list_namespaced_pod(
                    self.namespace, label_selector=selector, **pods.REQUEST
                )
            )
            for pod in filter(pods.waits, json.loads(await listed.read())["items"]):
                name, unchanged = pod_status.name_of(pod), pods.if_unchanged(pod)
                delete = partial(client.delete_namespaced_pod, name, self.namespace)
                answer = await _checked(await delete(body=unchanged, **pods.REQUEST), 404, 409)
                answer.release()
                if answer.status < 400:
                    deleted.append(name)
        except _failures() as error:
            raise StageError(pods.explain(error)) from None
        return deleted

    async def close(self) -> None:
        """End it, and its connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._connection.aclose()

    # -- the stream

    def _start(self) -> None:
        self._complete = False
        # In a context of its own: what it logs is not one trigger's.
        self._task = asyncio.create_task(self._run(), context=contextvars.Context())

    async def _run(self) -> None:
        try:
            await self._keep_watching()
        except Exception as error:  # whatever it is, those who wait must know
            self.broken = f"the pods of {self.namespace!r} cannot be watched: {pods.explain(error)}"
            self._tell_all()

    async def _keep_watching(self) -> None:
        reconnection = Reconnection()
        while True:
            try:
                await self._watch(await self._connect(), reconnection)
            except _failures() as error:
                if pods.status_of(error) != 410:
                    self._note_trouble(reconnection, pods.explain(error))
                await self._disconnect()
            self._complete = False
            await asyncio.sleep(reconnection.wait)

    def _note_trouble(self, reconnection: Reconnection, why: str) -> None:
        if reconnection.broke(time.monotonic()):
            self.trouble = f"the API server does not answer: {why}; it is tried again"
            self._tell_all()
        if reconnection.is_over(time.monotonic()):
            raise StageError(f"the API server does not answer, for {SILENCE:g} s: {why}")

    async def _watch(self, client: "CoreV1Api", reconnection: Reconnection) -> None:
        """List, and watch until the stream breaks or the version is too old."""
        version = await self._list(client)
        reconnection.worked()
        self.trouble, self._complete = "", True
        while version:
            version = await self._read_events(client, version)

    async def _list(self, client: "CoreV1Api") -> str:
        asked = set(self._places)
        found: dict[str, Seen] = {}
        token: str | None = None
        while True:
            answer = await self._ask(client, limit=_PAGE, _continue=token or "")
            page = json.loads(await answer.read())
            for pod in page["items"]:
                found[pod_status.name_of(pod)] = Seen(pod_status.outline(pod))
            token = page["metadata"].get("continue")
            if not token:
                break
        for name in asked - found.keys():
            before = self.pods.get(name)
            found[name] = Seen(before.pod if before else None, gone=True)
        self.pods = found
        self._tell_all()
        return str(page["metadata"]["resourceVersion"])

    async def _read_events(self, client: "CoreV1Api", version: str) -> str:
        """Read one stream to its end; returns the version to go on from, none after an error."""
        answer = await self._ask(
            client,
            watch=True,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=_WATCH_SECONDS,
        )
        async with answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                version = str(event["object"]["metadata"]["resourceVersion"])
                if event["type"] != "BOOKMARK":
                    self._take(event["object"], gone=event["type"] == "DELETED")
        return version

    def _take(self, pod: Pod, gone: bool) -> None:
        name = pod_status.name_of(pod)
        place = self._places.get(name)
        if gone and place is None:
            self.pods.pop(name, None)
            return
        self.pods[name] = Seen(pod_status.outline(pod), gone)
        if place is not None:
            place.news.set()

    def _tell_all(self) -> None:
        for place in self._places.values():
            place.news.set()

    async def _ask(self, client: "CoreV1Api", **query: Any) -> "ClientResponse":
        answer = await client.list_namespaced_pod(
            self.namespace,
            label_selector=f"{STAGE_LABEL}=stage",
            **pods.REQUEST | {"_request_timeout": (pods.CONNECT_SECONDS, _QUIET)},
            **query,
        )
        return await _checked(answer)

    # -- the connection

    async def _connect(self) -> "CoreV1Api":
        async with self._connecting:
            if self._client is None:
                # It takes a second, in which the triggerer's other triggers are to go on.
                await asyncio.to_thread(importlib.import_module, _HOOK)
                from kubernetes_asyncio.client import CoreV1Api

                connecting = async_connection(self.cluster)
                self._client = CoreV1Api(await self._connection.enter_async_context(connecting))
            return self._client

    async def _disconnect(self) -> None:
        """The next connection reads the credentials anew."""
        async with self._connecting:
            self._client = None
            await self._connection.aclose()


_informers: dict[tuple[asyncio.AbstractEventLoop, Cluster, str], PodInformer] = {}


async def _checked(answer: Any, *expected: int) -> "ClientResponse":
    """The answer of a call with ``_preload_content=False``, which raises for no status.

    Raises:
        ApiException: it is an error, and not one of the expected ones.
    """
    if answer.status >= 400 and answer.status not in expected:
        from kubernetes_asyncio.client.exceptions import ApiException

        error = ApiException(status=answer.status, reason=answer.reason)
        error.body = await answer.read()
        raise error
    checked: ClientResponse = answer
    return checked


def _failures() -> tuple[type[BaseException], ...]:
    """What a request to the API raises where it fails."""
    from aiohttp import ClientError
    from kubernetes_asyncio.client.exceptions import ApiException

    return ApiException, ClientError, OSError, json.JSONDecodeError
