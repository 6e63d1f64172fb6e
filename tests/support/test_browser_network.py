"""A page is loaded whole while addresses of this machine change."""

import contextlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

_SCRIPTS = 12  # more than the connections that Chromium makes at once: the others wait


class Paused(http.server.ThreadingHTTPServer):
    """Serves a page, and its scripts once they may go on."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), _Answer)


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Paused

    def do_GET(self) -> None:
        script = self.path.endswith(".js")
        if script:
            self.server.asked.set()
            self.server.go_on.wait(60)
        tags = "".join(f"<script src='/{number}.js'></script>" for number in range(_SCRIPTS))
        body = ("window.loaded = (window.loaded || 0) + 1;" if script else tags).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def server() -> Iterator[Paused]:
    with Paused() as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


def change_addresses() -> None:
    """Add a device with an address, and take it away, as a link does."""
    device = f"changes{os.getpid()}"[:15]
    pair = ["ip", "link", "add", device, "type", "veth", "peer", "name", f"{device[:13]}-p"]
    subprocess.run(pair, check=True)
    subprocess.run(["ip", "addr", "add", "10.218.0.1/32", "dev", device], check=True)
    subprocess.run(["ip", "link", "set", device, "up"], check=True)
    subprocess.run(["ip", "link", "del", device], check=True)


@pytest.mark.browser
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # Playwright's own loop
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.skipif(
    bool(os.geteuid()) or not shutil.which("iptables"), reason="makes devices: run this as root"
)
def test_a_page_is_loaded_whole_while_addresses_change(host: str, chromium: Any) -> None:
    page = chromium.new_page()
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(f"{request.url} {request.failure}"))

    def change(paused: Paused) -> None:
        paused.asked.wait(60)
        change_addresses()
        paused.go_on.set()

    with server() as paused:
        changing = threading.Thread(target=change, args=(paused,))
        changing.start()
        page.goto(f"http://{host}:{paused.server_port}/")
        changing.join()
        assert (page.evaluate("window.loaded"), failed) == (_SCRIPTS, [])
    page.close()
