"""Servers with podline-jupyter, and pages of them in a browser."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.jupyter import PROGRAMS, Jupyter, running

_MILLISECONDS = 60_000


@pytest.fixture(scope="session", params=PROGRAMS)
def jupyter(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jupyter]:
    """A server of each program; its Airflow's folder is `airflow` beside what it serves."""
    home = tmp_path_factory.mktemp(request.param)
    folder = home / "airflow"
    folder.mkdir()
    with running(request.param, home, airflow_folder=str(folder)) as found:
        yield found


@pytest.fixture
def visit(chromium: Any, jupyter: Jupyter) -> Iterator[Callable[..., Any]]:
    """Opens a notebook; the page's `errors` takes its own, of podline's modules."""
    contexts = []

    def open_page(name: str, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_MILLISECONDS)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(jupyter.page(name))
        page.wait_for_function("window.jupyterapp?.commands.hasCommand('podline:show')")
        page.locator(".jp-CodeCell").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        assert [
            error for page in context.pages for error in page.errors if "podline" in error
        ] == []
        context.close()
