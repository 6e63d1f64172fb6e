"""The upload study under a real scheduler: a store in the cluster, in a virtual machine, and bare.

All are the same server, behind one delay link of this machine (root, Linux). It goes on with a
study of the same name. A full one makes docs/uploads.md of what it measured; its last line has the
report's headline numbers.
"""

import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import cluster, studying
from docs import study_pages
from podline import settings
from podline_studies import archive
from podline_studies.study import Study
from podline_studies.uploads.delay_link import tls, topology
from podline_studies.uploads.delay_link.probe import sinking
from podline_studies.uploads.kind import UPLOADS
from tests.support import far_store, virtual_machine

_DAG = "upload_benchmark"
_OURS = ("models_only", "hours", "page")  # options that are no parameters of the DAG
_ANOTHER = {"sizes", "repeats", "pairs", "clients"}  # of which docs/uploads.md is not made
_VM, _BARE = "vm_store", "bare_store"
_IMAGE = Path(__file__).parents[1] / "build" / "vm"
# Bytes of disk that all sizes may take: stores keep what was deleted until they compact.
_ROOM = 25e9
# Airflow is left idle beside an upload: it takes a tenth of two processors, and a third of that so.
_IDLE = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
}


def main() -> None:
    """Run the study, and print the report and the last line."""
    parser = studying.study_parser(__doc__)
    parser.add_argument("--place", choices=["pod", "process"], default="pod")
    parser.add_argument("--client", dest="clients", action="append", help="(podline and boto3)")
    parser.add_argument("--size", dest="sizes", type=int, action="append", help="in bytes")
    parser.add_argument("--rtt", dest="rtts_ms", type=float, action="append", help="in ms")
    parser.add_argument("--model", dest="models", action="append", help="NAME/VERSION, published")
    parser.add_argument("--models-only", action="store_true", help="no random bytes")
    parser.add_argument("--pairs", type=int, help="of a visit (the preset's)")
    parser.add_argument("--no-page", dest="page", action="store_false", help="leave docs/ alone")
    given = parser.parse_args()
    if given.preset == "full":
        _need_room()
    given.name = given.name or studying.new_name(given.preset)
    kept = vars(given).items()
    conf = {name: value for name, value in kept if value is not None and name not in _OURS}
    another = conf.keys() & _ANOTHER
    if given.models_only:
        conf["sizes"] = []
    with tempfile.TemporaryDirectory() as name, cluster.opened() as there:
        folder = Path(name)
        home = urlsplit(there.store.connection.endpoint_url or "").hostname or ""
        stores = {
            settings.store_conn_id(): home,
            _VM: virtual_machine.ADDRESS,
            _BARE: topology.AROUND,
        }
        with (
            topology.laid(stores, folder / "link.log"),
            sinking(),
            far_store.serving(folder / "bare", topology.AROUND) as bare,
            virtual_machine.running(_IMAGE, folder / "vm") as machine,
        ):
            conf["accelerated"] = machine.accelerated
            kind = "KVM" if machine.accelerated else "emulated"
            print(f"the virtual machine ({kind}) serves after {machine.ready:.1f} s", flush=True)
            others = replace(machine.store, conn_id=_VM), replace(bare, conn_id=_BARE)
            variables = {
                **_IDLE,
                **there.variables,
                **{name: value for store in others for name, value in store.to_env().items()},
                "AIRFLOW__PODLINE__STORES": json.dumps([store.conn_id for store in others]),
            }
            os.environ.update(variables)
            urls = [store.endpoint_url or "" for store in (there.store.connection, *others)]
            with tls.terminating(urls, folder):
                studying.run(folder, variables, _DAG, conf, given.hours)
            study = Study(there.store, UPLOADS, conf["name"])
            n = min(point.pairs for point in study.design().points)
            if given.page and given.preset == "full" and not another:
                file = study_pages.MODELS if given.models_only else study_pages.STUDY
                archive.export(study, study_pages.DOCS / study_pages.UPLOADS / file)
                study_pages.write(study_pages.UPLOADS)
            ready = round(machine.ready, 1)
            studying.tell(study, f"upload-study-{given.preset}", n, {}, machine_ready_s=ready)


def _need_room() -> None:
    where = tempfile.gettempdir()
    if (free := shutil.disk_usage(where).free) < _ROOM:
        raise SystemExit(
            f"{where} has {free / 1e9:.0f} GB free, and a full study may take {_ROOM / 1e9:.0f}: "
            "make room there, or set TMPDIR to a larger disk"
        )


if __name__ == "__main__":
    main()
