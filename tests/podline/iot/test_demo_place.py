"""Processes of the demo that do not come up are told with what they said."""

from pathlib import Path

import pytest

from podline.iot import demo_place
from podline.iot.demo_place import PODLINE, DemoError, running, wait_for


def test_a_process_that_ends_too_early_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        running(tmp_path / "log", *PODLINE, "edge", "serve", "no/name") as said,
        pytest.raises(DemoError, match=r"(?s) edge serve no/name` has ended:.*error: "),
    ):
        wait_for("its end", lambda: "never" in said())


def test_the_clusters_edges_are_in_the_namespace_of_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert demo_place._kubectl() == ("kubectl", "--namespace", "podline")
    monkeypatch.setenv("AIRFLOW__PODLINE__NAMESPACE", "space")
    assert demo_place._kubectl() == ("kubectl", "--namespace", "space")
