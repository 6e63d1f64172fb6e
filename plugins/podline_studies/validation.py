"""What no design of a study can be."""

from collections.abc import Collection
from typing import Any

from podline.exceptions import PodlineError

MOST = 1000  # things to measure: Airflow maps a task 1,024 times at most


class DesignError(PodlineError):
    """A study's parameters do not make a design."""


def refuse_too_many(many: int, things: str, fix: str) -> None:
    """Refuse a design of more than a task can be mapped to.

    Args:
        many: how many there are.
        things: what they are called.
        fix: what to give.

    Raises:
        DesignError: they are too many.
    """
    if many > MOST:
        raise DesignError(
            f"this makes {many:,} {things}, and Airflow maps a task {MOST:,} times at most: give "
            f"{fix}"
        )


def some_of(name: str, given: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    """Return a parameter's values, each once.

    Args:
        name: of the parameter.
        given: its values.
        known: what they may be.

    Raises:
        DesignError: there are none, or one is unknown.
    """
    if not given or not set(given) <= set(known):
        raise DesignError(f"{name} = {given!r}: give some of {', '.join(known)}")
    return tuple(dict.fromkeys(given))


def one_of(name: str, given: str, known: Collection[str]) -> str:
    """Return a parameter's value.

    Args:
        name: of the parameter.
        given: its value.
        known: what it may be.

    Raises:
        DesignError: it is unknown.
    """
    if given not in known:
        raise DesignError(f"{name} = {given!r}: give one of {', '.join(known)}")
    return given


def positive(name: str, value: Any) -> int:
    """Return a parameter's value, or one of its values.

    Raises:
        DesignError: it is no whole number, or less than 1.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise DesignError(f"{name} = {value!r}: give a whole number of 1 or more")
    return value
