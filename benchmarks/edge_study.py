"""The update study under a real scheduler: stores in the cluster and in a virtual machine.

Both are behind one delay link of this machine (root, Linux). MLServer comes from PyPI into an
environment of its own. It goes on with a study of the same name, and writes the page
docs/edge-study.md with its raw data. Its last line has the report's headline numbers.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import studying
from benchmarks.edge import mlserver_python
from benchmarks.report import goal_at_least
from docs import study_pages
from podline import settings
from podline.store import Store, StoreConnection, StoreConnectionError, in_cluster
from podline_studies import archive
from podline_studies.study import Study
from podline_studies.updates.analysis.points import OURS, TOLD, summarise
from podline_studies.updates.frames import tables
from podline_studies.updates.kind import UPDATES
from podline_studies.uploads.delay_link import topology
from podline_studies.uploads.delay_link.probe import sinking
from tests.support import far_store, virtual_machine

_OURS = ("hours", "here", "page")  # options that are no parameters of the DAG
_VM = "vm_store"
_IMAGE = Path(__file__).parents[1] / "build" / "vm"
# Airflow is left idle beside an update: it takes a tenth of two processors, and a third of that so.
_IDLE = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
}


def main() -> None:
    """Run the study, and print the report and the last line."""
    parser = studying.study_parser(__doc__)
    parser.add_argument("--way", dest="ways", action="append", help="(all)")
    parser.add_argument("--form", dest="forms", action="append", help="(float32 and int8)")
    parser.add_argument("--size", dest="sizes", type=int, action="append", help="in bytes")
    parser.add_argument("--rtt", dest="rtts_ms", type=float, action="append", help="in ms")
    parser.add_argument("--rate", dest="rates", type=int, action="append", help="in Mbit/s")
    parser.add_argument("--batch", type=int, help="repeats of one (quick: 4, full: 2)")
    parser.add_argument("--here", action="store_true", help="one store, of this machine's own")
    parser.add_argument("--no-page", dest="page", action="store_false", help="leave docs/ alone")
    given = parser.parse_args()
    given.name = given.name or studying.new_name(given.preset)
    given.batch = given.batch or {"quick": 4, "full": 2}[given.preset]
    kept = vars(given).items()
    conf = {name: value for name, value in kept if value is not None and name not in _OURS}
    path = str(mlserver_python().parent)
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], path])
    with tempfile.TemporaryDirectory() as name, _stores(Path(name), given.here) as stores:
        variables = dict(_IDLE)
        for store in stores:
            variables |= store.to_env()
        others = ", ".join(f'"{store.conn_id}"' for store in stores[1:])
        variables |= {"AIRFLOW__PODLINE__STORES": f"[{others}]"}
        os.environ.update(variables)
        studying.run(Path(name), variables, UPDATES.dag_id, conf, given.hours)
        study = Study(Store(stores[0]), UPDATES, given.name)
        if given.page:
            archive.export(study, study_pages.DOCS / study_pages.UPDATES / study_pages.STUDY)
            study_pages.write(study_pages.UPDATES)
        _tell(given.preset, study)


def _tell(preset: str, study: "Study") -> None:  # type: ignore[type-arg]
    found = summarise(*tables(study))
    n = min(point.repeats for point in study.design().points)
    goals = {
        f"{way}_within_1_s_and_1_15_times_the_limit": goal_at_least(
            found.within(way) / found.many(way), 0.95
        )
        for way in (OURS, TOLD)
        if found.many(way)
    }
    studying.tell(study, f"edge-study-{preset}", n, goals)


@contextmanager
def _stores(folder: Path, here: bool) -> Iterator[list[StoreConnection]]:
    """The stores behind the link: the cluster's and a machine's, or one of this machine's own."""
    with ExitStack() as stack:
        names = [settings.store_conn_id()]
        if here:
            stack.enter_context(topology.laid({names[0]: topology.AROUND}, folder / "link.log"))
            stack.enter_context(sinking())
            own = stack.enter_context(far_store.serving(folder / "store", topology.AROUND))
            yield [replace(own, conn_id=names[0])]
            return
        cluster = _in_cluster()
        home = urlsplit(cluster.endpoint_url or "").hostname or ""
        addresses = {names[0]: home, _VM: virtual_machine.ADDRESS}
        stack.enter_context(topology.laid(addresses, folder / "link.log"))
        stack.enter_context(sinking())
        machine = stack.enter_context(virtual_machine.running(_IMAGE, folder / "vm"))
        kind = "KVM" if machine.accelerated else "emulated"
        print(f"the virtual machine ({kind}) serves after {machine.ready:.1f} s", flush=True)
        yield [cluster, replace(machine.store, conn_id=_VM)]


def _in_cluster() -> StoreConnection:
    try:
        return in_cluster.connection(settings.namespace())
    except StoreConnectionError as error:
        raise SystemExit(f"{error} Or give --here: one store, of this machine's own.") from None


if __name__ == "__main__":
    main()
