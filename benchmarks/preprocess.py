"""household_power's ingest and preprocess, as stages and as one plain process, at 1× and 10×.

1× is the whole table, 10× ten times as many rows: what lies before the held-out year is repeated.
The plain process is the very same cells as a script, with no IPython in it, and reads the same
cached file. A round runs both at both sizes, and every other round the plain process first.

- *code*: the stages' own code over the script's, from the end of its imports to its last cell.
- *whole*: the stages from their start to their results, over the script from its start to its exit.
- *memory*: the peak of a stage's process at 10× over that at 1×.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.report import asked, goal, print_last_line, summary
from podline.compiler.compiler import check_notebook
from podline.compiler.pipeline import Pipeline
from podline.datasets import fetch
from podline.operators.local_run import LocalRun
from podline.operators.process import environment
from podline.store import Store, seaweedfs
from tests.support.notebooks import code_cell

STAGES = ("ingest", "preprocess")
SIZES = (1, 10)
CODE, MEMORY = 1.1, 1.15  # the goals
_NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "household_power.ipynb"
_TABLE, _HELD_OUT = 2_075_259, 525_600  # rows

_SCRIPT = """import time
_start = time.perf_counter()
{imports}
_imported = time.perf_counter()
{code}
_end = time.perf_counter()
import json, resource
_peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(dict(imports=_imported - _start, code=_end - _imported, peak=_peak)))
"""


@dataclass
class Sample:
    """What a run took: seconds, and the peak memory in bytes, by stage (or "plain").

    Attributes:
        printed: the lines that it printed.
    """

    code: dict[str, float]
    imports: dict[str, float]
    peak: dict[str, int]
    whole: float
    printed: list[str]

    @property
    def seconds(self) -> float:
        """Of all its code."""
        return sum(self.code.values())


def make_pipeline(folder: Path) -> Pipeline:
    """Compile the notebook's first two stages, and one that takes what they hand on."""
    notebook = json.loads(_NOTEBOOK.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    tags = [cell["metadata"].get("tags", []) for cell in cells]
    end = next(number for number, listed in enumerate(tags) if "step:train" in listed)
    notebook["cells"] = [*cells[:end], code_cell("read_hours(columns), test", "step:take")]
    path = folder / _NOTEBOOK.name
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return check_notebook(path)


def plain_script(pipeline: Pipeline, rows: int) -> str:
    """The cells of the two stages as one script, with the imports and functions that they use."""
    plans = [pipeline.plan(s, {"rows": rows}, {}, 0) for s in pipeline.stages if s.name in STAGES]
    wanted = {name for plan in plans for name in plan.reads}
    used: list[str] = []
    for statement in reversed(plans[-1].carried):
        if wanted & set(statement.binds):
            used.insert(0, statement.source)
            wanted |= set(statement.reads)
    imports = [source for source in used if source.startswith(("import ", "from "))]
    code = [source for source in used if source not in imports]
    code += [cell.source for plan in plans for cell in plan.cells]
    return _SCRIPT.format(imports="\n".join(imports), code="\n\n".join(code))


def run_plain(pipeline: Pipeline, store: Store, rows: int) -> Sample:
    """Run the script in a process and a folder of its own.

    Args:
        pipeline: of the notebook.
        store: which the notebook may read from.
        rows: how many it reads.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "plain.py"
        script.write_text(plain_script(pipeline, rows), encoding="utf-8")
        start = time.monotonic()
        run = subprocess.run(
            [sys.executable, script],
            cwd=folder,
            env=environment(store.connection),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        whole = time.monotonic() - start
    *printed, last = run.stdout.splitlines()
    took = json.loads(last)
    code, imports, peak = ({"plain": took[what]} for what in ("code", "imports", "peak"))
    return Sample(code, imports, peak, whole, printed)


def run_stages(pipeline: Pipeline, store: Store, rows: int) -> Sample:
    """Run the stages as local processes, and delete what they stored.

    Args:
        pipeline: of the notebook.
        store: where they store.
        rows: how many the first one reads.
    """
    run = LocalRun(pipeline, store, {"rows": rows})
    printed: list[str] = []
    run.run(lambda stage, line: printed.append(line))
    store.delete([item.key for item in store.list("runs")])
    results = {name: run.results[name] for name in STAGES}
    phases = {name: {p.name: p.seconds for p in r.phases} for name, r in results.items()}
    return Sample(
        {name: taken["code"] for name, taken in phases.items()},
        {name: taken["imports"] for name, taken in phases.items()},
        {name: result.peak_memory for name, result in results.items()},
        sum(run.seconds[name] for name in STAGES),
        printed,
    )


def measure(n: int, folder: Path) -> dict[int, list[tuple[Sample, Sample]]]:
    """Run `n` rounds; returns pairs of stages and plain process by size."""
    fetch("household_power")
    pipeline = make_pipeline(folder)
    found: dict[int, list[tuple[Sample, Sample]]] = {size: [] for size in SIZES}
    with seaweedfs.running(folder / "store") as connection:
        store = Store(connection)
        store.ensure_bucket()
        for size in (SIZES[0], *SIZES * n):
            found[size].append(_pair(pipeline, store, size, len(found[size]) % 2 == 1))
    del found[SIZES[0]][0]  # it warmed up
    return found


def _pair(pipeline: Pipeline, store: Store, size: int, plain_first: bool) -> tuple[Sample, Sample]:
    """Run the stages and the plain process, and see that they found the same."""
    rows = size * _TABLE - _HELD_OUT  # before the held-out year
    step = -1 if plain_first else 1
    samples = [way(pipeline, store, rows) for way in (run_stages, run_plain)[::step]]
    stages, plain = samples[::step]
    if not plain.printed or not set(plain.printed) <= set(stages.printed):
        raise SystemExit(f"the stages print {stages.printed}, the plain process {plain.printed}")
    print(f"{size:3}×: {_line(stages, plain)}", flush=True)
    return stages, plain


def _line(stages: Sample, plain: Sample) -> str:
    peaks = ", ".join(f"{peak / 2**20:.0f}" for peak in stages.peak.values())
    return (
        f"code {stages.seconds:.2f} s, plain {plain.seconds:.2f} s; "
        f"whole {stages.whole:.2f} s, plain {plain.whole:.2f} s; peaks {peaks} MiB"
    )


def report(n: int, found: dict[int, list[tuple[Sample, Sample]]]) -> None:
    """Print the goals, and the samples behind them."""
    code = {size: [s.seconds / p.seconds for s, p in pairs] for size, pairs in found.items()}
    peaks = {size: _by_name(pairs, "peak") for size, pairs in found.items()}
    small, large = SIZES
    memory = {name: median(peaks[large][name]) / median(peaks[small][name]) for name in STAGES}
    goals = {f"code_{size}x": goal(median(code[size]), CODE) for size in SIZES}
    goals |= {f"{name}_memory": goal(memory[name], MEMORY) for name in STAGES}
    details = {f"{size}x": _details(size, pairs, code[size]) for size, pairs in found.items()}
    print_last_line("preprocess", n, goals, **details)


def _by_name(pairs: list[tuple[Sample, Sample]], what: str) -> dict[str, list[float]]:
    """The samples of a measure by stage, the plain process among them."""
    rows = [getattr(stages, what) | getattr(plain, what) for stages, plain in pairs]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _details(
    size: int, pairs: list[tuple[Sample, Sample]], ratios: list[float]
) -> dict[str, object]:
    named = {
        f"{what}_s": {name: summary(v) for name, v in _by_name(pairs, what).items()}
        for what in ("code", "imports")
    }
    peaks = _by_name(pairs, "peak")
    return {
        "rows_read": size * _TABLE,
        "code_ratio": summary(ratios),
        "whole_ratio": summary([stages.whole / plain.whole for stages, plain in pairs]),
        "whole_s": {
            "stages": summary([stages.whole for stages, _ in pairs]),
            "plain": summary([plain.whole for _, plain in pairs]),
        },
        **named,
        "peak_mib": {name: summary([b / 2**20 for b in v]) for name, v in peaks.items()},
        "samples": [[round(s.seconds, 3), round(p.seconds, 3)] for s, p in pairs],
    }


def main() -> None:
    """Measure, and print the last line."""
    n = asked(__doc__, 7, "rounds")
    with tempfile.TemporaryDirectory() as name:
        report(n, measure(n, Path(name)))


if __name__ == "__main__":
    main()
