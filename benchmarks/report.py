"""What the benchmarks share: summaries, goals and the last line."""

import argparse
import json
import statistics
from collections.abc import Sequence
from typing import Any


def asked(
    doc: str | None, n: int, what: str, options: argparse.ArgumentParser | None = None
) -> int:
    """How often the command line asks for.

    Args:
        doc: what the benchmark measures.
        n: how often, if nothing is asked for.
        what: is done so often.
        options: what else there is to ask for.
    """
    parser = argparse.ArgumentParser(description=doc, parents=[options] if options else [])
    parser.add_argument("-n", type=int, default=n, help=f"{what} ({n})")
    times: int = parser.parse_args().n
    return times


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and extremes of a sample, rounded to 0.1 ms."""
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
    named = {
        "median": statistics.median(values),
        "q1": quartiles[0],
        "q3": quartiles[2],
        "min": min(values),
        "max": max(values),
    }
    return {name: round(value, 4) for name, value in named.items()}


def goal(value: float, limit: float) -> dict[str, Any]:
    """A goal of at most `limit`, and whether `value` meets it."""
    return {"value": round(value, 4), "goal": limit, "met": value <= limit}


def goal_at_least(value: float, limit: float) -> dict[str, Any]:
    """A goal of at least `limit`, and whether `value` meets it."""
    return {"value": round(value, 4), "goal": limit, "met": value >= limit}


def print_last_line(bench: str, n: int, goals: dict[str, dict[str, Any]], **details: Any) -> None:
    """Print the benchmark's one JSON object."""
    print(json.dumps({"bench": bench, "n": n, "goals": goals, **details}))
