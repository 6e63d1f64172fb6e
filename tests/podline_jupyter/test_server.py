"""What the server's side answers, and whom it refuses."""

import http.cookiejar
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.jupyter import Jupyter, running
from tests.support.notebooks import code_cell, notebook_text

pytestmark = [pytest.mark.jupyter, pytest.mark.timeout(300)]

ROUTES = [
    ("GET", "about"),
    ("POST", "inspect"),
    ("GET", "deploy?path=a.ipynb"),
    ("POST", "deploy"),
    ("GET", "runs?path=a.ipynb"),
    ("POST", "runs"),
    ("GET", "runs/20260101T000000-00000000"),
    ("DELETE", "runs/20260101T000000-00000000"),
    ("POST", "runs/20260101T000000-00000000/notebook"),
]


def draft(*cells: tuple[str, str]) -> Any:
    return json.loads(notebook_text(code_cell(source, *tags.split()) for tags, source in cells))


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_nobody_is_answered_without_a_login(jupyter: Jupyter, method: str, path: str) -> None:
    body = {} if method == "POST" else None
    assert jupyter.ask(method, path, body, token=None)[0] == 403


def test_a_page_of_another_site_cannot_post(jupyter: Jupyter) -> None:
    """A browser sends the cookie of the login by itself, but not the token against forgery."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    jupyter.write("cookie.ipynb", ("step:a", "x = 1"))
    opener.open(jupyter.page("cookie.ipynb"), timeout=60).close()
    request = urllib.request.Request(f"{jupyter.url}/podline/runs", b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request, timeout=60)
    assert refused.value.code == 403
    refused.value.close()


@pytest.mark.parametrize("path", ["../outside.ipynb", "/etc/passwd", "", None, "no-such.ipynb"])
@pytest.mark.parametrize("route", ["inspect", "deploy", "runs"])
def test_only_notebooks_of_the_servers_folder_are_taken(
    jupyter: Jupyter, route: str, path: str | None
) -> None:
    (jupyter.root.parent / "outside.ipynb").write_text(notebook_text([]))
    status, answer = jupyter.ask("POST", route, {"path": path, "notebook": {}})
    assert status == 400
    assert "fix: " in answer["message"]


def test_a_draft_is_inspected_as_it_is_in_the_editor(jupyter: Jupyter) -> None:
    jupyter.write("draft.ipynb", ("step:saved", "x = 1"))
    body = {"path": "draft.ipynb", "notebook": draft(("step:new", "x = missing"))}
    status, answer = jupyter.ask("POST", "inspect", body)
    assert status == 200
    assert [stage["name"] for stage in answer["stages"]] == ["new"]
    assert answer["cells"] == [{"number": 1, "kind": "stage", "stage": "new"}]
    assert answer["problems"][0]["message"].startswith("undefined name 'missing'")


@pytest.mark.parametrize("notebook", [None, [], "text", {"nbformat": 4}, {"nbformat": 3}])
def test_what_is_no_notebook_is_a_problem_and_not_the_end(jupyter: Jupyter, notebook: Any) -> None:
    jupyter.write("odd.ipynb", ("step:a", "x = 1"))
    status, answer = jupyter.ask("POST", "inspect", {"path": "odd.ipynb", "notebook": notebook})
    assert status == 200
    assert answer["problems"][0]["severity"] == "error"


def test_a_command_that_is_not_there_is_named(tmp_path: Path, jupyter: Jupyter) -> None:
    with running(jupyter.program, tmp_path / "other", ["/no/such/podline"]) as other:
        status, answer = other.ask("GET", "about")
    assert status == 400
    assert "fix: pip install podline" in answer["message"]
