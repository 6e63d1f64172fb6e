"""What a notebook's own metadata, under `podline`, says about its DAG."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from podline.compiler.notebook import WARNING, Problem
from podline.compiler.parameters import Values

KEY = "podline"


@dataclass(frozen=True)
class Sizes:
    """Which of the notebook's parameters say how large its data and its model are.

    Attributes:
        data, model: a parameter's name; none: that size cannot be chosen.
        fixed: values that other parameters have wherever sizes are compared.
    """

    data: str = ""
    model: str = ""
    fixed: Values = field(default_factory=dict)

    @property
    def parameters(self) -> set[str]:
        """All parameters that are named here."""
        return {self.data, self.model, *self.fixed} - {""}


@dataclass(frozen=True)
class DagSettings:
    """How Airflow runs the notebook's DAG.

    Attributes:
        schedule: a cron expression, a preset such as ``@daily``, or None: by hand.
        start_date: the first date that a schedule is about, in ISO 8601.
        catchup: whether the dates since then are made up for.
        owner, tags, max_active_runs, retries: as Airflow has them.
        files: patterns of files beside the notebook that it reads without naming them.
        sizes: what the overhead study varies; None: nothing is named.
    """

    schedule: str | None = None
    start_date: str | None = None
    catchup: bool = False
    owner: str = "podline"
    tags: tuple[str, ...] = ()
    max_active_runs: int = 1
    retries: int = 0
    files: tuple[str, ...] = ()
    sizes: Sizes | None = None


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "schedule": ((str, type(None)), 'a text such as "@daily" or "0 6 * * 1", or null'),
    "start_date": ((str, type(None)), 'a date such as "2026-01-31"'),
    "catchup": ((bool,), "true or false"),
    "owner": ((str,), "a text"),
    "tags": ((list,), 'a list of texts such as ["iot"]'),
    "max_active_runs": ((int,), "a whole number of 1 or more"),
    "retries": ((int,), "a whole number of 0 or more"),
    "files": ((list,), 'a list of patterns such as ["data/*.csv"]'),
    "sizes": (
        (dict,),
        'parameters\' names, such as {"data": "rows", "model": "width", "fixed": {"epochs": 1}}',
    ),
}


_NAMES = "@once @continuous @hourly @daily @weekly @monthly @quarterly @yearly"
# Airflow's own names for schedules.
_PRESETS = frozenset(_NAMES.split())


def read_settings(metadata: Mapping[str, Any]) -> tuple[DagSettings, list[Problem]]:
    """Read the settings, and say which of them cannot be used."""
    raw = metadata.get(KEY, {})
    if not isinstance(raw, dict):
        return DagSettings(), [_problem("", raw, "an object")]
    values: dict[str, Any] = {}
    problems = []
    for name, value in raw.items():
        if name not in _TYPES:
            known = ", ".join(field.name for field in fields(DagSettings))
            message = f"the metadata {KEY}.{name} is not one of podline's"
            problems.append(Problem(message, f"remove it; known are: {known}", severity=WARNING))
        elif not _fits(name, value):
            problems.append(_problem(name, value, _TYPES[name][1]))
        else:
            values[name] = _value(value)
    return DagSettings(**values), problems


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return Sizes(**value)
    return tuple(value) if isinstance(value, list) else value


def _fits(name: str, value: Any) -> bool:
    if not isinstance(value, _TYPES[name][0]):
        return False
    if isinstance(value, dict):
        kinds = {"data": str, "model": str, "fixed": dict}
        return all(isinstance(item, kinds.get(key, ())) for key, item in value.items())
    if isinstance(value, bool):
        return name == "catchup"
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, int):
        return value >= (1 if name == "max_active_runs" else 0)
    if name == "schedule" and isinstance(value, str):
        return _is_schedule(value)
    if name == "start_date" and isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return False
    return True


def _is_schedule(text: str) -> bool:
    if text.startswith("@"):
        return text in _PRESETS
    from croniter import croniter  # which Airflow reads it with, and few notebooks need

    return bool(croniter.is_valid(text))


def _problem(name: str, value: Any, wanted: str) -> Problem:
    where = f"{KEY}.{name}" if name else KEY
    return Problem(f"the notebook's metadata {where} is {value!r}", f"give {wanted}")
