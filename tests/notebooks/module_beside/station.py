"""Readings of a weather station."""

import csv

UNIT = "kWh"


def read(path: str) -> list[float]:
    """The values of the file's column `energy`."""
    with open(path, newline="") as file:
        return [float(row["energy"]) for row in csv.DictReader(file)]


def mean(values: list[float]) -> float:
    """The arithmetic mean of the values."""
    return sum(values) / len(values)
