"""Processes of the demo that do not come up are told with what they said."""

from pathlib import Path

import pytest

from podline.iot.demo_place import PODLINE, DemoError, running, wait_for


def test_a_process_that_ends_too_early_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        running(tmp_path / "log", *PODLINE, "edge", "serve", "no/name") as said,
        pytest.raises(DemoError, match=r"(?s) edge serve no/name` has ended:.*error: "),
    ):
        wait_for("its end", lambda: "never" in said())
