"""The pod of a visit, and its own link by netem."""

from podline.studies.uploads.pods import manifest
from podline.uploads.links import LinkSpec


def test_a_visits_pod_is_restricted_and_has_its_keys_from_a_secret() -> None:
    pod = manifest({"PODLINE_VISIT": "{}"}, {"AIRFLOW_CONN_VM_STORE": "secret"}, "keys", None)
    (container,) = pod["spec"]["containers"]
    assert "initContainers" not in pod["spec"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["env"] == [
        {"name": "PODLINE_VISIT", "value": "{}"},
        {
            "name": "AIRFLOW_CONN_VM_STORE",
            "valueFrom": {"secretKeyRef": {"name": "keys", "key": "AIRFLOW_CONN_VM_STORE"}},
        },
    ]


def test_netem_delays_both_ways_by_half() -> None:
    pod = manifest({}, {}, "keys", LinkSpec(0.1, rate=1e8, loss=0.005, jitter=0.002))
    (link,) = pod["spec"]["initContainers"]
    script = link["command"][2]
    netem = "netem delay 50ms 2ms rate 100000000bit loss 0.5% limit 100000"
    assert f"tc qdisc add dev eth0 root {netem}" in script
    assert f"tc qdisc add dev ifb0 root {netem}" in script
    assert link["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
