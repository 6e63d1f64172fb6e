"""The tags of a notebook's cells: what each may say, read into typed values.

The vocabulary is the union of Kale's (0.5 to 2.3) and papermill's ``parameters``, with
``request:``, ``retry:``, ``timeout:`` and an empty ``prev:`` added. One cell is read at a time:
which stage an unnamed cell joins, and whether a ``prev:`` names a stage, is the parser's part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

Kind = Literal["stage", "imports", "functions", "skip", "parameters", "metrics"]
Severity = Literal["error", "warning"]

# Kale reads `step:skip` as `skip`; as a stage here it would mean two things.
RESERVED_STAGES = frozenset({"imports", "functions", "skip"})


@dataclass(frozen=True)
class TagProblem:
    """What is wrong with one tag.

    Attributes:
        severity: ``error`` when the notebook must not run so, ``warning`` when the tag does
            nothing.
        tag: the tag as written (the ``repr`` of one that is not text).
        message: what is wrong, naming the tag.
        fix: what to write instead.
    """

    severity: Severity
    tag: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.message}: {self.fix}"


class Retry(NamedTuple):
    """``retry:TIMES[:INTERVAL[:FACTOR[:MAX_INTERVAL]]]``; intervals in seconds, None: not said."""

    times: int
    interval: float | None = None
    factor: float | None = None
    max_interval: float | None = None


class SecretKey(NamedTuple):
    """One key of a Kubernetes Secret."""

    name: str
    key: str


# The settings below that only a pod has a use for.
OF_PODS = ("image", "limits", "requests", "labels", "annotations", "secrets", "cache")


@dataclass(frozen=True)
class StageSettings:
    """How a stage runs, as far as tags say; None or an empty mapping: nothing said.

    Attributes:
        image: reference of the container image.
        cache: whether an earlier run's outputs may be used again.
        limits, requests: Kubernetes quantities as text, by resource.
        labels, annotations: of the pod.
        secrets: keys of Kubernetes Secrets, by the environment variable that gets the value.
        retry: how often and when to try again.
        timeout: seconds that one try may take.
    """

    image: str | None = None
    cache: bool | None = None
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)
    retry: Retry | None = None
    timeout: float | None = None

    def over(self, defaults: StageSettings) -> StageSettings:
        """Return these settings, and those of ``defaults`` where these say nothing."""
        merged: dict[str, Any] = {}
        for setting in fields(self):
            mine, theirs = getattr(self, setting.name), getattr(defaults, setting.name)
            if isinstance(mine, Mapping):
                merged[setting.name] = {**theirs, **mine}
            else:
                merged[setting.name] = theirs if mine is None else mine
        return StageSettings(**merged)


@dataclass(frozen=True)
class CellTags:
    """What the tags of one code cell say.

    Attributes:
        kind: what the cell is; ``stage`` for code that one stage runs.
        stage: the stage that the cell belongs to; None: it joins what the cell before belongs to.
        prev: the stages that must end first; None: not said; empty: none (an empty ``prev:``).
        settings: how the stage runs.
    """

    kind: Kind = "stage"
    stage: str | None = None
    prev: tuple[str, ...] | None = None
    settings: StageSettings = field(default_factory=StageSettings)


_UNTAGGED = CellTags()


def parse_tags(tags: Sequence[object]) -> tuple[CellTags, list[TagProblem]]:
    """Read the tags of one code cell.

    Args:
        tags: the list ``metadata.tags`` of the cell, as it is in the notebook.

    Returns:
        What the readable tags say, and the problems of the others; a tag with a problem is left out
        of the first. Nothing is raised.
    """
    if not tags:
        return _UNTAGGED, []
    # Whoever skips a cell keeps its other tags for later: nothing to complain about.
    if "skip" in tags:
        return CellTags(kind="skip"), []
    readings, problems = _read_all(tags)
    kind: Kind = next((r.value for r in readings if r.field == "kind"), "stage")
    stage: str | None = next((r.value for r in readings if r.field == "stage"), None)
    # An unreadable name is one problem, not one more for each tag beside it.
    misnamed = stage is None and any(p.tag.partition(":")[0] in _STAGE_WORDS for p in problems)
    kept = []
    for reading in readings:
        problem = None if misnamed else _misplaced(reading, kind, stage)
        if problem is None:
            kept.append(reading)
        else:
            problems.append(problem)
    values = _values(kept)
    prev = tuple(values["prev"]) if "prev" in values else None
    if prev is not None and "" in prev:
        prev = tuple(name for name in prev if name)
        if prev:
            problems.append(_contradiction("prev:", f"prev:{prev[0]}"))
    return CellTags(kind, values.get("stage") or None, prev, _settings(values)), problems


def parse_defaults(tags: Sequence[object]) -> tuple[StageSettings, list[TagProblem]]:
    """Read the tags that hold for every stage: Kale's ``steps_defaults`` in a notebook's metadata.

    Args:
        tags: the list, in the spelling of a cell's tags.

    Returns:
        The settings, for :meth:`StageSettings.over`, and the problems. Nothing is raised.
    """
    readings, problems = _read_all(tags)
    kept = []
    for reading in readings:
        if reading.field in ("kind", "stage", "prev"):
            message = f"`{reading.tag}` is about one cell, and cannot hold for every stage"
            problems.append(TagProblem("error", reading.tag, message, "tag the cell itself"))
        else:
            kept.append(reading)
    return _settings(_values(kept)), problems


# --- from tags to readings ----------------------------------------------------------------------


class _Reading(NamedTuple):
    """One readable tag: the field it fills; the key, in a field that holds several; the value."""

    tag: str
    field: str
    key: str
    value: Any


class _Unreadable(Exception):
    """A tag of ours does not say what it must; holds what is wrong and, maybe, the fix."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def _read_all(tags: Sequence[object]) -> tuple[list[_Reading], list[TagProblem]]:
    readings: dict[tuple[str, str], _Reading] = {}
    problems: list[TagProblem] = []
    for tag in tags:
        if not isinstance(tag, str):
            message = f"the tag {tag!r} is not text but {type(tag).__name__}"
            problems.append(
                TagProblem("error", repr(tag), message, "put it in quotes, or remove it")
            )
            continue
        reading = _read(tag)
        if isinstance(reading, TagProblem):
            problems.append(reading)
        elif reading is not None:
            first = readings.setdefault((reading.field, reading.key), reading)
            if first.value != reading.value:
                problems.append(_contradiction(first.tag, tag))
    return list(readings.values()), problems


def _read(tag: str) -> _Reading | TagProblem | None:
    """Read one tag; None: it is of another tool, and nothing to us."""
    name, colon, text = tag.partition(":")
    if name in _KINDS:
        if not colon:
            return _Reading(tag, "kind", "", _KINDS[name])
        return TagProblem("error", tag, f"`{tag}`: `{name}` takes no value", f"write `{name}`")
    if name == "report":  # Kale keeps a step's cells as HTML if it says so
        what = "does nothing: every stage's executed cells are kept"
        return TagProblem("warning", tag, f"`{tag}` {what}", "remove it, or leave it")
    if name not in _WORDS:
        return _foreign(tag)
    word = _WORDS[name]
    try:
        if not colon or (not text and word.field not in ("stage", "prev")):
            raise _Unreadable("it has no value")
        value = word.read(text)
    except _Unreadable as why:
        fix = why.fix or f"write it like `{word.example}`"
        return TagProblem("error", tag, f"`{tag}`: {why.message}", fix)
    key, value = value if word.keyed else ("", value)
    return _Reading(tag, word.field, key, value)


# Tags of Jupyter Book, nbconvert and nbval that change a cell's look or a test of it. A notebook
# may have one on every cell, and warnings about them would hide the one that matters.
_LOOK = re.compile(r"(hide|remove|scroll|output_scroll|full-width|margin|popout|nbval)([-_].*)?")


def _foreign(tag: str) -> TagProblem | None:
    name, _, text = (part.strip() for part in tag.partition(":"))
    if _LOOK.fullmatch(name):
        return None
    import difflib  # costs milliseconds, and only a strange tag needs it

    fix = "correct it, or leave it: it changes nothing"
    ours = {example.partition(":")[0]: example for example in EXAMPLES}
    for near in difflib.get_close_matches(name.lower(), ours, n=1, cutoff=0.7):
        meant = f"{near}:{text}" if near in _WORDS and text else ours[near]
        fix = f"did you mean `{meant}`?"
    return TagProblem("warning", tag, f"`{tag}` is not one of podline's tags", fix)


def _contradiction(first: str, second: str) -> TagProblem:
    message = f"`{second}` contradicts `{first}` on the same cell"
    return TagProblem("error", second, message, "keep one of the two")


# --- from readings to one cell's tags -----------------------------------------------------------


def _misplaced(reading: _Reading, kind: Kind, stage: str | None) -> TagProblem | None:
    """Say whether a tag means nothing on a cell of this kind and stage name ('': `step:`)."""
    found: tuple[Severity, str, str]
    if reading.field == "kind" or (reading.field == "stage" and kind == "stage"):
        return None
    if reading.field == "stage" and reading.value:
        found = "error", f"cannot be on a cell of {kind}", "keep one of the two tags"
    elif kind != "stage":
        found = "warning", f"does nothing on a cell of {kind}", "move it to a cell with a `step:`"
    elif stage is None:
        found = "error", "is on a cell that names no stage", "add `step:NAME`, or move it to one"
    elif not stage:
        found = "warning", "does nothing beside a `step:` with no name", "name the stage"
    elif reading.field == "prev" and reading.value == stage:
        found = "error", "makes the stage wait for itself", "name another stage, or remove the tag"
    else:
        return None
    severity, what, fix = found
    return TagProblem(severity, reading.tag, f"`{reading.tag}` {what}", fix)


def _values(readings: Sequence[_Reading]) -> dict[str, Any]:
    """Gather readings by field: a mapping by key where a field holds several."""
    values: dict[str, Any] = {}
    keyed = {word.field for word in _WORDS.values() if word.keyed}
    for reading in readings:
        if reading.field in keyed:
            values.setdefault(reading.field, {})[reading.key] = reading.value
        else:
            values[reading.field] = reading.value
    return values


def _settings(values: Mapping[str, Any]) -> StageSettings:
    names = {setting.name for setting in fields(StageSettings)}
    return StageSettings(**{name: value for name, value in values.items() if name in names})


# --- the values: each takes the text after the first colon --------------------------------------

_STAGE = re.compile(r"[_a-z][_a-z0-9]{0,249}")  # Kale's rule; Airflow's task ids end at 250
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_DNS = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_DNS}")
# Kubernetes' qualified name: labels, annotations and extended resources.
_QUALIFIED = re.compile(
    rf"(?:(?=[^/]{{1,253}}/){_DNS}/)?(?=[^/]{{1,63}}\Z)[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
)
_SECRET_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_QUANTITY = re.compile(
    r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,2})?"
)
_DURATION = re.compile(r"([0-9]{1,8}(?:\.[0-9]{1,9})?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?:[A-Za-z0-9][-A-Za-z0-9.]*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]{32,})?"
)


def _stage(text: str) -> str:
    if text in RESERVED_STAGES:
        raise _Unreadable(
            f"{text!r} is a kind of cell, not a name", f"write `{text}`, or choose another name"
        )
    return _stage_name(text) if text else ""


def _prev(text: str) -> tuple[str, str]:
    if "," in text or ";" in text:
        raise _Unreadable("one tag names one stage", "write a `prev:` tag for each of them")
    name = _stage_name(text) if text else ""
    return name, name


def _stage_name(text: str) -> str:
    if _STAGE.fullmatch(text):
        return text
    near = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:250]
    near = f"_{near[:249]}" if near[:1].isdigit() else near
    raise _Unreadable(
        f"a stage's name has at most 250 of a-z, 0-9 and _, not a digit first, unlike {text!r}",
        f"call it `{near}`" if near else "",
    )


def _notebook(text: str) -> str:
    raise _Unreadable(
        "a pipeline comes from one notebook", "put that notebook's cells into this one"
    )


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise _Unreadable(f"{text!r} is not the reference of an image")
    return text


def _switch(text: str) -> bool:
    if text not in ("enabled", "disabled"):
        raise _Unreadable(f"{text!r} is neither enabled nor disabled")
    return text == "enabled"


def _resource(text: str) -> tuple[str, str]:
    key, _, quantity = text.partition(":")
    known = key in ("cpu", "memory", "ephemeral-storage") or key.startswith("hugepages-")
    if not (known or "/" in key) or not _QUALIFIED.fullmatch(key):
        raise _Unreadable(
            f"Kubernetes has no resource {key!r}",
            "cpu, memory, ephemeral-storage, or a device such as nvidia.com/gpu",
        )
    if not quantity:
        raise _Unreadable(f"it says no quantity of {key}")
    matched = _QUANTITY.fullmatch(quantity)
    if not matched:
        near = re.fullmatch(r"([0-9.]+) ?([kmgtpe])(i?)b?", quantity, re.IGNORECASE)
        fix = f"write {near[1]}{near[2].upper()}i" if near else ""
        raise _Unreadable(f"{quantity!r} is not a quantity of Kubernetes", fix)
    # Half a byte and half a GPU: legal to write, and never meant.
    if key != "cpu" and (quantity[-1] in "mun" or ("/" in key and "." in quantity)):
        fix = "write a whole number" if "/" in key else f"write {matched[1]}Mi"
        raise _Unreadable(
            f"{quantity!r} is a fraction of a {'device' if '/' in key else 'byte'}", fix
        )
    return key, quantity


def _label(text: str) -> tuple[str, str]:
    key, value = _pair(text)
    if not _QUALIFIED.fullmatch(key):
        raise _Unreadable(f"{key!r} is not the key of a label")
    if not _LABEL_VALUE.fullmatch(value):
        raise _Unreadable(
            f"a label's value has at most 63 letters, digits and -_. inside, unlike {value!r}",
            "shorten it, or use an annotation, which takes any text",
        )
    return key, value


def _annotation(text: str) -> tuple[str, str]:
    key, value = _pair(text)
    if not _QUALIFIED.fullmatch(key.lower()):  # Kubernetes, too, minds no case here
        raise _Unreadable(f"{key!r} is not the key of an annotation")
    return key, value


def _pair(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise _Unreadable(f"it has no value for {key!r}")
    return key, value


def _secret(text: str) -> tuple[str, SecretKey]:
    parts = text.split(":")
    if len(parts) != 3:
        raise _Unreadable("it must say a Secret, a key in it and an environment variable")
    name, key, variable = parts
    for part, pattern, what in (
        (name, _SUBDOMAIN, "the name of a Secret"),
        (key, _SECRET_KEY, "a key of a Secret"),
        (variable, _VARIABLE, "the name of an environment variable"),
    ):
        if not pattern.fullmatch(part):
            raise _Unreadable(f"{part!r} is not {what}")
    return variable, SecretKey(name, key)


def _retry(text: str) -> Retry:
    times, *rest = text.split(":")
    if not re.fullmatch("[0-9]{1,4}", times):
        raise _Unreadable(f"{times!r} is not a number of retries, 0 to 9999")
    if len(rest) > 3:
        raise _Unreadable("it says more than times, interval, factor and longest interval")
    interval = _seconds(rest[0]) if rest else None
    factor = None
    if len(rest) > 1:
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", rest[1]) or float(rest[1]) < 1:
            raise _Unreadable(f"{rest[1]!r} is not a factor of 1 or more")
        factor = float(rest[1])
    longest = _seconds(rest[2]) if len(rest) > 2 else None
    if interval and longest and longest < interval:
        raise _Unreadable(f"the longest interval {rest[2]} is shorter than the first, {rest[0]}")
    return Retry(int(times), interval, factor, longest)


def _seconds(text: str) -> float:
    matched = _DURATION.fullmatch(text)
    seconds = float(matched[1]) * _SECONDS[matched[2]] if matched else 0.0
    if seconds <= 0:
        raise _Unreadable(f"{text!r} is not a time of more than 0, such as 90, 90s, 30m, 2h or 1d")
    return seconds


class _Word(NamedTuple):
    """What stands before a tag's colon; ``keyed``: its field holds several values, by key."""

    field: str
    read: Callable[[str], Any]
    example: str
    keyed: bool = False


_STAGE_WORDS = ("step", "block", "notebook")

_KINDS: dict[str, Kind] = {
    "imports": "imports",
    "functions": "functions",
    "skip": "skip",
    "parameters": "parameters",  # papermill
    "pipeline-parameters": "parameters",
    "pipeline-metrics": "metrics",
}

_WORDS: dict[str, _Word] = {
    "step": _Word("stage", _stage, "step:train"),
    "block": _Word("stage", _stage, "block:train"),  # Kale before 2.0
    "notebook": _Word("stage", _notebook, "step:train"),  # Kale 2.3's sub-pipelines
    "prev": _Word("prev", _prev, "prev:load", keyed=True),
    "image": _Word("image", _image, "image:registry.example:5000/stage:1.2"),
    "cache": _Word("cache", _switch, "cache:disabled"),
    "limit": _Word("limits", _resource, "limit:memory:2Gi", keyed=True),
    "request": _Word("requests", _resource, "request:cpu:500m", keyed=True),
    "label": _Word("labels", _label, "label:example.com/team:ml", keyed=True),
    "annotation": _Word(
        "annotations", _annotation, "annotation:example.com/run:by hand", keyed=True
    ),
    "secret": _Word("secrets", _secret, "secret:database:password:DB_PASSWORD", keyed=True),
    "retry": _Word("retry", _retry, "retry:3:30s:2:10m"),
    "timeout": _Word("timeout", _seconds, "timeout:30m"),
}

# One readable tag for each word, for documents and their tests.
EXAMPLES: tuple[str, ...] = (
    *_KINDS,
    *(word.example for name, word in _WORDS.items() if name != "notebook"),
)
