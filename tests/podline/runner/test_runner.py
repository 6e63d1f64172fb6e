"""Stages as real processes with a real store: what they store, say, and do when things go wrong."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from podline.contract import Artifact
from podline.latency.observations import Observed
from podline.operators.kubernetes import pods
from podline.operators.process import ProcessBackend, environment
from podline.phases import STAGE_PHASES
from podline.runner import __main__ as stage_process
from podline.store import Store, StoreConnection, keys, seaweedfs
from podline.store.keys import EXECUTED, RESULT

from .conftest import Ran, Stages, carry, make_plan


def executed(stages: Stages, ran: Ran, name: str = EXECUTED) -> dict[str, Any]:
    """The executed notebook that a stage kept."""
    content: dict[str, Any] = json.loads(bytes(stages.store.get(f"{ran.task.prefix}/{name}")))
    return content


def printed(notebook: dict[str, Any]) -> list[str]:
    """The text that each code cell of a notebook printed."""
    return [
        "".join(o.get("text", "") for o in cell["outputs"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


# --- success ------------------------------------------------------------------------------------


def test_a_stage_that_succeeds(stages: Stages) -> None:
    started = time.time()
    ran = stages.run(
        "import numpy as np\nrows = [1, 2]\nprint('rows:', len(rows))",
        "total = np.float64(sum(rows)); table = {'a': 0.5, 'b': None}\n"
        "open('out.txt', 'w').write('x');",
        hands_on="rows total",
        metrics="total table missing",
    )
    took = time.time() - started
    result = ran.ok
    assert result.succeeded
    assert (result.stage, result.nonce) == ("stage", ran.task.nonce)
    assert result.plan_sha256 == ran.task.plan.digest
    assert ran.lines == ["rows: 2"]

    rows = result.heap.objects["stage:rows"]
    data = bytes(stages.store.get(rows.key))
    assert (rows.kind, rows.type, rows.stage, rows.cell) == ("json", "list", "stage", 2)
    assert (rows.bytes, rows.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert data == b"[1, 2]"
    assert result.heap.names["total"].object == "stage:total"
    assert bytes(stages.store.get(result.heap.files["out.txt"].key)) == b"x"
    assert result.metrics == {"total": 3.0, "a": 0.5}

    assert tuple(phase.name for phase in result.phases) == STAGE_PHASES
    for one, following in zip(result.phases, result.phases[1:], strict=False):
        assert following.start == pytest.approx(one.start + one.seconds)
    assert result.started == pytest.approx(started, abs=1)
    tick = 0.01  # in which Linux tells when a process started
    assert sum(phase.seconds for phase in result.phases) < took + tick
    assert [cell.number for cell in result.cells] == [1, 2]
    assert sum(cell.seconds for cell in result.cells) <= result.seconds("code")
    stored = [item for item in stages.store.list(ran.task.prefix) if not item.key.endswith(RESULT)]
    assert result.bytes_out == sum(item.size for item in stored)
    assert result.peak_memory > 10_000_000
    assert set(result.versions) >= {"python", "numpy", "IPython"}
    assert "pandas" not in result.versions

    notebook = executed(stages, ran)
    assert printed(notebook) == ["rows: 2\n", ""]
    assert [cell["execution_count"] for cell in notebook["cells"]] == [1, 2]
    assert result.executed_notebook == f"{ran.task.prefix}/{EXECUTED}"


def test_the_peak_memory_is_the_stage_s_own(stages: Stages) -> None:
    held = bytearray(400_000_000)
    held[::4096] = b"x" * len(held[::4096])  # in memory, not only promised
    assert 10_000_000 < stages.run("x = 1").ok.peak_memory < 200_000_000


def test_the_executed_notebook_is_one(stages: Stages) -> None:
    import nbformat

    ran = stages.run("print('a')\n1", "%%time\nx = 1", "display({'text/plain': 'd'}, raw=True)")
    assert ran.ok.succeeded
    nbformat.validate(nbformat.from_dict(executed(stages, ran)))  # type: ignore[no-untyped-call]


def test_what_flows_to_the_next_stage(stages: Stages) -> None:
    carried = (carry("import pandas as pd", "pd"), carry("def f(x): return x + k", "f", "k"))
    makes = (
        "import os, random\ntable = pd.DataFrame({'a': [1]}); k = 2\n"
        "os.makedirs('d/ü ñ'); open('d/ü ñ/#x%.txt', 'w').write('text')\n"
        "os.environ['MODE'] = 'm'; random.seed(4)"
    )
    first = make_plan(makes, name="one", reads="pd", hands_on="table k", reseeds=True)
    one = stages.run_task(stages.task(replace(first, carried=carried)))
    takes = (
        "import os, random\n"
        "print(f(1), table.a.tolist(), open('d/ü ñ/#x%.txt').read(), os.environ['MODE'])\n"
        "print(random.random())"
    )
    two = stages.run(takes, name="two", reads="f table k", after=[one], carried=carried)
    result = two.ok
    import random

    assert two.lines == ["3 [1] text m", str(random.Random(4).random())]
    assert result.heap.objects == one.ok.heap.objects
    sizes = [a.bytes for a in one.ok.heap.objects.values()]
    assert result.bytes_in > sum(sizes)
    assert result.seconds("imports") > 0.05  # pandas


def test_links_and_programs_flow(stages: Stages) -> None:
    makes = (
        "import os\nos.makedirs('v1'); os.symlink('v1', 'latest'); os.symlink('gone', 'broken')\n"
        "os.symlink(os.path.abspath('v1'), 'absolute')\nopen('v1/x', 'w').write('1')\n"
        "open('run.sh', 'w').write('#!/bin/sh\\necho ran\\n'); os.chmod('run.sh', 0o755)"
    )
    takes = (
        "import os\nprint(open('latest/x').read(), open('absolute/x').read())\n"
        "print(os.readlink('latest'), os.readlink('absolute'), os.readlink('broken'))\n"
        "out = !./run.sh\nprint(list(out))\nos.remove('latest')\nos.chmod('run.sh', 0o644)"
    )
    two = stages.run(takes, name="two", after=[stages.run(makes, name="one")])
    assert two.ok.succeeded
    assert two.lines == ["1 1", "v1 v1 gone", "['ran']"]
    looks = "import os\nprint(os.path.lexists('latest'), os.access('run.sh', os.X_OK) )"
    three = stages.run(looks, name="three", after=[two])
    assert three.lines == ["False False"]


def test_shipped_files_are_there(stages: Stages) -> None:
    digest = hashlib.sha256(b"def f(): return 3\n").hexdigest()
    stages.store.put(keys.file_key("runs/example/r", digest), b"def f(): return 3\n")
    files = {"package/helper.py": digest}
    uses = "from package.helper import f\nprint(f())\nimport os\nos.remove('package/helper.py')"
    one = stages.run(uses, name="one", files=files)
    assert one.lines == ["3"]
    looks = "import os\nprint(os.path.exists('package/helper.py'))"
    two = stages.run(looks, name="two", files=files, after=[one])
    assert two.lines == ["False"]


def test_an_empty_stage(stages: Stages) -> None:
    one = stages.run("x = [1]", name="one", hands_on="x")
    two = stages.run(name="two", after=[one], hands_on="x")
    assert two.ok.heap.names["x"].object == "one:x"
    assert two.ok.cells == ()
    blank = stages.run("", "# nothing", "\n\n", name="blank", after=[two])
    assert [cell.number for cell in blank.ok.cells] == [1, 2, 3]


def test_a_figure_has_a_picture_beside_it(stages: Stages) -> None:
    ran = stages.run(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()",
        hands_on="fig ax",
    )
    key = ran.ok.heap.objects["stage:fig"].key
    picture = bytes(stages.store.get(key.replace(".pickle", ".png")))
    assert picture.startswith(b"\x89PNG")


def test_the_stage_leaves_nothing_on_the_machine(stages: Stages) -> None:
    ran = stages.run("import os\nprint(os.getcwd())")
    assert ran.ok.succeeded
    assert not Path(ran.lines[0]).exists()


def test_the_seed_of_hashes_is_the_same_in_all_stages(stages: Stages) -> None:
    lines = [stages.run("print(hash('a'), list(set('abcdef')))").lines for _ in range(2)]
    assert lines[0] == lines[1]


# --- what cells may do --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "exit()",
        "import sys\nsys.exit()",
        "import sys\nsys.stdout.close(); sys.stderr.close()",
        "import os\nos.close(1); os.close(2)",
        "import sys\nsys.stdout = sys.__stdout__ = None",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()",
        "import os\nos.chdir('/')",
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "import sys\nsys.path.clear()",
        "import builtins\nopen = print = input = None",
        "import os\nos.environ.clear()",
        "class str(str): pass\nlist = dict = None",
    ],
)
def test_none_of_this_keeps_a_result_from_being_stored(stages: Stages, source: str) -> None:
    ran = stages.run(source, "x = 1", hands_on="x")
    assert ran.ok.heap.objects["stage:x"].kind == "json"


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (
            "import threading, time\ndef work(): time.sleep(60)\n"
            "threading.Thread(target=work, name='T').start()",
            "thread 'T'",
        ),
        (
            "import threading, time\nclass T(threading.Thread):\n"
            "    def run(self): time.sleep(60)\nT(name='own').start()",
            "thread 'own'",
        ),
        (
            "import threading\ndef work(): pass\nt = threading.Timer(60, work)\n"
            "t.name = 'timer'\nt.start()",
            "thread 'timer'",
        ),
        (
            "import time\nfrom concurrent.futures import ThreadPoolExecutor\n"
            "pool = ThreadPoolExecutor(2, 'pool')\npool.submit(time.sleep, 60)",
            "thread 'pool_0'",
        ),
        (
            "import asyncio\nasync def work(): await asyncio.sleep(60)\n"
            "task = asyncio.ensure_future(work())",
            "task 'work'",
        ),
    ],
)
def test_what_goes_on_in_the_background(stages: Stages, source: str, what: str) -> None:
    ran = stages.run(source)
    assert ran.failure.startswith(f"the stage 'stage' ends while its {what} is running")
    assert stages.run(source, last=True).ok.succeeded  # with the last cell all ends in Jupyter too


def test_a_pool_with_nothing_to_do_ends_with_its_stage(stages: Stages) -> None:
    source = (
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\n"
        "x = pool.submit(sum, [1, 2]).result()"
    )
    assert stages.run(source, hands_on="x").ok.succeeded


def test_a_child_that_lives_on_does_not_keep_the_stage(stages: Stages) -> None:
    start = time.monotonic()
    ran = stages.run(
        "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nprint(child.pid)", last=True
    )
    assert ran.ok.succeeded
    assert time.monotonic() - start < 20
    assert _is_dead(int(ran.lines[0]))


CHILDREN = {
    "in a variable": "import subprocess\nchild = subprocess.Popen(['sleep', '60'])",
    "in a list": "import subprocess\nchildren = [subprocess.Popen(['sleep', '60'])]",
    "in no variable": "import subprocess\nsubprocess.Popen(['sleep', '60']) and None",
    "of a function": "import subprocess\ndef start(): subprocess.Popen(['sleep', '60'])\nstart()",
    "of a shell": "import os\nos.system('sleep 60 &')",
    "of a shell line": "!nohup sleep 60 > /dev/null 2>&1 & sleep 0.5",
    "of a daemon": "import os\nos.system('setsid sleep 60 > /dev/null 2>&1 &')",
    "of a script": "%%bash --bg\nsleep 60",
    "of asyncio": "import asyncio\nchild = await asyncio.create_subprocess_exec('sleep', '60')",
    "of multiprocessing": "import multiprocessing as mp, time\nmp.Process(target=time.sleep, args=(60,)).start()",
    "of a pool": "import multiprocessing as mp, time\npool = mp.Pool(1)\nawaited = pool.apply_async(time.sleep, (60,))",
    "of an executor": "from concurrent.futures import ProcessPoolExecutor as P\nimport time\npool = P(1)\nawaited = pool.submit(time.sleep, 60)",
}


@pytest.mark.parametrize("how", CHILDREN)
def test_a_process_that_is_at_work_at_the_end(stages: Stages, how: str) -> None:
    ran = stages.run(CHILDREN[how])
    assert re.match(
        r"the stage 'stage' ends while its (process '.*|thread '.*) is running.*fix: wait for it",
        ran.failure,
    )


def test_processes_that_have_ended_or_that_a_pool_keeps(stages: Stages) -> None:
    ran = stages.run(
        "import subprocess, os, multiprocessing as mp, joblib",
        "child = subprocess.Popen(['true']); child.wait(); os.system('true &')",
        "pool = mp.get_context('spawn').Pool(1); pool.map(abs, [1])",
        "joblib.Parallel(2)(joblib.delayed(abs)(n) for n in range(2))",
        "%%bash --bg --proc late\ntrue",
        "import time\nwhile late.returncode is None: time.sleep(0.01)",
    )
    assert ran.ok.succeeded


def _is_dead(pid: int) -> bool:
    """Whether a process is gone or, where nobody cleans up after it, a zombie."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def test_pools_of_processes(stages: Stages) -> None:
    """A pool ends its children by the signal that would end the stage."""
    ran = stages.run(
        "from multiprocessing import Pool\nimport time",
        "def square(x): return x * x",
        "with Pool(2) as pool:\n    print(pool.map(square, range(4)))",
        "time.sleep(1.5)\nprint('after')",
    )
    assert ran.ok.succeeded
    assert ran.lines == ["[0, 1, 4, 9]", "after"]


def test_signals_that_a_cell_uses_itself(stages: Stages) -> None:
    ran = stages.run(
        "import signal, time\nsignal.signal(signal.SIGALRM, lambda *a: print('alarm'))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.1)\ntime.sleep(1.3)"
    )
    assert ran.ok.succeeded
    assert ran.lines == ["alarm"]


def test_ten_megabytes_of_output(stages: Stages) -> None:
    ran = stages.run("for i in range(100_000):\n    print(f'{i:09}', 'x' * 90)")
    assert len(ran.lines) == 100_000
    assert ran.lines[-1].startswith("000099999 ")
    assert ran.ok.seconds("code") < 20
    assert len(printed(executed(stages, ran))[0]) == 100_000 * 101


def test_output_that_is_no_utf_8(stages: Stages) -> None:
    ran = stages.run(
        "import os, subprocess\nsubprocess.run(['printf', r'\\377\\376 raw\\n'])\n"
        "os.write(1, b'\\xe4\\n')\nprint('ü\\ud800')\n!printf '\\377 shell\\n'"
    )
    assert "\ufffd\ufffd raw" in ran.lines
    assert "\ufffd" in ran.lines
    assert "ü\\ud800" in ran.lines
    assert any("shell" in line for line in ran.lines)
    assert "ü?" in printed(executed(stages, ran))[0]


def test_a_line_without_an_end_and_blank_ones(stages: Stages) -> None:
    ran = stages.run("print('a\\n\\nb\\n\\n')\nprint('c', end='')")
    assert ran.ok.succeeded
    assert ran.lines == ["a", "", "b", "", "", "c"]


def test_a_cell_cannot_forge_the_result(stages: Stages) -> None:
    ran = stages.run("print('podline-result 0123456789abcdef ' + 'a' * 64)\nx = 1", hands_on="x")
    assert ran.ok.heap.names["x"]
    assert ran.lines == [f"podline-result 0123456789abcdef {'a' * 64}"]


# --- failing cells ------------------------------------------------------------------------------


def test_a_failing_cell(stages: Stages) -> None:
    ran = stages.run("print('one')", "a = 0\nb = 1 / a", "c = 1", hands_on="a")
    assert ran.failure == (
        "cell 2, line 2: ZeroDivisionError: division by zero\n      1 a = 0\n-->   2 b = 1 / a"
    )
    assert ran.result is not None
    failure = ran.result.failure
    assert failure is not None
    assert failure.cell == 2
    assert "ZeroDivisionError: division by zero" in failure.traceback
    assert ran.result.heap.names == {}
    phases = [phase.name for phase in ran.result.phases]
    assert phases == ["boot", "fetch", "imports", "load", "code", "store"]
    notebook = executed(stages, ran)
    assert printed(notebook) == ["one\n", "", ""]
    assert notebook["cells"][1]["outputs"][-1]["ename"] == "ZeroDivisionError"
    assert notebook["cells"][2]["execution_count"] is None
    assert failure.message in notebook["cells"][3]["source"]


def test_a_failing_carried_cell(stages: Stages) -> None:
    bad = replace(carry("import nowhere_at_all", "nowhere_at_all", cell=3), line=7)
    ran = stages.run("nowhere_at_all.x", reads="nowhere_at_all", carried=(bad,))
    assert ran.failure == (
        "cell 3, line 7: ModuleNotFoundError: No module named 'nowhere_at_all'\n"
        "-->   7 import nowhere_at_all"
    )


@pytest.mark.parametrize(
    ("source", "head"),
    [
        ("import sys\nsys.exit(3)", "cell 1, line 2: SystemExit: 3"),
        ("input('name? ')", "cell 1, line 1: EOFError: "),
        ("%%bash\nfalse", "cell 1, line 1: CalledProcessError: "),
        ("%%capture out\n1 / 0", "cell 1, line 2: ZeroDivisionError: "),
        (
            "import resource as r\nr.setrlimit(r.RLIMIT_AS, (10**9, 10**9))\nx = b' ' * 10**10",
            "cell 1, line 3: MemoryError: ",
        ),
        ("def f(): f()\nf()", "cell 1, line 2: RecursionError: "),
    ],
)
def test_other_ways_to_fail(stages: Stages, source: str, head: str) -> None:
    assert stages.run(source).failure.startswith(head)


def test_a_variable_that_cannot_be_stored(stages: Stages) -> None:
    ran = stages.run("import threading", "lock = threading.Lock()\nprint('made')", hands_on="lock")
    assert ran.failure.startswith("cell 2: the variable 'lock' (_thread.lock) cannot be stored, ")
    assert printed(executed(stages, ran)) == ["", "made\n"]


def test_files_over_the_limit(stages: Stages) -> None:
    ran = stages.run("open('big', 'w').write('x' * 100); open('small', 'w')", files_limit=99)
    assert "have 100 bytes" in ran.failure
    assert "'big' (100 bytes)" in ran.failure
    assert not [i for i in stages.store.list(ran.task.prefix) if "/files/" in i.key]


def test_a_module_beside_the_notebook_that_changed(stages: Stages) -> None:
    digest = hashlib.sha256(b"count = 0\n").hexdigest()
    stages.store.put(keys.file_key("runs/example/r", digest), b"count = 0\n")
    plan = make_plan("helper.count += 1", reads="helper", later_modules="helper")
    carried = (carry("import helper", "helper"),)
    task = stages.task(replace(plan, carried=carried, files={"helper.py": digest}))
    ran = stages.run_task(task)
    assert ran.failure.startswith("the stage 'stage' changes helper.count, a variable of a module")


# --- what came back is not what was stored ------------------------------------------------------


def _overwritten(stages: Stages, artifact: Artifact, data: bytes) -> None:
    """Objects are written once: so delete it, and write another."""
    stages.store.delete([artifact.key])
    stages.store.put(artifact.key, data)


@pytest.mark.parametrize("source", ["x = [1]", "x = {1}"])
def test_an_artifact_with_another_hash_is_refused(stages: Stages, source: str) -> None:
    """A pickle above all: it would be code of whoever can write to the store."""
    one = stages.run(source, name="one", hands_on="x")
    artifact = one.ok.heap.objects["one:x"]
    evil = b"\x80\x04cos\nsystem\n(S'touch /tmp/evil'\ntR."
    _overwritten(stages, artifact, evil)
    two = stages.run("print(x)", name="two", reads="x", after=[one])
    found = hashlib.sha256(evil).hexdigest()
    assert two.failure == (
        f"{artifact.key} is corrupt: its sha256 is {found}, and {artifact.sha256} was stored. "
        "fix: run the stage again that wrote it"
    )
    assert two.lines == []


def test_a_missing_artifact(stages: Stages) -> None:
    one = stages.run("x = [1]", name="one", hands_on="x")
    key = one.ok.heap.objects["one:x"].key
    stages.store.delete([key])
    two = stages.run("print(x)", name="two", reads="x", after=[one])
    assert two.failure == f"There is no object {key!r} in the store."


def test_another_result_than_the_control_plane_holds(stages: Stages) -> None:
    one = stages.run("x = [1]", name="one", hands_on="x")
    one.digest = "0" * 64
    two = stages.run("print(x)", name="two", reads="x", after=[one])
    assert two.failure.endswith("/result.json is not what the stage before wrote: its hash differs")


def test_a_stage_says_on_its_way_which_phases_have_ended(stages: Stages) -> None:
    seen = Observed()
    ran = stages.run_task(
        stages.task(make_plan("x = 1", "print('x', end='')")), ProcessBackend(seen)
    )
    assert ran.result is not None
    assert [*seen.ended] == ["boot", "fetch", "imports", "load", "code", "dump"]
    for phase in ran.result.phases[:-1]:
        end = ran.result.started + phase.start + phase.seconds
        assert seen.ended[phase.name] == pytest.approx(end, abs=0.05)
    assert ran.lines == ["x"]  # nothing of that is in the log


# --- the end of a process -----------------------------------------------------------------------


def interrupted(stages: Stages, source: str, number: int, after: float = 0.2) -> tuple[Ran, float]:
    """Run a stage, and send it a signal soon after it printed `ready`; how long it took to end."""
    backend = ProcessBackend()
    sent: list[float] = []

    def send() -> None:
        assert backend.process is not None
        sent.append(time.monotonic())
        os.kill(backend.process.pid, number)

    def on_line(line: str) -> None:
        if line == "ready":
            threading.Timer(after, send).start()

    task = stages.task(make_plan("x = 1", f"print('ready')\n{source}", "y = 1"))
    ran = stages.run_task(task, backend, on_line)
    return ran, time.monotonic() - sent[0]


BUSY = {
    "python": "while True:\n    pass",
    "sleep": "import time\ntime.sleep(60)",
    "numpy": "import numpy as np\na = np.ones((9000, 9000), 'i8')\nwhile True: a @ a",
    "shell": "!sleep 60",
    "await": "import asyncio\nawait asyncio.sleep(60)",
    "task": "import asyncio, time\n"
    "async def work(): time.sleep(60)\n"
    "await asyncio.gather(asyncio.create_task(work()))",
    "child": "import subprocess\nsubprocess.run(['sleep', '60'])",
    "swallowed": "import time\nwhile True:\n  try: time.sleep(60)\n  except BaseException: pass",
    "lock": "import threading\nlock = threading.Lock(); lock.acquire(); lock.acquire()",
}


@pytest.mark.parametrize("name", BUSY)
def test_sigterm_ends_a_stage_cleanly(stages: Stages, name: str) -> None:
    ran, took = interrupted(stages, BUSY[name], signal.SIGTERM)
    assert ran.failure == "the stage was told to stop (SIGTERM) while cell 2 ran"
    assert took < 20  # it would go on for a minute; alone on its machine it takes a second
    assert ran.result is not None
    assert ran.result.failure is not None
    assert ran.result.failure.cell == 2
    notebook = executed(stages, ran)
    assert printed(notebook)[1].startswith("ready\n")
    assert "told to stop" in notebook["cells"][-1]["source"]


def test_half_of_a_pod_s_grace_is_left_to_store_the_result() -> None:
    assert stage_process._GRACE < pods.GRACE_SECONDS / 2


@pytest.mark.usefixtures("enough_memory")
def test_sigkill_is_named(stages: Stages) -> None:
    ran, _ = interrupted(stages, BUSY["sleep"], signal.SIGKILL)
    assert ran.error == (
        "the stage 'stage' was killed by the signal SIGKILL; memory was not the reason"
    )
    assert not stages.store.exists(f"{ran.task.prefix}/{RESULT}")


@pytest.mark.usefixtures("enough_memory")
def test_a_stage_that_was_killed_with_a_child_that_holds_its_output(stages: Stages) -> None:
    source = "import subprocess, time\nsubprocess.Popen(['sleep', '60'])\ntime.sleep(60)"
    ran, took = interrupted(stages, source, signal.SIGKILL)
    assert "was killed by the signal SIGKILL" in ran.error
    assert took < 20  # the child goes on for a minute


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os\nos.kill(os.getpid(), 6)", "was killed by the signal SIGABRT"),
        ("import ctypes\nctypes.string_at(0)", "was killed by the signal SIGSEGV"),
        (
            "import os\nprint('last words', flush=True)\nos._exit(7)",
            "ended with exit code 7 and left no result; its last line: last words",
        ),
    ],
)
def test_a_process_that_just_ends(stages: Stages, source: str, expected: str) -> None:
    assert stages.run(source).error == f"the stage 'stage' {expected}"


def test_the_notebook_is_saved_after_a_slow_cell(store: Store) -> None:
    """Slow is more than 5 s; here, in a process of its own, more than 0.2 s."""
    stages = Stages(store)
    task = stages.task(make_plan("import time\ntime.sleep(0.3)", "x = 1", "import os\nos._exit(1)"))
    code = (
        "from podline.runner import runner, __main__ as stage\n"
        "runner._SAVE_AFTER = 0.2\nstage.main()"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        input=task.to_json().encode(),
        env=environment(store.connection),
        capture_output=True,
    )
    saved = json.loads(bytes(store.get(f"{task.prefix}/executed-0.ipynb")))
    assert [cell["execution_count"] for cell in saved["cells"]] == [1, None, None]
    assert saved["cells"][0]["metadata"]["podline"]["seconds"] >= 0.3
    assert not store.exists(f"{task.prefix}/executed-1.ipynb")


# --- the store ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_store_that_stays_away(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_PATIENCE", "1")
    with seaweedfs.running(server_folder) as connection:
        stages = Stages(Store(connection))
        stages.store.ensure_bucket()
        task = stages.task(make_plan(until_left(server_folder), hands_on="x"))
        stopped: list[bool] = []

        def on_line(line: str) -> None:
            if line == "ready":
                stopped.append(leave(server_folder))

        start = time.monotonic()
        ran = stages.run_task(task, on_line=on_line)
    assert stopped == [True]
    assert ran.result is None
    assert ran.error.startswith(
        "the stage 'stage' ended with exit code 1 and left no result; its last line: The store at "
        f"{connection} does not answer: "
    )
    assert time.monotonic() - start < 100  # by itself it would wait for a quarter of an hour


@dataclass
class Away:
    """A store that goes away when a stage says that it is ready, and maybe comes back."""

    folder: Path
    stages: Stages
    then: Callable[[], object]

    def hear(self, line: str) -> None:
        if line == "ready":
            leave(self.folder)
        elif "It is waited for" in line:
            self.then()


@pytest.fixture
def stages_of_its_own(server_folder: Path) -> Stages:
    stages = Stages(Store(seaweedfs.start(server_folder)))
    stages.store.ensure_bucket()
    return stages


def leave(folder: Path) -> bool:
    """Stop the store of a folder, and let a stage go on that waits for that; whether it ran."""
    ran = seaweedfs.stop(folder)
    folder.with_name("left").touch()
    return ran


def until_left(folder: Path) -> str:
    """The code of a cell that says that it is ready, and goes on when the store has stopped."""
    return (
        "import numpy as np, os, time\nprint('ready', flush=True)\n"
        f"while not os.path.exists({str(folder.with_name('left'))!r}):\n    time.sleep(0.01)\n"
        "x = np.arange(10**6)"
    )


def test_what_a_stage_computed_waits_for_its_store(
    server_folder: Path, stages_of_its_own: Stages
) -> None:
    stages = stages_of_its_own
    away = Away(server_folder, stages, lambda: seaweedfs.start(server_folder))
    task = stages.task(make_plan(until_left(server_folder), hands_on="x"))
    ran = stages.run_task(task, on_line=away.hear)
    assert ran.ok.heap.names["x"].object == "stage:x"
    assert ran.lines[-1].startswith("the store answers again, after ")
    after = stages.run("print(len(x))", reads="x", after=[ran])
    assert after.ok
    assert after.lines == ["1000000"]


def test_a_stage_that_waits_for_its_inputs(server_folder: Path, stages_of_its_own: Stages) -> None:
    stages = stages_of_its_own
    before = stages.run("x = [1]", hands_on="x")
    seaweedfs.stop(server_folder)
    away = Away(server_folder, stages, lambda: seaweedfs.start(server_folder))
    task = stages.task(make_plan("print(x)", reads="x"), [before])
    assert stages.run_task(task, on_line=away.hear).ok


def test_a_stage_that_waits_for_its_store_ends_at_once(
    server_folder: Path, stages_of_its_own: Stages
) -> None:
    stages, backend, sent = stages_of_its_own, ProcessBackend(), list[float]()

    def end() -> None:
        assert backend.process is not None
        sent.append(time.monotonic())
        backend.process.terminate()

    away = Away(server_folder, stages, end)
    task = stages.task(make_plan(until_left(server_folder), hands_on="x"))
    ran = stages.run_task(task, backend, away.hear)
    assert time.monotonic() - sent[0] < 20  # it would wait for a quarter of an hour
    assert ran.error == (
        "the stage 'stage' ended with exit code 143 and left no result; its last line: the stage "
        "was told to stop (SIGTERM) while it waited for the store"
    )


@pytest.mark.slow
def test_a_stage_goes_on_while_its_store_is_away(
    server_folder: Path, stages_of_its_own: Stages
) -> None:
    """The notebook as far as it came, which is stored after a long cell, is no reason to wait."""
    stages = stages_of_its_own
    again = "print('again', flush=True); time.sleep(1)"
    task = stages.task(make_plan(until_left(server_folder), again))
    code = (
        "from podline.runner import runner, __main__ as stage\n"
        "runner._SAVE_AFTER = 0.0\nstage.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(stages.store.connection),
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(task.to_json())
    process.stdin.close()
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.strip())
        if line == "ready\n":
            leave(server_folder)
        elif line == "again\n":
            seaweedfs.start(server_folder)
    process.stdout.close()
    process.wait()
    assert any("the notebook as far as it came is not stored: " in line for line in lines)
    assert stages.store.exists(f"{task.prefix}/{RESULT}")


def test_a_store_that_does_not_let_us_in(store_server: StoreConnection) -> None:
    stages = Stages(Store(replace(store_server, secret_key="wrong")))
    ran = stages.run("x = 1")
    assert "does not allow this" in ran.error
    assert ran.final
    assert "Traceback" not in "\n".join(ran.lines)


LOOK = """
import os, subprocess, sys
from pathlib import Path
import podline
from podline.store import StoreConnection, open_store
places = [str(dict(os.environ)), subprocess.check_output([sys.executable, "-c",
    "import os; print(dict(os.environ))"], text=True)]
if Path("/proc/self/environ").exists():
    places += [Path("/proc/self/environ").read_text()]
seen = [StoreConnection.read().secret_key in place for place in places]
store = open_store()
there = store.exists("nothing")
"""
TELL = "secret = StoreConnection.read().secret_key\nprint('it is', secret)\nsecret"


def test_a_cell_does_not_find_the_stores_keys_but_reaches_the_store(stages: Stages) -> None:
    ran = stages.run(f"{LOOK}\nassert not any(seen), seen\nassert not there")
    assert ran.ok.succeeded


def test_what_a_cell_tells_of_the_stores_keys_is_not_shown(stages: Stages, store: Store) -> None:
    ran = stages.run(LOOK, TELL, "raise ValueError(secret)")
    secret = str(store.connection.secret_key)
    assert "it is ***" in ran.lines
    assert "ValueError: ***" in ran.failure
    assert ran.result is not None
    assert secret not in ran.result.to_json()
    notebook = bytes(store.get(ran.result.executed_notebook)).decode()
    assert notebook.count("***") >= 4
    for text in (notebook, *ran.lines):
        assert secret not in text


def test_a_stage_listens_nowhere(stages: Stages) -> None:
    cell = """
import psutil
stage = psutil.Process()
found = [c for p in (stage, *stage.children(recursive=True)) for c in p.net_connections("all")]
listening = [c.laddr for c in found if c.status == psutil.CONN_LISTEN]
assert not listening, listening
"""
    assert stages.run(cell).ok.succeeded


def test_secrets_that_tags_name_are_for_cells_and_not_shown(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODLINE_SECRETS", "DB_PASSWORD,TOKEN,NOT_THERE")
    monkeypatch.setenv("DB_PASSWORD", "correct horse")
    monkeypatch.setenv("TOKEN", "battery staple")
    cell = "import os\nwords = os.environ['DB_PASSWORD'], os.environ['TOKEN']\nprint(*words)"
    ran = stages.run(cell, "raise ValueError(words)")
    assert "*** ***" in ran.lines
    assert "ValueError: (***, ***)" in ran.failure.replace("'", "")
