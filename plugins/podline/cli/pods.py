"""`podline sweep-pods`: removes the pods that nobody follows any more."""

from typing import Annotated

import typer

from podline import settings
from podline.cli.values import DryRun, counted, read_duration
from podline.operators.kubernetes import pod_gc


def sweep(
    namespace: Annotated[
        str, typer.Option(help="Where to look; the setting [podline] namespace by default.")
    ] = "",
    kept_for: Annotated[
        str, typer.Option(help="How long the pods of failed stages are kept: 90m, 12h or 3d.")
    ] = "1d",
    dry_run: DryRun = False,
) -> None:
    """Remove the pods of stages that nobody follows any more.

    Never one whose try still runs, or whose next try may take it over: Airflow's database says.
    """
    age = read_duration(kept_for)
    where = namespace or settings.namespace()
    states = pod_gc.states_in_database()
    found = pod_gc.collect(pod_gc.cluster(), where, states, age, dry_run=dry_run)
    for name in found:
        typer.echo(name)
    verb = "would be removed" if dry_run else "removed"
    typer.echo(f"{counted(len(found), 'pod')} {verb} from {where}")
