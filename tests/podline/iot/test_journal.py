"""What a replay saw is kept, line by line, wherever it is."""

from pathlib import Path

import pytest

from podline.iot.journal import Event, FileJournal, JournalError, Observation, StoreJournal
from podline.store import Store


def observation(number: int) -> Observation:
    return Observation(
        time=f"2009-09-01T{number:05}",
        known="",
        answer=1.5,
        truth=2.0,
        baseline=1.0,
        version=3,
        seconds=0.001,
        error=None,
        baseline_error=None,
        expected=0.4,
    )


def test_a_file_has_all_lines_in_order(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "new" / "seen.jsonl")
    journal.write(observation(1))
    journal.write(Event("2009-09-01", "drift", "far off", 3))
    first, second = journal.lines()
    assert (first["kind"], first["answer"], first["error"]) == ("observation", 1.5, None)
    assert (second["kind"], second["event"]) == ("event", "drift")
    journal.close()
    again = FileJournal(tmp_path / "new" / "seen.jsonl")
    again.write(observation(2))
    assert len([*again.lines()]) == 3
    again.close()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=r"file/seen.jsonl cannot be written: "):
        FileJournal(tmp_path / "file" / "seen.jsonl")


def test_the_store_has_them_in_parts(store: Store) -> None:
    journal = StoreJournal(store, "power", "20260101T000000Z")
    for number in range(1_001):
        journal.write(observation(number))
    assert [item.key for item in store.list("observations")] == [
        "observations/power/20260101T000000Z/00000.jsonl"
    ]
    assert len([*journal.lines()]) == 1_001
    journal.close()
    text = bytes(store.get(f"{journal.where}/00001.jsonl")).decode()
    assert "2009-09-01T01000" in text
    assert [line["time"] for line in journal.lines()] == [
        observation(number).time for number in range(1_001)
    ]
