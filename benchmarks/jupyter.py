"""Measures the panel in JupyterLab: badges, problems, and what typing in 200 cells costs.

Each visit loads the notebook anew. Typing is measured with the panel and without it, in turns.
"""

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import asked, goal, print_last_line, summary
from tests.support.browser import launched
from tests.support.jupyter import Jupyter, running

CELLS = 200
TYPED = "value_of_this_cell = 1 + 2 + 3 + 4 + 5"
BADGES = PROBLEMS = 0.3  # seconds
LONGEST = 50.0  # milliseconds of a task, as browsers call one long

# Notes when the first cell, the first of the notebook's own (until its file is there, Lab shows an
# empty one) and the first badge are there, and each long task.
_NOTES = """
window.noted = {tasks: []};
new MutationObserver(() => {
  const now = performance.now();
  const first = document.querySelector(".jp-CodeCell");
  if (first) window.noted.cell ??= now;
  if (first?.textContent.includes("x0")) window.noted.own ??= now;
  if (document.querySelector(".podline-badge")) window.noted.badge ??= now;
}).observe(document, {childList: true, subtree: true});
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) window.noted.tasks.push(task.duration);
}).observe({entryTypes: ["longtask"]});
"""
# From the next key until the panel has a problem of that name, in milliseconds.
_UNTIL_PROBLEM = """
(name) => new Promise((resolve) => {
  let start;
  document.addEventListener("keydown", () => (start = performance.now()), {capture: true});
  new MutationObserver((_, observer) => {
    const found = document.querySelector(".podline-problems")?.textContent.includes(`'${name}'`);
    if (!found || start === undefined) return;
    observer.disconnect();
    window.took = performance.now() - start;
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
  resolve();
})
"""


def main() -> None:
    """Measure, and print the last line."""
    n = asked(__doc__, 10, "visits")
    with (
        tempfile.TemporaryDirectory() as folder,
        running("lab-newest", Path(folder) / "jupyter") as jupyter,
        launched() as browser,
    ):
        cells = [(f"step:s{k // 4}" if k % 4 == 0 else "", f"x{k} = {k}") for k in range(CELLS)]
        jupyter.write("many.ipynb", *cells)
        visits = [_visit(browser, jupyter, with_panel=True) for _ in range(n + 1)][1:]
        alone = [_visit(browser, jupyter, with_panel=False) for _ in range(n)]
    badges = summary([visit["badges"] for visit in visits])
    problems = summary([visit["problems"] for visit in visits])
    tasks = summary([visit["task"] for visit in visits])
    print(f"badges {badges['median']:.3f} s, problems {problems['median']:.3f} s in the median")
    print(f"longest task while typing: {tasks['median']:.0f} ms in the median")
    print_last_line(
        "jupyter",
        n,
        {
            "badges_s": goal(badges["median"], BADGES),
            "problems_s": goal(problems["median"], PROBLEMS),
            "longest_task_ms": goal(tasks["median"], LONGEST),
        },
        badges_s=badges,
        badges_after_own_cell_s=summary([visit["own"] for visit in visits]),
        problems_s=problems,
        longest_task_ms=tasks,
        longest_task_without_panel_ms=summary([visit["task"] for visit in alone]),
    )


def _visit(browser: Any, jupyter: Jupyter, with_panel: bool) -> dict[str, float]:
    """One visit: seconds until the badges and until a problem, and the longest task of typing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(_NOTES)
        if not with_panel:
            page.route("**/podline-jupyter/**", lambda route: route.abort())
        page.goto(jupyter.page("many.ipynb"))
        page.locator(".jp-CodeCell").first.wait_for()
        found = {}
        if with_panel:
            page.locator(".podline-badge").first.wait_for()
            noted = page.evaluate("window.noted")
            found["badges"] = (noted["badge"] - noted["cell"]) / 1000
            found["own"] = (noted["badge"] - noted["own"]) / 1000
            page.evaluate("window.jupyterapp.commands.execute('podline:show')")
        page.wait_for_load_state("networkidle")
        found["task"] = _type(page)
        if with_panel:
            found["problems"] = _mistype(page)
        return found
    finally:
        context.close()


def _type(page: Any) -> float:
    """Type a line; returns the longest task meanwhile in milliseconds, 0 below 50."""
    page.locator(".jp-CodeCell .cm-content").nth(2).click()
    page.keyboard.press("End")
    page.wait_for_timeout(1000)  # what the click did is not measured
    page.evaluate("window.noted.tasks.length = 0")
    page.keyboard.press("Enter")
    page.keyboard.type(TYPED, delay=40)
    page.wait_for_timeout(500)  # what the last keys did is
    return float(page.evaluate("Math.max(0, ...window.noted.tasks)"))


def _mistype(page: Any) -> float:
    """Seconds from the last key of a name that nobody binds to the problem that says so."""
    page.keyboard.press("Enter")
    page.keyboard.type("nobod")
    page.wait_for_timeout(1000)
    page.evaluate(_UNTIL_PROBLEM, "nobody")
    page.keyboard.type("y")
    page.wait_for_function("window.took !== undefined")
    return float(page.evaluate("window.took")) / 1000


if __name__ == "__main__":
    main()
