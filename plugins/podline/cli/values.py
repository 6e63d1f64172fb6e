"""Values as text: parameters of a notebook and lengths of time to read, numbers to say."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podline.exceptions import PodlineError

if TYPE_CHECKING:
    from pathlib import Path

    from podline.compiler.pipeline import Pipeline

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")]
AirflowUrl = Annotated[
    str,
    typer.Option(envvar="PODLINE_API_URL", help="Airflow's address; by default that of `make up`."),
]
AirflowUser = Annotated[
    str, typer.Option(envvar="PODLINE_API_USER", help="Who asks; PODLINE_API_PASSWORD is read.")
]

_EXAMPLES = {
    bool: "true or false",
    int: "a whole number, such as 1000",
    float: "a number, such as 0.5",
    list: "a Python list, such as [1, 2]",
    dict: "a Python dict, such as {'a': 1}",
}
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class ValueFormError(PodlineError):
    """A value that the user wrote cannot be read."""


def read_conf(text: str) -> dict[str, Any]:
    """Read a run's parameters, as ``--conf`` gives them.

    Raises:
        ValueFormError: it is no JSON object.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueFormError(
            f'--conf {text!r} is no JSON object: give one such as {{"rows": 1000}}'
        )
    return found


def read_parameters(
    pipeline: Pipeline, given: Iterable[str], file: Path | None = None
) -> dict[str, Any]:
    """Read values for a notebook's parameters; of a name given twice, the last one counts.

    Args:
        pipeline: the notebook.
        given: each as ``NAME=VALUE``.
        file: a YAML or JSON object with values, which `given` goes over.

    Raises:
        ValueFormError: one is not of this form, or not of its parameter's type.
        StageError: there is no such parameter.
    """
    from podline.operators.task_spec import check_parameters

    defaults = {parameter.name: parameter.default for parameter in pipeline.parameters}
    values = _values_in(file) if file else {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals:
            raise ValueFormError(f"the parameter {item!r} has no value: write -p {item}=VALUE")
        values[name] = _read(name, text, defaults[name]) if name in defaults else text
    return check_parameters(pipeline, values)


def _values_in(file: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(file.read_text())
    except OSError as error:
        raise ValueFormError(f"{file} cannot be read: {error.strerror}. fix: check -f") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueFormError(f"{file} is neither YAML nor JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueFormError(f"{file} holds no object. fix: write a line NAME: VALUE for each")
    return {str(name): value for name, value in found.items()}


def _read(name: str, text: str, default: Any) -> Any:
    """Read a value as the type of the parameter's default."""
    value = _literal(text)
    kind = type(default)
    if isinstance(default, str):
        return value if isinstance(value, str) else text
    if default is None:
        return text if value is None and text != "None" else value
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)
    raise ValueFormError(
        f"the parameter {name!r} cannot be {text!r}: give {_EXAMPLES[kind]} (its default is "
        f"{default!r})"
    )


def _literal(text: str) -> Any:
    """The value of a Python literal; None for any other text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def read_duration(text: str) -> timedelta:
    """Read a length of time: a whole number of minutes, hours, days or weeks.

    Raises:
        ValueFormError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,5})([mhdw])", text.strip())
    if not match:
        raise ValueFormError(
            f"{text!r} is no length of time: write a whole number and m, h, d or w "
            "(minutes, hours, days, weeks), such as 12h, 30d or 2w"
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which gets an s unless there is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
