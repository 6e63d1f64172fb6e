"""Each picture of the documentation is taken by a script, and each page of the UI has one."""

import re

from docs import jupyter_picture, pictures
from tests.podline.web.test_accessibility import pages
from tests.support.code_blocks import DOCS
from tests.support.records import Server

TAKEN = {picture.file for picture in pictures.PICTURES} | {jupyter_picture.PICTURE}


def test_all_are_shown_and_taken_by_a_script() -> None:
    text = (DOCS / "pictures.md").read_text()
    shown = {DOCS / name for name in re.findall(r"\]\((\S+\.png)\)", text)}
    assert shown == TAKEN == {*DOCS.rglob("*.png")}


def test_every_page_has_one() -> None:
    """All but the page of what there is nothing of."""
    server = Server("", DOCS, {"small": "run", "plain": "run"})
    assert len(pages(server)) - 1 == len(pictures.PICTURES)
