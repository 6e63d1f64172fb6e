"""The stage's clock: phases without gaps, from the start of the process."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from podline.runner.clock import Clock, process_age


def test_phases_follow_each_other_without_a_gap() -> None:
    clock = Clock()
    for name in ("boot", "fetch", "code"):
        time.sleep(0.01)
        before = clock.now()
        clock.end(name)
    after = clock.now()
    assert [phase.name for phase in clock.phases] == ["boot", "fetch", "code"]
    assert clock.phases[0].start == 0
    for one, next_one in zip(clock.phases, clock.phases[1:], strict=False):
        assert next_one.start == pytest.approx(one.start + one.seconds)
    last = clock.phases[-1]
    assert before <= last.start + last.seconds <= after
    assert all(phase.seconds >= 0.01 for phase in clock.phases[1:])


def test_the_first_phase_counts_from_the_start_of_the_process() -> None:
    (before, age), clock = (time.time(), process_age()), Clock()
    clock.end("boot")
    later, after = process_age(), time.time()
    assert age <= clock.phases[0].seconds <= later
    assert before - later <= clock.started <= after - age


def test_the_age_of_a_process() -> None:
    plugins = Path(__file__).parents[3] / "plugins"
    code = "import time; time.sleep(0.3)\nfrom podline.runner.clock import process_age\n"
    code += "print(process_age())"
    start = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(plugins)},
        capture_output=True,
        text=True,
    )
    assert 0.29 <= float(run.stdout) <= time.monotonic() - start + 0.02


def test_cells_are_timed_even_if_they_fail() -> None:
    clock = Clock()
    with clock.cell(3):
        time.sleep(0.01)
    with pytest.raises(ValueError, match="no"), clock.cell(5):
        raise ValueError("no")
    first, second = clock.cells
    assert (first.number, second.number) == (3, 5)
    assert first.seconds >= 0.01
    assert second.start >= first.start + first.seconds
