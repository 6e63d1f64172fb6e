"""The reports of studies, from the object store."""

from podline.exceptions import PodlineError

# What measures studies, and their kind.
DAGS = {"overhead_sweep": "overhead", "upload_benchmark": "uploads"}


def reported(dag_id: str) -> list[str]:
    """The studies of a DAG that have a report; none: the store is away, or has none.

    Args:
        dag_id: one of `DAGS`.
    """
    from podline.store import StoreError, open_store
    from podline.studies.keeping import Study, studies
    from podline.studies.kinds import kind_of
    from podline.studies.reporting import FOLDER, HTML

    try:
        store, kind = open_store(), DAGS[dag_id]
        names = studies(store, kind)
        return [n for n in names if store.exists(Study(store, kind_of(kind), n).key(FOLDER, HTML))]
    except StoreError:
        return []


def report(dag_id: str, name: str) -> bytes:
    """The report of a study, as HTML.

    Raises:
        PodlineError: there is none.
    """
    from podline.store import ObjectMissing, open_store
    from podline.studies.keeping import Study
    from podline.studies.kinds import kind_of
    from podline.studies.reporting import FOLDER, HTML

    missing = PodlineError(f"the DAG {dag_id!r} has no report of a study {name!r}")
    if dag_id not in DAGS:
        raise missing
    store = open_store()
    try:
        return bytes(store.get(Study(store, kind_of(DAGS[dag_id]), name).key(FOLDER, HTML)))
    except (ObjectMissing, ValueError):
        raise missing from None
