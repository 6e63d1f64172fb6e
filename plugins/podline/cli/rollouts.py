"""`podline edge rollout` and `podline edge fleet`: versions on their way to edges, and the edges.

An edge itself loads this module, and has not all that these commands need.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from podline.fleet.rollout import Strategy

if TYPE_CHECKING:
    from podline.fleet.member import Target
    from podline.fleet.node import Node, NodeModel
    from podline.fleet.rollout import Rollout
    from podline.store import Store

_USUAL = Strategy()


def rollout(
    model: Annotated[str, typer.Argument(help="A model's name.")],
    version: Annotated[str, typer.Argument(help="A version's number, or an alias such as latest.")],
    alias: Annotated[str, typer.Option(help="The alias that the nodes follow.")] = "edge",
    node: Annotated[
        list[str] | None,
        typer.Option(help="The URL of a node; may be repeated. By default, those registered."),
    ] = None,
    label: Annotated[
        str, typer.Option(help="The pods with this label instead, such as podline.dev/edge.")
    ] = "",
    namespace: Annotated[str, typer.Option(help="Of those pods; by default, all.")] = "",
    canary: Annotated[
        list[str] | None,
        typer.Option(
            help="Nodes that have it first: 2, or 10%; repeated, one wave after another. By "
            "default, 1."
        ),
    ] = None,
    observe: Annotated[
        float, typer.Option(min=0, help="Seconds for which a wave is watched.")
    ] = _USUAL.observe,
    limit: Annotated[
        float, typer.Option(min=0, help="Seconds after which it is judged in any case.")
    ] = _USUAL.limit,
    requests: Annotated[
        int, typer.Option(min=0, help="Requests that it must have had for that.")
    ] = _USUAL.requests,
    errors: Annotated[
        float, typer.Option(min=0, help="By how much its share of errors may be higher.")
    ] = _USUAL.errors,
    latency: Annotated[
        float, typer.Option(min=1, help="How many times as long its answers may take.")
    ] = _USUAL.latency,
    quality: Annotated[
        float, typer.Option(min=1, help="How many times as far off they may be.")
    ] = _USUAL.quality,
    refused: Annotated[
        float, typer.Option(min=0, max=1, help="Which share of the rest may refuse it.")
    ] = _USUAL.refused,
    parallel: Annotated[
        int, typer.Option(min=1, help="Nodes that are told at once.")
    ] = _USUAL.parallel,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds after which a silent node is given up.")
    ] = _USUAL.patience,
    lease: Annotated[
        float,
        typer.Option(min=1, help="Seconds after which another may begin if this one is killed."),
    ] = 30.0,
) -> None:
    """Roll a version out: to canaries, and if it does as well there, to all; else back.

    The nodes' token is the variable PODLINE_EDGE_TOKEN, or the connection [podline] edge_conn_id.
    """
    from podline.cli.store import opened
    from podline.fleet.engine import roll_out
    from podline.fleet.order import Order
    from podline.fleet.token import read_token

    strategy = Strategy(
        canaries=tuple(canary or _USUAL.canaries),
        observe=observe,
        limit=limit,
        requests=requests,
        errors=errors,
        latency=latency,
        quality=quality,
        refused=refused,
        parallel=parallel,
        patience=patience,
    )
    with opened() as store:
        targets = _targets(store, model, node or [], label, namespace)
        order = Order(model, version, alias, targets, _hand(), strategy, read_token(), lease)
        record = roll_out(store, order, typer.echo)
    _print_nodes(record)
    if record.state != "promoted":
        raise typer.Exit(1)


def fleet() -> None:
    """List the nodes that have registered, and what they serve."""
    from podline.cli.console import make_console, make_table, print_table
    from podline.cli.store import opened
    from podline.fleet.records import read_fleet

    with opened() as store:
        nodes = read_fleet(store)
    if not nodes:
        typer.echo("No node has registered: start `podline edge serve` with --address.")
        return
    table = make_table(
        "node", "seen", "model", "version", "requests", "errors", "p50", "p99", "off", "",
        whole=("node", "seen", "model", "version"), right=("requests", "errors", "p50", "p99"),
    )  # fmt: skip
    for node in nodes:
        for model in node.models:
            table.add_row(*_row(node, model))
    print_table(make_console(), table)


def _targets(
    store: "Store", model: str, urls: list[str], label: str, namespace: str
) -> "list[Target]":
    from podline.fleet import discovery

    if urls:
        return discovery.at(urls)
    if label:
        return discovery.labelled(label, namespace or None)
    return discovery.registered(store, model)


def _hand() -> str:
    """Who calls."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        user = "somebody"
    return f"by hand: {user}@{socket.gethostname()}"


def _print_nodes(record: "Rollout") -> None:
    from podline.cli.console import make_console, make_table, print_table

    table = make_table(
        "node", "wave", "state", "version", "after", "", whole=("node",), right=("after",)
    )
    for node in record.nodes:
        table.add_row(
            node.name,
            "" if node.wave is None else str(node.wave + 1),
            node.state,
            _text(node.version),
            "" if node.seconds is None else f"{node.seconds:.2f} s",
            node.error,
        )
    if record.nodes:
        print_table(make_console(), table)


def _row(node: "Node", model: "NodeModel") -> list[str]:
    from podline.cli.console import local_time

    pinned = f" (told to stay at {model.pinned})" if model.pinned else ""
    late = "not heard of any more. " if node.is_late() else ""
    return [
        node.name,
        local_time(node.seen),
        f"{model.name}@{model.alias}",
        f"{_text(model.version)}{pinned}",
        str(model.requests),
        str(model.errors),
        _ms(model.p50),
        _ms(model.p99),
        "" if model.error is None else f"{model.error:.3g} on {model.labels}",
        f"{late}{model.reason}",
    ]


def _text(version: int | None) -> str:
    return "none" if version is None else str(version)


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.3g} ms"
