"""`podline edge simulate`: a device that asks an edge, and what comes of it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from podline.cli.values import AirflowUrl, AirflowUser, read_conf, read_duration

if TYPE_CHECKING:
    from podline.iot.journal import Event, Observation


def command(
    device: Annotated[str, typer.Argument(help="meter, of the household, or watch.")],
    url: Annotated[str, typer.Option(help="The edge's address.")] = "http://127.0.0.1:8500",
    model: Annotated[
        str, typer.Option(help="The model to ask; by default that of the device's notebook.")
    ] = "",
    first: Annotated[
        datetime | None,
        typer.Option(help="The meter's first hour; by default a year before the end."),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option(help="The meter's hour to end before; by default the last.")
    ] = None,
    source: Annotated[str, typer.Option(help="Where the data is, as a notebook's source.")] = "",
    speed: Annotated[
        float,
        typer.Option(min=0, help="Times as fast as in reality; 0: as fast as the edge answers."),
    ] = 0.0,
    window: Annotated[
        int, typer.Option(min=0, help="Readings that an error is over; 0: 168, for the watch 60.")
    ] = 0,
    threshold: Annotated[
        float,
        typer.Option(min=0, help="Drift: times the error that the version's evaluation found."),
    ] = 1.25,
    dag: Annotated[str, typer.Option(help="The DAG to run on drift.")] = "",
    asset: Annotated[str, typer.Option(help="The asset to create an event of on drift.")] = "",
    conf: Annotated[
        str,
        typer.Option(
            help="JSON: the run's parameters, or what the event says; {time} is filled in."
        ),
    ] = "{}",
    cool_down: Annotated[
        str, typer.Option(help="Time between two starts at least: 10m, 1h, 7d.")
    ] = "1h",
    hold: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds for which the device's time stands still for a new version."
        ),
    ] = 0.0,
    airflow: AirflowUrl = "",
    user: AirflowUser = "admin",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File of JSON lines; by default objects of the store."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Page of plots to write (HTML) when the replay ends.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all that is seen as JSON.")
    ] = False,
) -> None:
    """Replay a device that asks an edge, and start the pipeline when its forecasts drift.

    It sees what was true when the device does. With --dag or --asset it asks Airflow, as `podline
    latency` does: PODLINE_API_TOKEN, or user and password.
    """
    from podline.cli.store import opened
    from podline.iot.simulation import Kind, Options, simulate

    if device not in [*Kind]:
        raise typer.BadParameter(f"{device!r}: give {' or '.join(Kind)}", param_hint="DEVICE")
    if dag and asset:
        raise typer.BadParameter("give --dag or --asset, not both", param_hint="--asset")
    options = Options(
        kind=Kind(device),
        url=url,
        model=model,
        first=first,
        last=last,
        source=source,
        speed=speed,
        window=window,
        threshold=threshold,
        dag=dag,
        asset=asset,
        conf=read_conf(conf),
        cool_down=read_duration(cool_down).total_seconds(),
        hold=hold,
        airflow=airflow,
        user=user,
        journal=output,
        report=report,
    )
    say = _print_json if as_json else _Printed()
    with opened() as store:
        where = simulate(options, store, say)
    if not as_json:
        typer.echo(f"what was seen: {where}")
        if report:
            typer.echo(f"as plots: {report}")


class _Printed:
    """Prints what happens, and the error now and then.

    Args:
        every: readings from one time to the next.
    """

    def __init__(self, every: int = 168) -> None:
        self.every, self._seen = every, 0

    def __call__(self, record: Observation | Event) -> None:
        from podline.iot.journal import Event

        time = record.time.replace("T", " ")
        if isinstance(record, Event):
            typer.echo(f"{time}  {record.event}: {record.text}")
            return
        self._seen += 1
        if self._seen % self.every == 0:
            typer.echo(f"{time}  {_errors(record)}")


def _errors(seen: Observation) -> str:
    parts = [
        f"{name} {value:.3f}"
        for name, value in (
            ("error", seen.error),
            ("evaluation", seen.expected),
            ("without a model", seen.baseline_error),
        )
        if value is not None
    ]
    return f"version {seen.version}  {'  '.join(parts) or 'too few readings for an error'}"


def _print_json(record: Observation | Event) -> None:
    from dataclasses import asdict

    typer.echo(json.dumps(asdict(record)))
