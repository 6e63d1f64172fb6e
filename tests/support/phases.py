"""The phases as a page of Markdown draws them, for tests of the documentation."""


def drawn_axis(page: str) -> list[str]:
    """The phases on a page's time axis, in order: its places are parted by │; none: no axis."""
    lines = (line for line in page.splitlines() if line.split()[:1] == ["scheduled"])
    return next(lines, "").replace("│", " ").lower().split()
