"""Keys can be read, parsed back, and taken by every store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podline.store import Store, keys
from podline.store.keys import TryKey

RUN = "manual__2026-01-01T00:00:00+00:00"
TRY = TryKey("household_power", RUN, "train.fit", -1, 2, "9f3c")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15)


def test_a_key_can_be_read() -> None:
    assert TRY.key("files/out put.csv") == (
        f"runs/household_power/{RUN}/train.fit/-1/2-9f3c/files/out%20put.csv"
    )
    assert keys.manifest_key("power", 3) == "models/power/versions/3/manifest.json"
    assert keys.alias_key("power", "production") == "models/power/aliases/production"
    assert (
        keys.file_key(keys.run_of(TRY.prefix), "ab12") == f"runs/household_power/{RUN}/files/ab12"
    )


@given(TEXT, TEXT, TEXT, st.integers(-1, 1023), st.integers(1, 99), TEXT)
def test_keys_are_reversible(
    dag: str, run: str, task: str, map_index: int, number: int, name: str
) -> None:
    attempt = TryKey(dag, run, task, map_index, number, "0a1b")
    if "" in name.split("/"):
        with pytest.raises(ValueError, match="empty"):
            attempt.key(name)
        return
    key = attempt.key(name)
    assert TryKey.parse(key) == (attempt, name)
    assert key.startswith(keys.run_prefix(dag, run) + "/")


def test_a_key_that_s3_would_refuse() -> None:
    with pytest.raises(ValueError, match="longer than the 1024 bytes"):
        TRY.key("n" * 1000)


@given(TEXT)
def test_a_segment_stays_one(text: str) -> None:
    quoted = keys.quoted(text)
    assert "/" not in quoted
    assert quoted not in {".", ".."}
    assert keys.split(quoted) == [text]


@pytest.mark.parametrize("key", ["", "files/ab", "runs/dag/run/task/-1/1-n", "models/a/b/c/d/e/f"])
def test_other_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="not the key of a run's object"):
        TryKey.parse(key)


@pytest.mark.parametrize(
    "text", ["a", RUN, "a b", "Größe", "50%", "..", "a/b", "~x", "\u2028", "?#&"]
)
def test_the_store_takes_every_key(store: Store, text: str) -> None:
    key = keys.join("runs", text, "x")
    store.put(key, b"1")
    assert bytes(store.get(key)) == b"1"
    assert [item.key for item in store.list("runs")] == [key]
    assert [keys.split(folder)[1] for folder in store.list_folders("runs")] == [text]


def test_the_names_of_no_team_begin_anothers() -> None:
    assert keys.team_prefix("vision") == "vision."
    assert not keys.team_prefix("vision-2").startswith(keys.team_prefix("vision"))
    assert keys.team_prefix("") == ""
    for name in ("a.b", "a/b", "A", "*", "a" * 31):
        with pytest.raises(ValueError, match="is no name of a team"):
            keys.team_prefix(name)
