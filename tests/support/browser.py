"""A real browser for tests of pages: Debian's Chromium, driven by Playwright."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.browser_network import own_network

WIDE, PHONE = (1440, 900), (390, 844)
# For tests that take `size` and `dark`: one look always, the others with the slow tests.
each_look = pytest.mark.parametrize(
    ("size", "dark"),
    [
        pytest.param(WIDE, False, id="wide-light"),
        pytest.param(WIDE, True, id="wide-dark", marks=pytest.mark.slow),
        pytest.param(PHONE, False, id="phone-light", marks=pytest.mark.slow),
        pytest.param(PHONE, True, id="phone-dark", marks=pytest.mark.slow),
    ],
)
# That a page has to show what is waited for, on a busy machine: Airflow's database waits for 60 s.
_MILLISECONDS = 120_000


@contextmanager
def launched() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: make install-dev")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with (
        own_network() as within,
        TemporaryDirectory() as folder,
        api.sync_playwright() as playwright,
    ):
        program = Path(folder, "chromium")
        program.write_text(f'#!/bin/sh\nexec {shlex.join([*within, path])} "$@"\n')
        program.chmod(0o755)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def log_in(
    context: Any, server: str, path: str, user: str, password: str, dark: bool = False
) -> Any:
    """Open a page of Airflow through its login; `page.errors` takes the page's own errors."""
    page = context.new_page()
    page.set_default_timeout(_MILLISECONDS)
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(f"{server}/auth/login?next={quote(server + path, safe='')}")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/auth/login" not in url)
    if dark:
        page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto(server + path)
    return page


@contextmanager
def no_errors(page: Any) -> Iterator[Any]:
    """A page that must have had none of its own at the end of the block."""
    yield page
    assert page.errors == []


def picture(page: Any, name: str) -> None:
    """Keep a screenshot, where somebody wants to look at it."""
    if folder := os.environ.get("PODLINE_SCREENSHOTS"):
        Path(folder).mkdir(exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
