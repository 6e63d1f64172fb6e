"""A sweep of the overhead study under a real scheduler, in the cluster that KUBECONFIG names.

It goes on with a study of the same name. Its last line has the report's headline numbers.
"""

import shutil
import tempfile
import time
from pathlib import Path

from benchmarks import cluster, studying
from benchmarks.report import goal
from podline import datasets, settings
from podline.compiler.join_stages import JOINED, join_stages
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
    parser.add_argument("--backend", action="append", help="(all four)")
    parser.add_argument(
        "--join", nargs=2, metavar="STAGE", help="compare with a notebook that has these joined"
    )
    arguments = parser.parse_args()
    given = {
        "data": arguments.data,
        "models": arguments.model,
        "repeats": arguments.repeats,
        "backends": arguments.backend,
    }
    conf = {
        "preset": arguments.preset,
        "seed": arguments.seed,
        "name": arguments.name or studying.new_name(arguments.preset),
        "notebooks": arguments.notebook or ["household_power"],
        **{name: value for name, value in given.items() if value},
    }
    with tempfile.TemporaryDirectory() as name, cluster.opened() as there:
        for data in set(conf["notebooks"]) & datasets.DATASETS.keys():
            there.store.put_if_absent(datasets.store_key(data), datasets.fetch(data))
        variables = dict(there.variables)
        if arguments.join:
            folder = _joined(Path(name), conf["notebooks"], *arguments.join)
            variables["AIRFLOW__PODLINE__NOTEBOOKS_FOLDER"] = str(folder)
        began = time.monotonic()
        others = [
            f"{of}_{kind}"
            for of in conf["notebooks"]
            for kind in ("baseline", "stock", "stock_tuned")
        ]
        studying.run(Path(name), variables, _DAG, conf, arguments.hours, others)
        minutes = (time.monotonic() - began) / 60
        goals = {}
        if arguments.preset in _MINUTES and not any(given.values()):
            goals["minutes"] = goal(minutes, _MINUTES[arguments.preset])
        study = Study(there.store, OVERHEAD, conf["name"])
        n = study.design().repeats
        studying.tell(study, f"sweep-{arguments.preset}", n, goals, minutes=round(minutes, 1))


def _joined(home: Path, notebooks: list[str], first: str, second: str) -> Path:
    """A folder with a notebook, and beside it the same with two stages joined."""
    path = settings.notebooks_folder() / f"{notebooks[0]}.ipynb"
    folder = home / "notebooks"
    folder.mkdir()
    shutil.copy(path, folder)
    notebooks.append(path.stem + JOINED)
    (folder / f"{notebooks[-1]}.ipynb").write_text(join_stages(path, first, second))
    return folder


if __name__ == "__main__":
    main()
