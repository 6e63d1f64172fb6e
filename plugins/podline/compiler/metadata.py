"""What a notebook's own metadata, under `podline`, says about its DAG.

It is written by hand, in JSON, and is no code: a value that cannot be used is an error with an
example of one that can, and a setting that nobody knows a warning.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from podline.compiler.notebook import WARNING, Problem
from podline.compiler.parameters import Values
from podline.compiler.places import is_elsewhere

KEY = "podline"


@dataclass(frozen=True)
class Sizes:
    """Which of the notebook's parameters say how large its data and its model are.

    Attributes:
        data, model: a parameter's name; none: that size cannot be chosen.
        steps: of training, likewise.
        fixed: values that other parameters have wherever sizes are compared.
    """

    data: str = ""
    model: str = ""
    steps: str = ""
    fixed: Values = field(default_factory=dict)

    @property
    def parameters(self) -> set[str]:
        """All parameters that are named here."""
        return {self.data, self.model, self.steps, *self.fixed} - {""}


@dataclass(frozen=True)
class DagSettings:
    """How Airflow runs the notebook's DAG.

    Attributes:
        schedule: a cron expression, a preset such as ``@daily``, or None: by hand.
        start_date: the first date that a schedule is about, in ISO 8601.
        catchup: whether the dates since then are made up for.
        owner, tags, max_active_runs, retries: as Airflow has them.
        pool, priority_weight, max_active_tis_per_dag: of its tasks, as Airflow has them; none: its
            defaults.
        files: patterns of files beside the notebook that it reads without naming them.
        sizes: what the overhead study varies; None: nothing is named.
        bounds: of parameters, by name, as comments have them.
    """

    schedule: str | None = None
    start_date: str | None = None
    catchup: bool = False
    owner: str = "podline"
    tags: tuple[str, ...] = ()
    max_active_runs: int = 1
    retries: int = 0
    pool: str | None = None
    priority_weight: int | None = None
    max_active_tis_per_dag: int | None = None
    files: tuple[str, ...] = ()
    sizes: Sizes | None = None
    bounds: dict[str, str] = field(default_factory=dict)


_NAMES = "@once @continuous @hourly @daily @weekly @monthly @quarterly @yearly"
# Airflow's own names for schedules.
_PRESETS = frozenset(_NAMES.split())


def _is_schedule(value: Any) -> bool:
    if not isinstance(value, str):
        return value is None
    if value.startswith("@"):
        return value in _PRESETS
    from croniter import croniter  # which Airflow reads it with, and few notebooks need

    try:
        return bool(croniter(value).get_next())
    except ValueError:  # it is none, or its day never comes, such as 31 February
        return False


def _is_date(value: Any) -> bool:
    try:
        return value is None or bool(datetime.fromisoformat(value))
    except (TypeError, ValueError):
        return False


def _is_text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest


def _are_texts(value: Any, longest: int = 10_000) -> bool:
    return isinstance(value, list) and all(_is_text(item, longest) for item in value)


def _are_patterns(value: Any) -> bool:
    return _are_texts(value) and not any(map(is_elsewhere, value))


def _are_sizes(value: Any) -> bool:
    kinds = {"data": str, "model": str, "steps": str, "fixed": dict}
    return isinstance(value, dict) and all(
        isinstance(item, kinds.get(key, ())) for key, item in value.items()
    )


def _are_bounds(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_whole(value: Any, least: int = 0) -> bool:
    return type(value) is int and least <= value <= 9999  # `true` is an int of Python's


# Whether a value can be used, and what else to give, by the setting's name. What is longer or
# larger than Airflow's database takes would cost all DAGs of the file.
_SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "schedule": (_is_schedule, 'a text such as "@daily" or "0 6 * * 1", or null'),
    "start_date": (_is_date, 'a date such as "2026-01-31"'),
    "catchup": (lambda value: isinstance(value, bool), "true or false"),
    "owner": (lambda value: _is_text(value, 500), "a text of at most 500 characters"),
    "tags": (
        lambda value: _are_texts(value, 100),
        'a list of texts such as ["iot"], of at most 100 characters each',
    ),
    "max_active_runs": (lambda value: _is_whole(value, 1), "a whole number from 1 to 9999"),
    "retries": (_is_whole, "a whole number from 0 to 9999"),
    "pool": (
        lambda value: _is_text(value, 256) and bool(value),
        "the name of one of Airflow's pools, of at most 256 characters",
    ),
    "priority_weight": (_is_whole, "a whole number from 0 to 9999"),
    "max_active_tis_per_dag": (lambda value: _is_whole(value, 1), "a whole number from 1 to 9999"),
    "files": (
        _are_patterns,
        'a list of patterns in the notebook\'s folder, such as ["data/*.csv"]: a stage gets only '
        "what is in it",
    ),
    "sizes": (
        _are_sizes,
        'parameters\' names, such as {"data": "rows", "model": "width", "fixed": {"epochs": 1}}',
    ),
    "bounds": (
        _are_bounds,
        'bounds by the parameters\' names, such as {"rows": "1..1000000", "size": "one of s, m"}',
    ),
}


def read_settings(metadata: Mapping[str, Any]) -> tuple[DagSettings, list[Problem]]:
    """Read the settings, and say which of them cannot be used."""
    raw = metadata.get(KEY, {})
    if not isinstance(raw, dict):
        return DagSettings(), [_problem("", raw, "an object")]
    values: dict[str, Any] = {}
    problems = []
    for name, value in raw.items():
        if name not in _SETTINGS:
            known = ", ".join(field.name for field in fields(DagSettings))
            message = f"the metadata {KEY}.{name} is not one of podline's"
            problems.append(Problem(message, f"remove it; known are: {known}", severity=WARNING))
        elif not _SETTINGS[name][0](value):
            problems.append(_problem(name, value, _SETTINGS[name][1]))
        else:
            values[name] = Sizes(**value) if name == "sizes" else _value(value)
    settings = DagSettings(**values)
    if settings.schedule == "@continuous" and settings.max_active_runs > 1:
        wanted = '1 with the schedule "@continuous", which is one run at a time'
        problems.append(_problem("max_active_runs", settings.max_active_runs, wanted))
    return settings, problems


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _problem(name: str, value: Any, wanted: str) -> Problem:
    where = f"{KEY}.{name}" if name else KEY
    return Problem(f"the notebook's metadata {where} is {value!r}", f"give {wanted}")
