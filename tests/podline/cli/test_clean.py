"""`podline clean` removes old runs, and only when it is meant."""

import pytest

from podline.store import Store
from podline.store.keys import TryKey

from .conftest import Podline, Refused


@pytest.fixture
def key(store: Store) -> str:
    """An object of 2,048 bytes that a run just wrote."""
    where = TryKey("power", "manual__[1]", "load", -1, 1, "n")
    store.put(where.key("artifacts/rows.npy"), bytes(2048))
    return where.key("artifacts/rows.npy")


def test_a_dry_run_removes_nothing(podline: Podline, store: Store, key: str) -> None:
    result = podline("clean", "--older-than", "0m", "--dry-run")
    assert result.exit_code == 0
    assert "1 run would be removed, 2.0 kB" in result.stdout
    assert "manual__[1]" in result.stdout
    assert store.exists(key)


def test_old_runs_go_and_young_ones_stay(podline: Podline, store: Store, key: str) -> None:
    result = podline("clean", "--older-than", "1h")
    assert (result.exit_code, result.stdout) == (0, "0 runs removed, 0 bytes\n")
    assert store.exists(key)
    assert "1 run removed, 2.0 kB" in podline("clean", "--older-than", "0m").stdout
    assert not store.exists(key)


def test_a_length_of_time_is_needed(
    podline: Podline, refused: Refused, store: Store, key: str
) -> None:
    assert podline("clean").exit_code == 2
    said = refused("clean", "--older-than", "a month")
    assert "podline: error: 'a month' is no length of time" in said
    assert store.exists(key)
