"""The names of objects, in one place.

======================================================================  =======================
``runs/{dag}/{run}/{task}/{map index}/{try}-{nonce}/{name}``            what a try of a stage wrote
``runs/{dag}/{run}/files/{sha256}``                                     what is shipped with a run
``runs/{dag}/{run}/files/{version}.ipynb``                              the notebook that it goes by
``runs/{dag}/{run}/files/{beginning}.json``                             … which version that is
``runs/{dag}/{run}/files/{token}.go``                                   the task of a pod made ahead
``runs/{dag}/{run}/files/{token}.taken``                                … and who has taken it
``profiles/{dag}/{stage}.json``                                         what tries tell of a stage
``data/{data set}/{file}``                                              a data set, for all to read
``models/{model}/versions/{n}/{name}``                                  a published version
``models/{model}/aliases/{alias}``                                      which version an alias means
``edge/nodes/{node}.json``                                              an edge that has registered
``edge/rollouts/{model}/{rollout}.json``                                how a version came to edges
``edge/leases/{model}.json``                                            who rolls out at present
``observations/{model}/{replay}/{part}.jsonl``                          what a device saw
======================================================================  =======================

A team's DAGs and models have names that begin with its own and a dot, and so have their keys: the
team's key to the store reaches no others (`podline.store.team_keys`).

A key can be read, and parsed back: letters, digits and the marks that ids use stay as they are,
anything else becomes a percent escape.
"""

import re
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, unquote

DATA = "data"
RUNS = "runs"
PROFILES = "profiles"
MODELS = "models"
NODES = "edge/nodes"
ROLLOUTS = "edge/rollouts"
OBSERVATIONS = "observations"
MANIFEST = "manifest.json"
CLAIM = "claim.json"  # who has taken a version's number; its manifest comes last
SIGNATURE = "manifest.sig"  # who vouches for the manifest
# In the folder of a try:
RESULT = "result.json"  # what a stage writes last
EXECUTED = "executed.ipynb"  # its cells with their outputs
LATENCY = "latency.json"  # where its seconds went

_TEAM = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")  # no dot: none begins another's names
_LONGEST = 1024  # bytes that S3 allows in a key
_ESCAPED = re.compile(r"[^\w.~:+=@,-]")
_DOTS = re.compile(r"\.{1,2}")


def quoted(segment: str) -> str:
    """One segment of a key: `segment` with ``/``, ``%``, spaces and the like escaped.

    Raises:
        ValueError: it is empty.
    """
    if not segment:
        raise ValueError("a part of an object's key is empty")
    if _DOTS.fullmatch(segment):  # a client would take these for folders
        return segment.replace(".", "%2E")
    return _ESCAPED.sub(lambda match: quote(match[0], safe=""), segment)


def team_prefix(team: str) -> str:
    """What the names of a team's DAGs and models begin with; of no team: nothing.

    Raises:
        ValueError: a team cannot be called so.
    """
    if team and not _TEAM.fullmatch(team):
        raise ValueError(
            f"{team!r} is no name of a team: give small letters, digits and dashes, 30 at most"
        )
    return f"{team}." if team else ""


def join(*segments: str | int) -> str:
    """A key of these segments, each quoted.

    Raises:
        ValueError: a segment is empty, or the key is longer than S3 allows.
    """
    key = "/".join(quoted(str(segment)) for segment in segments)
    if len(key.encode()) > _LONGEST:
        raise ValueError(f"the key {key[:80]}… is longer than the {_LONGEST} bytes that S3 allows")
    return key


def split(key: str) -> list[str]:
    """The segments of `key`, unquoted: the inverse of `join`."""
    return [unquote(segment) for segment in key.split("/")]


@dataclass(frozen=True, order=True)
class TryKey:
    """One try of one task instance: the folder of all that it writes."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    nonce: str

    @classmethod
    def of(cls, ti: Any, try_number: int | None = None) -> Self:
        """Where a try writes; with a fresh nonce, so that no two tries share a folder.

        Args:
            ti: Airflow's task instance.
            try_number: by default its own.
        """
        index = -1 if ti.map_index is None else ti.map_index
        number = ti.try_number if try_number is None else try_number
        return cls(ti.dag_id, ti.run_id, ti.task_id, index, number, new_nonce())

    @property
    def prefix(self) -> str:
        """The try's folder, without a slash at its end."""
        attempt = f"{self.try_number}-{self.nonce}"
        return join(RUNS, self.dag_id, self.run_id, self.task_id, self.map_index, attempt)

    def key(self, name: str) -> str:
        """The key of the object `name`, which may have folders (``files/a.csv``)."""
        prefix = split(self.prefix)
        return join(*prefix, *name.split("/"))

    @classmethod
    def parse(cls, key: str) -> tuple[Self, str]:
        """The try that `key` belongs to, and the object's name in it.

        Raises:
            ValueError: `key` is not one of a run.
        """
        segments = split(key)
        if len(segments) < 7 or segments[0] != RUNS:
            raise ValueError(f"{key!r} is not the key of a run's object")
        _, dag_id, run_id, task_id, map_index, attempt, *name = segments
        number, _, nonce = attempt.partition("-")
        return cls(dag_id, run_id, task_id, int(map_index), int(number), nonce), "/".join(name)

    @classmethod
    def at(cls, prefix: str) -> Self:
        """The try whose folder `prefix` is.

        Raises:
            ValueError: it is none.
        """
        return cls.parse(f"{prefix}/")[0]


def new_nonce() -> str:
    """A word that no other try has."""
    import secrets  # none of a pod's business

    return secrets.token_hex(8)


def run_prefix(dag_id: str, run_id: str) -> str:
    """The folder of a whole run."""
    return join(RUNS, dag_id, run_id)


def run_of(prefix: str) -> str:
    """The folder of the run that a try's folder is in."""
    return "/".join(prefix.split("/")[:3])


def file_key(run: str, sha256: str) -> str:
    """The key of a file that is shipped with a run, by the sha256 (hex) of its content.

    Args:
        run: the run's folder, of `run_prefix`.
        sha256: of the content.
    """
    return f"{run}/files/{quoted(sha256)}"


def notebook_key(run: str, version: str) -> str:
    """The key of the notebook that a run goes by.

    Args:
        run: the run's folder, of `run_prefix`.
        version: the hash of it and of what is shipped with it.
    """
    return f"{run}/files/{quoted(version)}.ipynb"


def version_note_key(run: str, beginning: str) -> str:
    """The key of the note which version a run goes by.

    Args:
        run: the run's folder, of `run_prefix`.
        beginning: when the run began; one that is cleared as a whole begins again.
    """
    return f"{run}/files/{quoted(beginning)}.json"


def go_key(run: str, token: str) -> str:
    """The key of the task that a pod waits for which was made ahead.

    Args:
        run: the run's folder, of `run_prefix`.
        token: the pod's.
    """
    return f"{run}/files/{quoted(token)}.go"


def taken_key(run: str, token: str) -> str:
    """The key of who took that task: the pod, or who gave it and waited in vain.

    Args:
        run: the run's folder, of `run_prefix`.
        token: the pod's.
    """
    return f"{run}/files/{quoted(token)}.taken"


def profile_key(dag_id: str, stage: str) -> str:
    """The key of what the tries of a stage tell of it.

    Args:
        dag_id: of its pipeline.
        stage: its name.
    """
    return join(PROFILES, dag_id, f"{stage}.json")


def version_key(model: str, version: int, name: str) -> str:
    """The key of an object of a published version.

    Args:
        model: the model's name.
        version: the version's number.
        name: the object's, which may have folders.
    """
    return join(MODELS, model, "versions", version, *name.split("/"))


def manifest_key(model: str, version: int) -> str:
    """The key of a published version's manifest."""
    return version_key(model, version, MANIFEST)


def signature_key(model: str, version: int) -> str:
    """The key of the signature of a published version's manifest."""
    return version_key(model, version, SIGNATURE)


def claim_key(model: str, version: int) -> str:
    """The key of what takes a version's number."""
    return version_key(model, version, CLAIM)


def alias_key(model: str, alias: str) -> str:
    """The key of an alias of a model."""
    return join(MODELS, model, "aliases", alias)


def node_key(node: str) -> str:
    """The key of what an edge says of itself."""
    return f"{NODES}/{quoted(node)}.json"


def rollouts_prefix(model: str) -> str:
    """The folder of a model's rollouts."""
    return f"{ROLLOUTS}/{quoted(model)}"


def rollout_key(model: str, rollout: str) -> str:
    """The key of the record of a rollout.

    Args:
        model: the model's name.
        rollout: the rollout's id.
    """
    return f"{rollouts_prefix(model)}/{quoted(rollout)}.json"


def lease_key(model: str) -> str:
    """The key of the note who rolls out a model at present."""
    return f"edge/leases/{quoted(model)}.json"


def observations_prefix(model: str, replay: str) -> str:
    """The folder of what a device saw.

    Args:
        model: whose answers.
        replay: a word for it, such as when it began.
    """
    return join(OBSERVATIONS, model, replay)
