"""The words before a tag's colon, and how the text behind each becomes a typed value.

A text that Kubernetes or Airflow would refuse in the middle of a run is refused here, before it,
with what to write instead::

    limit:memory:512MB    '512MB' is not a quantity of Kubernetes: write 512Mi
    limit:memory:512m     '512m' is a fraction of a byte: legal in Kubernetes, and never meant

Each reader takes the text after the first colon, and returns the value, or a key with its value
where the word's field holds several.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from podline.settings import read_ahead

# Kale reads `step:skip` as `skip`; as a stage here it would mean two things.
RESERVED_STAGES = frozenset({"imports", "functions", "skip"})


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


class Unreadable(Exception):
    """A tag of ours does not say what it must; holds what is wrong and, maybe, the fix."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


_STAGE = re.compile(r"[_a-z][_a-z0-9]{0,249}")  # Kale's rule; Airflow's task ids end at 250
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_DNS = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_DNS}")
# Kubernetes' qualified name: labels, annotations and extended resources.
_QUALIFIED = re.compile(
    rf"(?:(?=[^/]{{1,253}}/){_DNS}/)?(?=[^/]{{1,63}}\Z)[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
)
# By these podline, its store and its edges, Airflow and charts tell their own pods from others.
_OWN_LABEL = re.compile(r"podline.*|app|component|app\.kubernetes\.io/(name|instance|component)")
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
    """Read a stage's name; none (`step:`, which Kale's extension writes) says nothing."""
    if text in RESERVED_STAGES:
        raise Unreadable(
            f"{text!r} is a kind of cell, not a name", f"write `{text}`, or choose another name"
        )
    return _stage_name(text) if text else ""


def _prev(text: str) -> tuple[str, str]:
    """Read a stage's name, which is its own key: a cell may name several, each once."""
    if "," in text or ";" in text:
        raise Unreadable("one tag names one stage", "write a `prev:` tag for each of them")
    name = _stage_name(text) if text else ""
    return name, name


def _stage_name(text: str) -> str:
    """Read the name of a stage, or suggest the nearest that is one."""
    if _STAGE.fullmatch(text):
        return text
    near = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:250]
    near = f"_{near[:249]}" if near[:1].isdigit() else near
    raise Unreadable(
        f"a stage's name has at most 250 of a-z, 0-9 and _, not a digit first, unlike {text!r}",
        f"call it `{near}`" if near else "",
    )


def _notebook(text: str) -> str:
    """Refuse Kale's pipelines of several notebooks, rather than leave one out unsaid."""
    raise Unreadable(
        "a pipeline comes from one notebook", "put that notebook's cells into this one"
    )


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise Unreadable(f"{text!r} is not {what}")
    return text


def _image(text: str) -> str:
    return _matching(_IMAGE, text, "the reference of an image")


def _switch(text: str) -> bool:
    if text not in ("enabled", "disabled"):
        raise Unreadable(f"{text!r} is neither enabled nor disabled")
    return text == "enabled"


def _resource(text: str) -> tuple[str, str]:
    """Read `memory:2Gi`: a resource of Kubernetes or a device, and a quantity of it."""
    key, _, quantity = text.partition(":")
    known = key in ("cpu", "memory", "ephemeral-storage") or key.startswith("hugepages-")
    if not (known or "/" in key) or not _QUALIFIED.fullmatch(key):
        raise Unreadable(
            f"Kubernetes has no resource {key!r}",
            "cpu, memory, ephemeral-storage, or a device such as nvidia.com/gpu",
        )
    if not quantity:
        raise Unreadable(f"it says no quantity of {key}")
    matched = _QUANTITY.fullmatch(quantity)
    if not matched:
        near = re.fullmatch(r"([0-9.]+) ?([kmgtpe])(i?)b?", quantity, re.IGNORECASE)
        fix = f"write {near[1]}{near[2].upper()}i" if near else ""
        raise Unreadable(f"{quantity!r} is not a quantity of Kubernetes", fix)
    # Half a byte and half a GPU: legal to write, and never meant.
    if key != "cpu" and (quantity[-1] in "mun" or ("/" in key and "." in quantity)):
        fix = "write a whole number" if "/" in key else f"write {matched[1]}Mi"
        raise Unreadable(
            f"{quantity!r} is a fraction of a {'device' if '/' in key else 'byte'}", fix
        )
    return key, quantity


def _label(text: str) -> tuple[str, str]:
    """Read `example.com/team:ml`; Kubernetes selects by labels, so their values are short words."""
    key, value = _pair(text)
    _matching(_QUALIFIED, key, "the key of a label")
    if _OWN_LABEL.fullmatch(key):
        raise Unreadable(
            f"{key!r} tells podline's own pods from others, such as the store and the edges",
            f"write `label:example.com/{key.rpartition('/')[2]}:{value}`, or the like",
        )
    if not _LABEL_VALUE.fullmatch(value):
        raise Unreadable(
            f"a label's value has at most 63 letters, digits and -_. inside, unlike {value!r}",
            "shorten it, or use an annotation, which takes any text",
        )
    return key, value


def _annotation(text: str) -> tuple[str, str]:
    """Read a key and any text, colons included."""
    key, value = _pair(text)
    if not _QUALIFIED.fullmatch(key.lower()):  # Kubernetes, too, minds no case here
        raise Unreadable(f"{key!r} is not the key of an annotation")
    return key, value


def _pair(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise Unreadable(f"it has no value for {key!r}")
    return key, value


def _secret(text: str) -> tuple[str, SecretKey]:
    """Read `database:password:DB_PASSWORD`: a Secret, a key in it, an environment variable."""
    parts = text.split(":")
    if len(parts) != 3:
        raise Unreadable("it must say a Secret, a key in it and an environment variable")
    name = _matching(_SUBDOMAIN, parts[0], "the name of a Secret")
    key = _matching(_SECRET_KEY, parts[1], "a key of a Secret")
    variable = _matching(_VARIABLE, parts[2], "the name of an environment variable")
    return variable, SecretKey(name, key)


def _retry(text: str) -> Retry:
    """Read `3:30s:2:10m`: three more tries, after 30 s, 60 s and so on, at most 10 minutes."""
    times, *rest = text.split(":")
    if not re.fullmatch("[0-9]{1,4}", times):
        raise Unreadable(f"{times!r} is not a number of retries, 0 to 9999")
    if len(rest) > 3:
        raise Unreadable("it says more than times, interval, factor and longest interval")
    interval = _seconds(rest[0]) if rest else None
    factor = None
    if len(rest) > 1:
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", rest[1]) or float(rest[1]) < 1:
            raise Unreadable(f"{rest[1]!r} is not a factor of 1 or more")
        factor = float(rest[1])
    longest = _seconds(rest[2]) if len(rest) > 2 else None
    if interval and longest and longest < interval:
        raise Unreadable(f"the longest interval {rest[2]} is shorter than the first, {rest[0]}")
    return Retry(int(times), interval, factor, longest)


def _seconds(text: str) -> float:
    """Read `90`, `90s`, `30m`, `2h` or `1d` as seconds."""
    matched = _DURATION.fullmatch(text)
    seconds = float(matched[1]) * _SECONDS[matched[2]] if matched else 0.0
    if seconds <= 0:
        raise Unreadable(f"{text!r} is not a time of more than 0, such as 90, 90s, 30m, 2h or 1d")
    return seconds


def _pool(text: str) -> str:
    """Read the name of one of Airflow's pools, of which its database takes 256 characters."""
    if len(text) > 256:
        raise Unreadable(f"a pool's name has at most 256 characters, unlike {text!r}")
    return text


def _whole(text: str) -> int:
    """Read a number that Airflow's database takes."""
    if not re.fullmatch("[0-9]{1,4}", text):
        raise Unreadable(f"{text!r} is not a whole number from 0 to 9999")
    return int(text)


def _least_one(text: str) -> int:
    """Read a number of 1 or more."""
    if not _whole(text):
        raise Unreadable("with 0 the stage would never run")
    return int(text)


def _ahead(text: str) -> int:
    """Read `off`, `auto` or `2`: how many stages before its turn the stage may be begun with."""
    try:
        return read_ahead(text)
    except ValueError as error:
        raise Unreadable(f"{text!r} is not {error}") from None


class Word(NamedTuple):
    """What stands before a tag's colon.

    Attributes:
        field: what of a cell's tags it fills.
        read: takes the text behind the colon; raises `Unreadable`.
        example: a readable tag.
        keyed: the field holds several values, and `read` returns (key, value).
    """

    field: str
    read: Callable[[str], Any]
    example: str
    keyed: bool = False


WORDS: dict[str, Word] = {
    "step": Word("stage", _stage, "step:train"),
    "block": Word("stage", _stage, "block:train"),  # Kale before 2.0
    "notebook": Word("stage", _notebook, "step:train"),  # Kale 2.3's sub-pipelines
    "prev": Word("prev", _prev, "prev:load", keyed=True),
    "image": Word("image", _image, "image:registry.example:5000/stage:1.2"),
    "cache": Word("cache", _switch, "cache:disabled"),
    "limit": Word("limits", _resource, "limit:memory:2Gi", keyed=True),
    "request": Word("requests", _resource, "request:cpu:500m", keyed=True),
    "label": Word("labels", _label, "label:example.com/team:ml", keyed=True),
    "annotation": Word(
        "annotations", _annotation, "annotation:example.com/run:by hand", keyed=True
    ),
    "secret": Word("secrets", _secret, "secret:database:password:DB_PASSWORD", keyed=True),
    "retry": Word("retry", _retry, "retry:3:30s:2:10m"),
    "timeout": Word("timeout", _seconds, "timeout:30m"),
    "ahead": Word("ahead", _ahead, "ahead:off"),
    "pool": Word("pool", _pool, "pool:gpu"),
    "priority_weight": Word("priority_weight", _whole, "priority_weight:10"),
    "max_active_tis_per_dag": Word(
        "max_active_tis_per_dag", _least_one, "max_active_tis_per_dag:1"
    ),
}
