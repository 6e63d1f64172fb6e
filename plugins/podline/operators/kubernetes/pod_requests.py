"""Requests about pods to a cluster that may not answer, or have no room: they are sent again."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from podline import settings
from podline.exceptions import StageError
from podline.operators.kubernetes import pods
from podline.operators.kubernetes.pod_status import Pod
from podline.operators.kubernetes.pods import explain, failures, status_of
from podline.operators.kubernetes.secrets import have_secret
from podline.operators.kubernetes.startup import Reconnection
from podline.store.in_cluster import CONNECTION_SECRET, is_at

if TYPE_CHECKING:
    from kubernetes.client import CoreV1Api

    from podline.store import StoreConnection

_T = TypeVar("_T")
_QUOTA_AGAIN = 2.0  # seconds
# What the cluster says of a quota that is full, and of a new one, and what it means.
_WAITS = {
    "exceeded quota": "no room in the namespace's quota",
    "status unknown for quota": "the namespace's quota is not counted yet",
}


class PodRequests:
    """Sends requests, as long as a pod may take to start.

    Args:
        client: of the cluster.
        namespace: of the pods.
        say: takes what the cluster lacks, in sentences.

    Attributes:
        stopped: the stage was told to stop: nothing is waited for any more.
    """

    def __init__(self, client: "CoreV1Api", namespace: str, say: Callable[[str], object]) -> None:
        self.client, self.namespace, self.say = client, namespace, say
        self.stopped = False

    def ask(self, request: Callable[[], _T]) -> _T:
        """Send a request, and again while nobody answers.

        Raises:
            ApiException: it was refused.
            OSError: nobody has answered, or the stage was told to stop.
        """
        reconnection, until = Reconnection(), time.monotonic() + settings.startup_timeout()
        while True:
            try:
                return request()
            except failures() as error:
                now = time.monotonic()
                if not pods.passes(error) or now > until or self.stopped:
                    raise
                if reconnection.broke(now):
                    self.say(f"the cluster does not answer: {explain(error)}; it is tried again")
            time.sleep(reconnection.wait)

    def create(self, body: Pod, make_room: Callable[[], object]) -> Pod:
        """Create a pod, once the namespace's quota has room for it.

        Args:
            body: its JSON.
            make_room: is called where it has none.

        Raises:
            StageError: the cluster refuses it, or does not answer.
        """
        until = time.monotonic() + settings.startup_timeout()
        said = False
        while True:
            try:
                return self.ask(lambda: pods.create_pod(self.client, body))
            except failures() as error:
                status, why = status_of(error), explain(error)
                if status == 409:  # the answer to our first request was lost
                    return self.ask(lambda: pods.read_pod(self.client, body))
                waits = [text for words, text in _WAITS.items() if status == 403 and words in why]
                if not waits or time.monotonic() > until:
                    raise StageError(_refused(status, why, self.namespace)) from None
                if not said:
                    self.say(f"{waits[0]}: {why}; it is tried again")
                    make_room()
                said = True
                time.sleep(_QUOTA_AGAIN)

    def secret(self, connection: "StoreConnection") -> str:
        """Have the store's connection in a Secret, named by what it holds; returns its name.

        A team's is there already, with the team's own key: Airflow's is never written beside it.

        Raises:
            StageError: it cannot be made, or the team's pods would have the whole key.
        """
        if connection.team:
            return self._secret_of_team(connection)
        if name := settings.store_secret():
            return name
        if settings.store_endpoint():
            connection = replace(connection, endpoint_url=settings.store_endpoint())
        try:
            content = connection.to_env()
            return self.ask(lambda: have_secret(self.client, self.namespace, content))
        except failures() as error:
            raise StageError(
                f"the store's Secret cannot be made in the namespace {self.namespace!r}: "
                f"{explain(error)}. fix: allow that, or name a Secret in [podline] store_secret"
            ) from None

    def _secret_of_team(self, connection: "StoreConnection") -> str:
        name, namespace = settings.store_secret() or CONNECTION_SECRET, self.namespace
        # Beside the store no other name helps: a notebook's tag names any Secret of its namespace.
        # Elsewhere the setting says of the Secret that it names that it is the team's.
        shared = namespace == settings.namespace() and name == CONNECTION_SECRET
        if not shared and not is_at(connection.endpoint_url, namespace):
            return name
        team = connection.team
        raise StageError(
            f"the team {team!r} has its pods in the namespace {namespace!r}, and there the whole "
            "key to the store is, which is not for teams. fix: give it a namespace of its own, "
            f'Team({team!r}, namespace="NAMESPACE"), by `podline store secrets --team {team} '
            "--copy-to NAMESPACE`; or, where neither the store nor its key is there, name the "
            "team's Secret in [podline] store_secret",
            final=True,
        )


def _refused(status: int | None, why: str, namespace: str) -> str:
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
