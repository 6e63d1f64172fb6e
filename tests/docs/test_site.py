"""The site: built without a warning, one folder that asks for nothing elsewhere, and searchable."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from docs import site_hooks
from tests.support.axe import grave_findings
from tests.support.browser import picture
from tests.support.code_blocks import DOCS, ROOT

# Tags whose addresses a browser fetches by itself.
FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


@pytest.mark.parametrize(
    ("page", "link", "place"),
    [
        ("index.md", "docs/tutorial.md", "tutorial.md"),
        ("tutorial.md", "../README.md", "index.md"),
        ("howto/store.md", "cluster.md", "cluster.md"),
        ("howto/store.md", "../reference.md", "../reference.md"),
        ("explanation/values.md", "../../ARCHITECTURE.md", "../project/ARCHITECTURE.md"),
        ("project/ARCHITECTURE.md", "docs/edge.md", "../edge.md"),
        ("project/tests/notebooks/README.md", "names.ipynb", "names.ipynb"),
    ],
)
def test_a_link_leads_to_where_the_site_has_the_file(page: str, link: str, place: str) -> None:
    assert site_hooks.led(page, f"[text]({link}#part)") == f"[text]({place}#part)"


def test_addresses_anchors_and_code_stay_as_they_are() -> None:
    text = "[a](https://example.com) [b](#c) `[d](e.md)`\n```bash\n[f](g.md)\n```\n"
    assert site_hooks.led("howto/store.md", text) == text


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(r"^ +- .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    there = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}
    assert there <= set(named)
    assert len(named) == len(set(named))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` makes it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return folder


@pytest.mark.slow
@pytest.mark.xdist_group("site")
def test_a_stroke_in_a_table_is_shown_as_one(built: Path) -> None:
    assert "text|github|json" in (built / "reference.html").read_text()
    assert "str | None" in (built / "reference/schemas.html").read_text()


class _Addresses(HTMLParser):
    """The addresses that a browser fetches when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "link" and found.get("rel") == "canonical":
            return
        if address := found.get(FETCHED.get(tag, "")):
            self.found.append(address)


def fetched(page: Path) -> list[str]:
    parser = _Addresses()
    parser.feed(page.read_text())
    return parser.found


@pytest.mark.slow
@pytest.mark.xdist_group("site")
def test_no_page_asks_for_anything_elsewhere(built: Path) -> None:
    pages = list(built.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert [one for one in fetched(page) if re.match(r"(?:https?:)?//", one)] == [], page
    for style in built.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//", style.read_text()), style


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.xdist_group("site")
def test_it_is_searched_as_files_without_a_network(built: Path, chromium: Any) -> None:
    context = chromium.new_context(offline=True)
    context.set_default_timeout(60_000)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((built / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").fill("startup_timeout")
    found = page.locator(".md-search-result__link").first
    found.wait_for()
    picture(page, "site-search")
    found.click()
    page.get_by_role("heading", level=1).first.wait_for()
    assert page.url.partition("#")[0] != (built / "index.html").as_uri()
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
    context.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.xdist_group("site")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(built: Path, chromium: Any, scheme: str) -> None:
    context = chromium.new_context(color_scheme=scheme)
    context.set_default_timeout(60_000)
    page = context.new_page()
    for name in ("index", "tutorial", "reference"):
        page.goto((built / f"{name}.html").as_uri())
        assert grave_findings(page) == [], name
    picture(page, f"site-{scheme}")
    context.close()
