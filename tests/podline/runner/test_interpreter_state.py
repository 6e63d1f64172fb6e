"""State that is no name: each kind is taken in one process and put back in another."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from podline.runner import interpreter_state

_CHILD = """
import json, os, pickle, sys
from pathlib import Path
folder, file, before, then, after = sys.argv[1:]
os.makedirs(folder, exist_ok=True)
os.chdir(folder)
sys.path.insert(0, folder)
from podline.runner import interpreter_state as state
exec(before)
if Path(file).exists():
    for name, data in pickle.loads(Path(file).read_bytes()).items():
        state.restore(name, data, Path(folder))
taken = state.snapshot(Path(folder))
exec(then)
changed = state.changes(taken, state.snapshot(Path(folder)), then)
Path(file).write_bytes(pickle.dumps(changed))
print(json.dumps([sorted(changed), eval(after)]))
"""


def process(
    folder: Path, file: Path, before: str, then: str, after: str
) -> tuple[list[str], object]:
    """Put what is in `file`, run `then`, keep what that changed; return it and `after`'s value."""
    command = [sys.executable, "-c", _CHILD, str(folder), str(file), before, then, after]
    plugins = Path(__file__).parents[3] / "plugins"
    run = subprocess.run(
        command,
        env={"PYTHONPATH": str(plugins), "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    changed, value = json.loads(run.stdout)
    return changed, value


PANDAS, NUMPY = "import pandas as pd", "import numpy as np"
PLOT, SKLEARN = "import matplotlib as mpl", "import sklearn"
# The kind, what is imported before, what a cell does, and what another process then sees.
CASES = """
random | import random | random.seed(1); random.random() | random.random()
random | import random | random.gauss(0, 1) | random.gauss(0, 1)
numpy.random | import numpy as np | np.random.seed(1); np.random.rand() | np.random.rand()
numpy.random | import numpy as np | np.random.seed(1); np.random.randn() | np.random.randn()
environ | import os | os.environ['A'] = '1'; os.environ.pop('MPLBACKEND') | [os.environ.get('A'), os.environ.get('MPLBACKEND')]
environ | import os, time | os.environ['TZ'] = 'Asia/Tokyo'; time.tzset() | time.strftime('%Z', time.localtime(0))
cwd | import os | os.makedirs('deep/er', exist_ok=True); os.chdir('deep') | os.path.basename(os.getcwd())
sys.path | import sys | sys.path.append('lib') | sys.path[-1]
recursion limit | import sys | sys.setrecursionlimit(4321) | sys.getrecursionlimit()
decimal | import decimal | decimal.getcontext().prec = 4 | str(decimal.Decimal(1) / 3)
decimal | import decimal | decimal.getcontext().traps[decimal.Inexact] = True | decimal.getcontext().traps[decimal.Inexact]
warnings | import warnings | warnings.simplefilter('ignore') | warnings.filters[0][0]
loggers:a.b | import logging | logging.getLogger('a.b').setLevel(15) | logging.getLogger('a.b').level
loggers: | import logging | logging.root.setLevel(5) | logging.root.level
loggers: | import logging | logging.basicConfig(format='%(name)s!%(message)s', level=20) | [logging.root.level, logging.root.handlers[0].format(logging.makeLogRecord({'msg': 'm'}))]
loggers:a | import logging, sys | logging.getLogger('a').addHandler(logging.StreamHandler(sys.stdout)) | [h.stream.name for h in logging.getLogger('a').handlers]
loggers:a | import logging | logging.getLogger('a').addHandler(logging.FileHandler('a.log')) | [h.baseFilename.rpartition('/')[2] for h in logging.getLogger('a').handlers]
loggers:a | import logging | logging.getLogger('a').addFilter(lambda record: 'x' in record.msg) | [bool(logging.getLogger('a').filter(logging.makeLogRecord({'msg': m}))) for m in ('x', 'y')]
loggers:a | import logging | logging.getLogger('a').propagate = False; logging.getLogger('a').disabled = True | [logging.getLogger('a').propagate, logging.getLogger('a').disabled]
logging | import logging | logging.disable(logging.INFO); logging.addLevelName(25, 'NOTICE') | [logging.root.manager.disable, logging.getLevelName(25)]
logging | import logging | logging.captureWarnings(True) | logging._warnings_showwarning is not None
default timeout of sockets | import socket | socket.setdefaulttimeout(3.5) | socket.getdefaulttimeout()
digits of integers | import sys | sys.set_int_max_str_digits(5000) | sys.get_int_max_str_digits()
switch interval | import sys | sys.setswitchinterval(0.5) | sys.getswitchinterval()
start method of processes | import multiprocessing | multiprocessing.set_start_method('spawn') | multiprocessing.get_start_method()
umask | import os | os.umask(0o77) | [os.umask(0o77), os.umask(0o77)]
garbage collection | import gc | gc.disable() | gc.isenabled()
locale | import locale | locale.setlocale(locale.LC_ALL, 'C.UTF-8') | locale.setlocale(locale.LC_NUMERIC)
csv dialects | import csv | csv.register_dialect('semi', delimiter=';') | csv.get_dialect('semi').delimiter
signals | import signal | signal.signal(signal.SIGUSR1, signal.SIG_IGN) | signal.getsignal(signal.SIGUSR1).name
numpy.settings | import numpy as np | np.seterr(divide='raise') | np.geterr()['divide']
numpy.settings | import numpy as np | np.set_printoptions(precision=2) | str(np.array([1.23456]))
numpy.settings | import numpy as np | np.set_printoptions(formatter={'int': lambda i: f'<{i}>'}) | str(np.array([3]))
pandas | import pandas as pd | pd.set_option('display.max_rows', 7) | pd.get_option('display.max_rows')
pandas | import pandas as pd | pd.options.display.float_format = '{:.1f}'.format | str(pd.Series([1.23]))
tqdm.pandas | import pandas as pd | from tqdm import tqdm; tqdm.pandas(desc='rows') | callable(pd.DataFrame.progress_apply)
numpy.settings | import numpy as np | np.seterrcall(lambda kind, flag: None) | callable(np.geterrcall())
matplotlib | import matplotlib as mpl | mpl.rcParams['figure.dpi'] = 33 | mpl.rcParams['figure.dpi']
matplotlib | import matplotlib as mpl, matplotlib.style | mpl.style.use('ggplot') | mpl.rcParams['axes.facecolor']
matplotlib colours | import matplotlib.colors as c, seaborn as sns | sns.set_color_codes('muted') | c.to_hex('b')
matplotlib colour maps | import matplotlib as mpl, matplotlib.pyplot | mpl.colormaps.register(mpl.colors.ListedColormap(['#ff0000', '#00ff00']), name='mine') | mpl.colors.to_hex(mpl.colormaps['mine'](1))
seaborn.objects | import seaborn.objects as so | so.Plot.config.theme['axes.facecolor'] = 'white'; so.Plot.config.display['format'] = 'svg' | [so.Plot.config.theme['axes.facecolor'], so.Plot.config.display['format']]
sklearn | import sklearn | sklearn.set_config(transform_output='pandas') | sklearn.get_config()['transform_output']
"""
IMPORTS_MUCH = re.compile("seaborn|sklearn|pyplot")


def test_a_start_method_that_a_library_asks_for_is_no_change(tmp_path: Path) -> None:
    asks = "multiprocessing.get_start_method()"
    changed, method = process(tmp_path / "a", tmp_path / "s", "import multiprocessing", asks, asks)
    assert (changed, bool(method)) == ([], True)


@pytest.mark.parametrize(
    ("name", "before", "then", "after"),
    [
        pytest.param(
            *row.split(" | "), marks=[pytest.mark.slow] if IMPORTS_MUCH.search(row) else []
        )
        for row in CASES.strip().splitlines()
    ],
)
def test_it_goes_on(name: str, before: str, then: str, after: str, tmp_path: Path) -> None:
    one = tmp_path / "one"
    changed, here = process(one, tmp_path / "state", before, then, f"[{after}, {after}]")
    assert changed == [name]
    (tmp_path / "two/deep/er").mkdir(parents=True)
    unchanged, there = process(
        tmp_path / "two", tmp_path / "state", before, "pass", f"[{after}, {after}]"
    )
    assert unchanged == []
    assert there == here


@pytest.mark.parametrize("source", [NUMPY, PANDAS, PLOT, SKLEARN])
def test_an_import_alone_changes_no_generator_and_no_option(source: str, tmp_path: Path) -> None:
    changed, _ = process(tmp_path / "one", tmp_path / "state", "pass", source, "0")
    assert not {"numpy.random", "pandas", "matplotlib", "sys.path", "cwd"} & set(changed)


def test_a_setting_that_was_taken_back_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "state"
    imports = f"{PANDAS}; pd.set_option('display.max_rows', 7)"
    process(tmp_path / "one", file, imports, "pd.reset_option('display.max_rows')", "0")
    _, value = process(tmp_path / "two", file, imports, "", "pd.get_option('display.max_rows')")
    assert value == 60


def test_paths_of_the_working_directory_move(tmp_path: Path) -> None:
    file = tmp_path / "state"
    one, two = tmp_path / "one", tmp_path / "two"
    then = "import os, sys; os.environ['D'] = os.getcwd() + '/d'; sys.path.append(os.getcwd())"
    process(one, file, "pass", then, "0")
    _, value = process(two, file, "import os, sys", "pass", "[os.environ['D'], sys.path[-1]]")
    assert value == [f"{two}/d", str(two)]


def test_a_directory_elsewhere_stays_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "state"
    process(tmp_path / "one", file, "pass", "import os; os.chdir('/usr')", "0")
    _, value = process(tmp_path / "two", file, "import os", "pass", "os.getcwd()")
    assert value == "/usr"


def test_the_environment_holds_only_what_was_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(interpreter_state.stdlib._START, "SECRET", "s")
    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setenv("NEW", "1")
    taken = pickle.loads(interpreter_state.snapshot(tmp_path)["environ"].data)
    assert "SECRET" not in taken
    assert taken["NEW"] == "1"


@pytest.mark.parametrize(
    ("then", "name", "what"),
    [
        ("logging.getLogger('a').addHandler(Own())", "loggers:a", "a handler of logs, Own"),
        (
            "logging.root.addHandler(logging.StreamHandler(buffer))",
            "loggers:",
            "a handler of logs, logging.StreamHandler that writes to StringIO",
        ),
        ("logging.root.addFilter(Counting())", "loggers:", "an object of the class 'Counting'"),
        ("logging.setLogRecordFactory(made)", "logging", "a factory of log records, made"),
        ("signal.signal(signal.SIGUSR1, note)", "signals", "the function 'note'"),
        ("signal.signal(signal.SIGUSR1, seen.append)", "signals", "an object of the class"),
        ("np.seterrcall(Log())", "numpy.settings", "an object of the class 'Log'"),
    ],
)
def test_what_cannot_be_made_again_is_refused(
    then: str, name: str, what: str, tmp_path: Path
) -> None:
    before = """
import io, logging, signal
import numpy as np
class Log:
    def __init__(self): self.seen = []
    def write(self, text): self.seen.append(text)
class Own(logging.Handler): pass
class Counting(logging.Filter):
    def __init__(self): super().__init__(); self.seen = []
made = lambda *a, **n: logging.LogRecord(*a, **n)
made.__qualname__ = "made"
buffer, seen = io.StringIO(), []
def note(*arguments): seen.append(arguments)
"""
    check = f"""
try:
    state.changes(taken, state.snapshot(Path(folder)), {then!r})
except Exception as error:
    told = str(error)
os._exit(0) if print(json.dumps([[], told]), flush=True) is None else None
"""
    _, told = process(tmp_path / "one", tmp_path / "state", before, then + check, "0")
    assert f"the cells change the state of {name!r}, and it holds {what}" in str(told)
    assert "fix: move the lines" in str(told)


def test_loggers_that_libraries_set_up_are_theirs(tmp_path: Path) -> None:
    then = "import urllib3; logging.getLogger('urllib3.mine').setLevel(40)"
    changed, _ = process(tmp_path / "one", tmp_path / "state", "import logging", then, "0")
    assert "loggers:urllib3.mine" in changed
    library = "n = 'urllib' + '3'; __import__(n); logging.getLogger(n).setLevel(40)"
    changed, _ = process(tmp_path / "two", tmp_path / "none", "import logging", library, "0")
    assert not [name for name in changed if name.startswith("logg")]


def test_where_a_module_is_not_imported_for_its_state_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    assert not interpreter_state.is_used("keras", ["x = 1"])
    assert interpreter_state.is_used("keras", ["x = 1", "import keras"])
    assert interpreter_state.is_used("keras", ["import tensorflow as tf"])
    assert interpreter_state.is_used("environ", [])
    assert interpreter_state.is_used("random", [])


def test_which_kinds_are_generators() -> None:
    names = [kind.name for kind in interpreter_state.KINDS]
    generators = set(filter(interpreter_state.is_generator, names))
    assert generators == {"random", "numpy.random", "keras", "torch"}
    assert interpreter_state.module_of("numpy.settings") == "numpy"
