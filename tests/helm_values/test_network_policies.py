"""Who may reach whom, as the manifests say it; in a cluster: tests/images/test_network_policies."""

import re
from typing import Any

import pytest
import yaml

from podline.compiler.tags import parse_tags
from tests.support.image_pods import VALUES, manifests

# What SeaweedFS's chart gives the pods of a release that is called `store`.
CHART_LABELS = {"app.kubernetes.io/name": "seaweedfs", "app.kubernetes.io/instance": "store"}
PARTS = ("master", "volume", "filer", "s3", "bucket-hook")


def part(name: str) -> dict[str, str]:
    """The labels of a pod of the store that is spread over nodes."""
    return CHART_LABELS | {"app.kubernetes.io/component": name}


def policies(name: str) -> list[dict[str, Any]]:
    return [body["spec"] for body in manifests(name) if body["kind"] == "NetworkPolicy"]


def labels_of(name: str) -> dict[str, str]:
    """The labels of the pods of a manifest."""
    (found,) = (m["spec"]["template"]["metadata"]["labels"] for m in workloads(name))
    return dict(found)


def workloads(name: str) -> list[dict[str, Any]]:
    return [m for m in manifests(name) if "template" in m.get("spec", {})]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector.get("matchLabels", {}).items() <= labels.items()


def lets_out(name: str, sender: dict[str, str], to: dict[str, str], port: int) -> bool:
    """Whether a file's policies let pods ask those of any other namespace with labels."""
    rules = [
        rule
        for policy in policies(name)
        if "Egress" in policy["policyTypes"] and selects(policy["podSelector"], sender)
        for rule in policy["egress"]
    ]
    assert rules, "no policy is of these pods"
    return any(
        peer.get("namespaceSelector") == {} and selects(peer.get("podSelector", {}), to)
        for rule in rules
        if port in [known["port"] for known in rule["ports"]]
        for peer in rule["to"]
    )


def lets_in(name: str, to: dict[str, str], port: int, sender: dict[str, str] | None) -> bool:
    """Whether a file's policies let pods be asked; `sender`: None for one of another namespace."""
    return any(
        (
            "from" not in rule
            or (sender is not None and any(selects(p["podSelector"], sender) for p in rule["from"]))
        )
        and ("ports" not in rule or port in [known["port"] for known in rule["ports"]])
        for policy in policies(name)
        if selects(policy["podSelector"], to)
        for rule in policy["ingress"]
    )


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("network-policies.yaml", {"podline": "stage"}),
        ("edge.yaml", labels_of("edge.yaml")),
    ],
)
@pytest.mark.parametrize("store", [labels_of("object-store.yaml"), part("s3")], ids=["one", "many"])
def test_stages_and_edges_of_any_namespace_ask_either_store(
    name: str, sender: dict[str, str], store: dict[str, str]
) -> None:
    assert lets_out(name, sender, store, 8333)
    assert not lets_out(name, sender, {"app": "another"}, 8333)
    assert not lets_out(name, sender, part("filer"), 8333)


def test_parts_of_a_store_that_is_spread_over_nodes_ask_one_another() -> None:
    """Though `nobody-else` keeps all pods of the namespace from it."""
    name = "object-store-distributed-network.yaml"
    for to in ("master", "volume", "filer", "s3"):
        for sender in PARTS:
            for port in (8080, 8888, 9333, 18080, 18888, 19333):
                assert lets_in(name, part(to), port, part(sender)), (sender, to, port)
        assert not lets_in(name, part(to), 8888, {"podline": "stage"})
        assert lets_in(name, part(to), 8333, None) is (to == "s3")


def test_the_store_that_is_spread_over_nodes_has_the_address_of_the_other() -> None:
    ours, others = (
        next(m for m in manifests(name) if m["kind"] == "Service")
        for name in ("object-store-distributed-network.yaml", "object-store.yaml")
    )
    assert ours["metadata"] == others["metadata"]
    assert [p["port"] for p in ours["spec"]["ports"]] == [
        p["port"] for p in others["spec"]["ports"]
    ]
    assert [to for to in PARTS if selects({"matchLabels": ours["spec"]["selector"]}, part(to))] == [
        "s3"
    ]


def test_the_head_of_its_values_applies_what_it_needs() -> None:
    """In an order in which the pods reach one another from the beginning."""
    head = (VALUES / "object-store-distributed.yaml").read_text().partition("\nglobal:")[0]
    applied = re.findall(r"-f helm-values/(\S+)", head)
    assert applied == [
        "namespace.yaml",
        "network-policies.yaml",
        "object-store-distributed-network.yaml",
        "object-store-distributed.yaml",
    ]
    assert "podline store secrets --copy-to airflow" in head


def selected(value: Any) -> set[str]:
    """The keys of labels by which a manifest tells pods."""
    if isinstance(value, list):
        return {key for item in value for key in selected(item)}
    if not isinstance(value, dict):
        return set()
    own = {*value.get("matchLabels", {})} | {m["key"] for m in value.get("matchExpressions", ())}
    return own | {key for item in value.values() for key in selected(item)}


def test_no_notebook_gives_its_pod_a_label_by_which_others_are_told() -> None:
    found = set()
    for path in VALUES.glob("*.yaml"):
        for body in yaml.safe_load_all(path.read_text()):
            found |= selected(body)
            if body.get("kind") == "Service":
                found |= {*body["spec"]["selector"]}
    assert found >= {"app", "component", "podline", "podline.dev/edge"}
    for key in found:
        tags, (problem,) = parse_tags(["step:train", f"label:{key}:value"])
        assert not tags.settings.labels
        assert "tells podline's own pods from others" in problem.message
