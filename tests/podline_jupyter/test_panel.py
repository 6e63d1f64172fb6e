"""The panel in a real browser: badges, form, problems, graph, parameters."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.jupyter import Jupyter
from tests.support.panel import badge, command, panel, select, set_source, tags

pytestmark = [
    pytest.mark.jupyter,
    pytest.mark.timeout(300),
    # Playwright's own loop is closed at the end of the session.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

Visit = Callable[..., Any]

CHAIN = (
    ("parameters", "rows = 3  # how many rows"),
    ("step:load", "table = [*range(rows)]"),
    ("", "total = sum(table)"),
    ("step:left prev:load", "left = total + 1"),
    ("step:right prev:load my-own-tag", "right = total + 2"),
    ("step:join prev:left prev:right", "print(left, right)"),
)


def expect_tags(page: Any, number: int, expected: list[str]) -> None:
    page.wait_for_function(
        "([index, tags]) => JSON.stringify(window.jupyterapp.shell.currentWidget.content.model"
        ".cells.get(index).getMetadata('tags') ?? []) === JSON.stringify(tags)",
        arg=[number - 1, expected],
    )


def test_badges_tell_each_cells_kind_and_stage(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("badges.ipynb", *CHAIN)
    page = visit("badges.ipynb")
    names = ["parameters", "load", "↳ load", "left", "right", "join"]
    for number, name in enumerate(names, start=1):
        badge(page, number).get_by_text(name, exact=True).wait_for()
    assert badge(page, 6).locator(".podline-dot").count() == 2
    assert "waits for left" in badge(page, 6).get_attribute("aria-label")


def test_no_cell_of_many_misses_its_badge(jupyter: Jupyter, visit: Visit) -> None:
    """Kale's #481: badges are missing where cells are moved, pasted, or out of sight at first."""
    jupyter.write("many.ipynb", *[(f"step:s{n}", f"x{n} = {n}") for n in range(120)])
    page = visit("many.ipynb")

    def all_have(count: int) -> None:
        page.wait_for_function(
            "count => { const cells = window.jupyterapp.shell.currentWidget.content.widgets;"
            " return cells.length === count && cells.every(cell => cell.node.querySelector("
            "'.podline-badge')); }",
            arg=count,
        )

    all_have(120)
    for does, count in (
        ("notebook:move-cell-down", 120),
        ("notebook:copy-cell", 120),
        ("notebook:paste-cell-below", 121),
        ("notebook:delete-cell", 120),
        ("notebook:undo-cell-action", 121),
        ("notebook:change-cell-to-markdown", None),
        ("notebook:change-cell-to-code", 121),
    ):
        command(page, does)
        if count:
            all_have(count)
        # What is done within half a second is one step to undo.
        page.evaluate(
            "window.jupyterapp.shell.currentWidget.content.model.sharedModel.undoManager"
            ".stopCapturing()"
        )


def test_the_only_stage_can_be_renamed(jupyter: Jupyter, visit: Visit) -> None:
    """Kale's #814."""
    jupyter.write("only.ipynb", ("step:alone", "x = 1"))
    page = visit("only.ipynb")
    select(page, 1)
    field = panel(page).get_by_label("Stage", exact=True)
    field.fill("together")
    field.press("Enter")
    expect_tags(page, 1, ["step:together"])
    badge(page, 1).get_by_text("together", exact=True).wait_for()


def test_the_first_cells_kind_can_be_changed(jupyter: Jupyter, visit: Visit) -> None:
    """Kale's #869."""
    jupyter.write("first.ipynb", ("step:first retry:3 keep-me", "import json"), ("step:b", "x = 1"))
    page = visit("first.ipynb")
    select(page, 1)
    kind = panel(page).get_by_label("This cell")
    kind.select_option("imports")
    expect_tags(page, 1, ["imports", "keep-me"])
    badge(page, 1).get_by_text("imports", exact=True).wait_for()
    kind.select_option("skip")
    expect_tags(page, 1, ["skip", "imports", "keep-me"])
    kind.select_option("step")
    expect_tags(page, 1, ["step:stage_2", "keep-me"])


def test_a_stage_is_renamed_wherever_it_is_named_in_one_step(
    jupyter: Jupyter, visit: Visit
) -> None:
    jupyter.write("rename.ipynb", *CHAIN)
    page = visit("rename.ipynb")
    before = tags(page)
    select(page, 2)
    field = panel(page).get_by_label("Stage", exact=True)
    field.fill("left")
    panel(page).get_by_text("There is a stage left already").wait_for()
    field.fill("My Data")
    panel(page).get_by_text("call it my_data").wait_for()
    assert tags(page) == before
    field.fill("read")
    field.press("Enter")
    expect_tags(page, 2, ["step:read"])
    expect_tags(page, 4, ["step:left", "prev:read"])
    expect_tags(page, 5, ["step:right", "prev:read", "my-own-tag"])
    command(page, "notebook:undo-cell-action")
    expect_tags(page, 5, before[4])
    assert tags(page) == before


def test_settings_are_written_as_tags_and_others_stay(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("settings.ipynb", *CHAIN)
    page = visit("settings.ipynb")
    select(page, 5)
    panel(page).get_by_text("my-own-tag", exact=False).first.wait_for()
    for label, text in (("Retry", "3:30s"), ("Limits", "cpu:2 memory:2Gi")):
        field = panel(page).get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")
    panel(page).get_by_label("left", exact=True).check()
    expected = ["step:right", "prev:load", "prev:left", "my-own-tag", "retry:3:30s"]
    expect_tags(page, 5, [*expected, "limit:cpu:2", "limit:memory:2Gi"])
    field = panel(page).get_by_label("Limits", exact=True)
    field.fill("memory:2GB")
    field.press("Enter")
    panel(page).locator("[data-part=problems]").get_by_text("write 2Gi").wait_for()


def test_problems_are_told_as_one_types_and_lead_to_their_line(
    jupyter: Jupyter, visit: Visit
) -> None:
    jupyter.write("problems.ipynb", *CHAIN[:4], ("step:join", "print(left)"))
    page = visit("problems.ipynb")
    problems = panel(page).locator("[data-part=problems]")
    problems.get_by_text("No problems.").wait_for()
    set_source(page, 5, "print(left)\nprint(missing)")
    problems.get_by_text("undefined name 'missing'").wait_for()
    problems.get_by_text("Fix:").wait_for()
    problems.get_by_role("button", name="error, cell 5, line 2").click()
    page.wait_for_function(
        "() => { const {content} = window.jupyterapp.shell.currentWidget; return "
        "content.activeCellIndex === 4 && content.activeCell.editor.getCursorPosition().line === 1; }"
    )
    set_source(page, 5, "print(left)")
    problems.get_by_text("No problems.").wait_for()


def test_stages_parameters_and_graph_are_shown(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("shown.ipynb", *CHAIN)
    page = visit("shown.ipynb")
    found = panel(page)
    found.locator("[data-part=stages]").get_by_text("total", exact=True).first.wait_for()
    found.locator("[data-part=parameters]").get_by_text(
        "integer, default 3. how many rows"
    ).wait_for()
    node = found.get_by_role("button", name="join, waits for left, right")
    node.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 5"
    )


def test_the_form_is_reached_by_keys_alone(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("keys.ipynb", *CHAIN)
    page = visit("keys.ipynb")
    badge(page, 6).wait_for()
    page.locator(".jp-Cell").nth(1).click()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Alt+p")
    page.wait_for_function("() => document.activeElement.name === 'kind'")
    page.keyboard.press("Tab")
    page.wait_for_function("() => document.activeElement.name === 'name'")


def test_jupyter_goes_on_without_the_servers_side(jupyter: Jupyter, visit: Visit) -> None:
    jupyter.write("alone.ipynb", *CHAIN)
    page = visit("alone.ipynb")
    badge(page, 6).wait_for()
    page.route("**/podline/**", lambda route: route.fulfill(status=500, body="broken"))
    set_source(page, 3, "total = 7")
    panel(page).get_by_text("The server answers 500.").wait_for()
    command(page, "notebook:insert-cell-below")
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.length === 7"
    )
    page.unroute("**/podline/**")
    panel(page).get_by_role("alert").and_(page.locator(".podline-alert")).wait_for(state="hidden")
