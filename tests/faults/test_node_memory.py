"""How the fault of the node's memory is made: in a group of its own, without a cluster."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node_memory import LIMIT, PODS, taken
from tests.support.waiting import until

pytestmark = pytest.mark.faults

AS_A_STAGE = """
import os, sys, time
with open("/proc/self/oom_score_adj", "w") as score:
    score.write("979")
with open(sys.argv[1], "w") as group:
    group.write(str(os.getpid()))
kept = b"x" * (40 << 20)
print("is there", flush=True)
time.sleep(120)
"""


@pytest.fixture
def group() -> Iterator[Path]:
    made = PODS.parent / f"podline-test-{os.getpid()}"
    (made / "pod").mkdir(parents=True)
    yield made
    (made / "pod").rmdir()
    made.rmdir()


def test_the_kernel_kills_the_stage_and_not_what_takes_the_memory(group: Path) -> None:
    command = [sys.executable, "-c", AS_A_STAGE, str(group / "pod" / "cgroup.procs")]
    before = (group / LIMIT).read_text()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stage:
        assert stage.stdout is not None
        assert stage.stdout.readline() == "is there\n"
        with taken(group):
            until(lambda: stage.poll() is not None, 30)
            (beside,) = (group / "beside" / "cgroup.procs").read_text().split()
    assert stage.returncode == -9
    assert not Path("/proc", beside).exists()
    assert (group / LIMIT).read_text() == before
