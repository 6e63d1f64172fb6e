"""Takes the pictures of docs/ anew: of a run of household_power in a real Airflow on this machine.

Needs Chromium. The runs before the one that is shown are what it is compared with.
"""

import tempfile
from pathlib import Path
from typing import Any

from podline.store import seaweedfs
from tests.support.airflow_server import Airflow, running
from tests.support.browser import launched, log_in
from tests.support.pages import page_of

_PICTURE = Path(__file__).with_name("latency-page.png")
_DAG = "household_power"
_RUNS = 4
_SECONDS = 900.0  # that a run may take
_WIDE, _TALL = 1180, 2400  # of the window, of which a part is kept
_MARGIN = 12


def main() -> None:
    """Run, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (
            seaweedfs.running(home / "store") as store,
            running(home / "airflow", store.to_env(), _DAG) as airflow,
            launched() as browser,
        ):
            for _ in range(_RUNS):
                run_id = _run(airflow)
            _take(browser, airflow, run_id)
    print(f"{_PICTURE}: {_PICTURE.stat().st_size} bytes")


def _run(airflow: Airflow) -> str:
    run_id = airflow.trigger(_DAG)
    state = airflow.wait(_DAG, run_id, _SECONDS)
    if state != "success":
        raise SystemExit(f"the run {run_id} of {_DAG} ended as {state}")
    return run_id


def _take(browser: Any, airflow: Airflow, run_id: str) -> None:
    """Keep the page of a run, from its title to the end of its totals."""
    size = {"width": _WIDE, "height": _TALL}
    context = browser.new_context(viewport=size, device_scale_factor=2)
    path = page_of(dag=_DAG, run=run_id)
    page = log_in(context, airflow.url, path, "admin", airflow.password)
    totals = page.get_by_role("region", name="Totals by phase")
    totals.wait_for()
    page.wait_for_load_state("networkidle")
    whole = page.locator("[data-podline]").bounding_box()
    end = totals.bounding_box()
    bottom = end["y"] + end["height"] + _MARGIN
    clip = {**whole, "height": bottom - whole["y"]}
    page.screenshot(path=_PICTURE, clip=clip)
    context.close()


if __name__ == "__main__":
    main()
