"""What axe-core finds wrong with a page."""

from typing import Any

import pytest

GRAVE = ("critical", "serious")


def grave_findings(page: Any, where: dict[str, Any] | None = None) -> list[str]:
    """What axe says of a page, or of a part: the rule, and the first node that breaks it."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe: make install-dev"
    )
    found = axe.Axe().run(page, context=where).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in GRAVE
    ]
