"""A process's output as lines of a log: complete, live, and readable where a bar draws itself."""

from collections.abc import Iterator

import pytest

from podline.operators.log_lines import Stored, Transcript, last_state, readable_lines
from podline.phases import StagePhase


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], []),
        ([b""], []),
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a\n\n\nb"], ["a", "", "", "b"]),
        ([b"a", b"b\nc", b"\n"], ["ab", "c"]),
        ([b"a\r\nb\r\n"], ["a", "b"]),
        ([b"\xc3", b"\xbc\n"], ["ü"]),  # a character in two pieces
        ([b"\xff\xfea\n"], ["\ufffd\ufffda"]),
        ([b"a\xc3"], ["a\ufffd"]),
        ([b"1%\r2%\r3%\n"], ["3%"]),
        ([b"1%", b"\r2%", b"\r3%\r"], ["3%"]),
        ([b"\r1%\r2%\ndone\n"], ["2%", "done"]),
    ],
)
def test_lines(chunks: list[bytes], expected: list[str]) -> None:
    assert list(readable_lines(chunks)) == expected


def test_a_line_comes_when_it_is_complete() -> None:
    asked: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield f"line {number}\n".encode()

    lines = readable_lines(chunks())
    assert next(lines) == "line 0"
    assert asked == [0]


def test_a_progress_bar_shows_a_state_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("podline.operators.log_lines.time.monotonic", lambda: now)

    def chunks() -> Iterator[bytes]:
        nonlocal now
        for percent in range(0, 101, 10):
            now += 1
            yield f"\r{percent}% |{'#' * (percent // 10):10}|".encode()
        yield b"\nend\n"

    assert list(readable_lines(chunks())) == [
        "40% |####      |",
        "90% |######### |",
        "100% |##########|",
        "end",
    ]


def test_keras_bar() -> None:
    """Keras 3 takes its last state back with backspaces, then returns to the start of the line."""
    states = [f"\x1b[1m{n}/3\x1b[0m loss: 0.{n}" for n in (1, 2, 3)]
    text = "Epoch 1/1\n"
    for before, state in zip(["", *states], states, strict=False):
        text += "\b" * len(before) + "\r" + state
    assert list(readable_lines([f"{text}\n".encode()])) == ["Epoch 1/1", states[-1]]


def test_a_long_line_in_many_pieces() -> None:
    assert list(readable_lines([b"x" * 65536] * 100)) == ["x" * 6553600]


@pytest.mark.parametrize(
    ("line", "expected"),
    [("a", "a"), ("", ""), ("a\rb", "b"), ("a\rb\r", "b"), ("a\r\r", "a"), ("\r", "")],
)
def test_last_state(line: str, expected: str) -> None:
    assert last_state(line) == expected


def test_lines_for_us_are_not_in_the_log() -> None:
    lines: list[str] = []
    ended: dict[StagePhase, float] = {}
    transcript = Transcript("train", "ab12", lines.append, ended)
    said = [
        "before",
        "",
        "podline-phase ab12 boot 1000.500000",
        "",
        "podline-phase ffff imports 1001.000000",  # of another try
        "podline-phase ab12 lunch 1001.000000",
        "podline-phase ab12 store 1001.000000",  # of which the result tells
        "after",
    ]
    assert [transcript.hear(line) for line in said] == [None] * len(said)
    assert transcript.hear("podline-result ab12 c0ffee 1002.5") == Stored("c0ffee", 1002.5)
    assert ended == {"boot": 1000.5}
    assert lines == ["before", "", "podline-phase ffff imports 1001.000000", "after"]
