"""The table of phases as a page of Markdown shows it, for tests of the documentation."""

import re


def documented(page: str) -> dict[str, str]:
    """Where each phase is, by the page's table with the columns `where` and `phases`."""
    table = page.partition("| where | phases |\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[1:]]
    return {name: where for where, cell in rows for name in re.findall(r"`(\w+)`", cell)}
