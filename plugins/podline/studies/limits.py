"""What no design of a study can be."""

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
