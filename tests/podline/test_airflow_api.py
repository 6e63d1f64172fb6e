"""What Airflow's API may answer to a command, and to whom a password goes."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from podline.airflow_api import Api, ApiError
from podline.latency.answers import History
from tests.support.records import Server


class Elsewhere(BaseHTTPRequestHandler):
    """Sends every password on, and answers a question with what no podline of today says."""

    asked: list[str]

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self.send_response(307)
        self.send_header("Location", "/stolen")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"other": 1}')

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Elsewhere.asked = []
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_password_follows_no_redirect(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODLINE_API_PASSWORD", "secret")
    with pytest.raises(ApiError, match="307"):
        Api.open(url, "admin")
    assert Elsewhere.asked == ["/auth/token"]


def test_a_podline_of_another_version(url: str) -> None:
    with pytest.raises(ApiError, match="of another version, and answers otherwise. fix: use the"):
        Api(url, "token").answer(History, ["dags", "d", "history"], {})


def test_a_proxy_that_cannot_be_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(ApiError, match="does not answer"):
        Api(url, "token").latest_run("d")


@pytest.mark.xdist_group("web")
def test_who_may_not_start_a_run_is_told_what_to_ask_for(server: Server) -> None:
    api = Api(server.url, server.token("carl"))
    with pytest.raises(ApiError, match="you may not do this: .* fix: ask for the right to create"):
        api.start_run("plain", {}, "why")
    with pytest.raises(ApiError, match="you may not see this: .* fix: ask for the right to read"):
        api.run_state("plain", server.runs["plain"])


@pytest.mark.xdist_group("web")
def test_an_asset_that_airflow_does_not_have(server: Server) -> None:
    with pytest.raises(ApiError, match="has no asset 'drift': name one that a DAG waits for"):
        Api(server.url, server.token("admin")).create_event("drift", {})
