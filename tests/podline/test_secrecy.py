"""Secrets do not stay in the environment, nor in texts."""

import json
import subprocess
import sys
from urllib.parse import quote

import pytest
from airflow.sdk.log import mask_secret

from podline import secrecy
from podline.secrecy import redacted
from podline.store import StoreConnection

SECRET = 'wJalr/K7+MDENG"bPxRfi\\CY'


@pytest.fixture(autouse=True)
def hidden(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is hidden in a test is no secret of the next one."""
    found: set[str] = set()
    monkeypatch.setattr(secrecy, "_hidden", found)
    return found


@pytest.mark.parametrize("form", [str, repr, json.dumps, lambda text: quote(text, safe="")])
def test_a_secret_of_a_connection_is_shown_in_no_form(form: object) -> None:
    StoreConnection("store", "bucket", "http://store", "key", SECRET, f"{SECRET}-token")
    assert callable(form)
    for secret in (SECRET, f"{SECRET}-token"):
        shown = redacted(f"before {form(secret)} after")
        assert "MDENG" not in shown
        assert shown.startswith("before ")
        assert shown.endswith(" after")
        assert "-token" not in shown


def test_words_that_are_too_short_are_no_secrets() -> None:
    secrecy.hide("", None, "a", "test")
    assert redacted("a test") == "a test"


def test_what_airflow_hides_in_logs_is_hidden() -> None:
    assert redacted("the word is horse-battery-staple") == "the word is horse-battery-staple"
    mask_secret("horse-battery-staple")
    assert redacted("the word is horse-battery-staple") == "the word is ***"


def test_values_are_hidden_for_their_names_and_for_what_they_are() -> None:
    secrecy.hide(SECRET)
    value = {
        "password": "x",
        "rows": 3,
        "deep": [{"api_key": "k", "text": f"a {SECRET}"}],
        "no": None,
    }
    assert secrecy.redacted_value(value) == {
        "password": "***",
        "rows": 3,
        "deep": [{"api_key": "***", "text": "a ***"}],
        "no": None,
    }


TAKE = """
import os, subprocess, sys
from pathlib import Path
from podline.secrecy import take_variable
print(take_variable("WORD"), take_variable("WORD") == "", take_variable("NONE") == "")
seen = [os.environ.get("WORD", ""), os.getenv("WORD", "")]
seen += [subprocess.check_output([sys.executable, "-c", "import os; print(dict(os.environ))"], text=True)]
if Path("/proc/self/environ").exists():
    seen += [Path("/proc/self/environ").read_text(), subprocess.check_output(
        ["cat", f"/proc/{os.getpid()}/environ"], text=True)]
print("xyzzy" in "".join(seen), "OTHER=kept" in seen[-1] or "kept" in seen[2])
"""


def test_a_variable_is_taken_wherever_it_is_looked_for() -> None:
    import os

    environment = os.environ | {"WORD": "xyzzy-é", "OTHER": "kept", "WORDS": "more"}
    command = [sys.executable, "-c", TAKE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["xyzzy-é True True", "False True"]
