"""A sweep of the overhead study under a real scheduler, in the cluster that KUBECONFIG names.

`full` measures, one after the other, the studies that docs/overhead.md is made of, and makes that
page of them; it says before how long each takes. A sweep goes on with studies of the same name. Its
last line has the report's headline numbers.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import cluster, studying
from benchmarks.report import goal
from benchmarks.runs import copy_notebook
from benchmarks.sweep_parts import FULL, hours
from docs import study_pages
from podline import datasets
from podline.compiler.join_stages import JOINED, join_stages
from podline_studies import archive
from podline_studies.overhead.design import AT_ONCE
from podline_studies.overhead.kind import OVERHEAD
from podline_studies.study import Study

_DAG = "overhead_sweep"
_MINUTES = {"quick": 20.0}  # the goal for a preset as it is


def main() -> None:
    """Sweep, and print the report and the last line."""
    parser = studying.study_parser(__doc__)
    parser.add_argument("--notebook", action="append", help="(household_power)")
    parser.add_argument("--data", type=int, action="append", help="a data size of one's own")
    parser.add_argument("--model", type=int, action="append", help="a model size of one's own")
    parser.add_argument("--steps", type=int, action="append", help="training steps of one's own")
    parser.add_argument("--backend", action="append", help="(all six)")
    parser.add_argument(
        "--join", nargs=2, metavar="STAGE", help="compare with a notebook that has these joined"
    )
    parser.add_argument("--part", action="append", help="of full: its studies (all)")
    parser.add_argument("--to", type=Path, help="of full: a folder for the raw data alone")
    arguments = parser.parse_args()
    given = {
        "data": arguments.data,
        "models": arguments.model,
        "steps": arguments.steps,
        "repeats": arguments.repeats,
        "backends": arguments.backend,
        "notebooks": arguments.notebook,
    }
    own = {name: value for name, value in given.items() if value}
    name = arguments.name or studying.new_name(arguments.preset)
    if arguments.preset == "full" and not own.keys() - {"repeats"}:
        _sweep_parts(arguments, name)
        return
    conf = {"preset": arguments.preset, "seed": arguments.seed, "name": name, **own}
    began = time.monotonic()
    study = _sweep(conf, arguments.hours, arguments.join)
    minutes = (time.monotonic() - began) / 60
    goals = {}
    if arguments.preset in _MINUTES and not own:
        goals["minutes"] = goal(minutes, _MINUTES[arguments.preset])
    n = study.design().repeats
    studying.tell(study, f"sweep-{arguments.preset}", n, goals, minutes=round(minutes, 1))


def _sweep_parts(arguments: argparse.Namespace, name: str) -> None:
    parts = [part for part in FULL if part.name in (arguments.part or [p.name for p in FULL])]
    most = {part.name: hours(part, arguments.seed, arguments.repeats) for part in parts}
    each = ", ".join(f"{part} {time:.1f}" for part, time in most.items())
    print(f"{name} takes about {sum(most.values()):.1f} hours ({each})", flush=True)
    page = not arguments.to and not arguments.repeats  # the page's own design, and no other
    folder = study_pages.DOCS / study_pages.OVERHEAD if page else arguments.to
    for part in parts:
        conf = {"preset": "full", "seed": arguments.seed, "name": f"{name}-{part.name}"}
        conf |= {"repeats": arguments.repeats} if arguments.repeats else {}
        study = _sweep(conf | dict(part.conf), arguments.hours, part.join)
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            archive.export(study, folder / part.file)
        studying.tell(study, f"sweep-full-{part.name}", study.design().repeats, {})
    if page:
        study_pages.write(study_pages.OVERHEAD)


def _sweep(conf: dict[str, Any], most: float, join: Iterable[str] | None) -> Study[Any, Any]:
    """Run a study to its end, of at most so many hours, and return it."""
    notebooks = list(conf.get("notebooks") or ["household_power"])
    with tempfile.TemporaryDirectory() as home, cluster.opened() as there:
        for data in datasets.DATASETS:
            datasets.put(there.store, data)
        folder = Path(home) / "notebooks"
        at_once = max((AT_ONCE.get(one, 1) for one in conf.get("backends") or ()), default=1)
        notebooks += _copied(folder, notebooks, join, at_once)
        others = [
            f"{of}_{kind}" for of in notebooks for kind in ("baseline", "stock", "stock_tuned")
        ]
        variables = {**there.variables, "AIRFLOW__PODLINE__NOTEBOOKS_FOLDER": str(folder)}
        conf = {**conf, "notebooks": notebooks}
        studying.run(Path(home), variables, _DAG, conf, most, others)
        return Study(there.store, OVERHEAD, conf["name"])


def _copied(
    folder: Path, notebooks: list[str], join: Iterable[str] | None, at_once: int
) -> list[str]:
    """Copy notebooks, which may then run so often at once; returns what was joined of the first."""
    folder.mkdir()
    for name in notebooks:
        copy_notebook(name, folder, at_once)
    if not join:
        return []
    joined = notebooks[0] + JOINED
    text = join_stages(folder / f"{notebooks[0]}.ipynb", *join)
    (folder / f"{joined}.ipynb").write_text(text)
    return [joined]


if __name__ == "__main__":
    main()
