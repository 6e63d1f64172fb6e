"""What a stage costs under KubernetesExecutor and under LocalExecutor, and where the time goes.

household_power runs in an Airflow that `make up-kubernetes` makes, whose scheduler is started by
one executor and the other in turn. A run's sample is the time from its start to its last stage's
end, less the stages' own cells, by five. It needs KUBECONFIG, and in that cluster the images.
"""

import os
import statistics
from collections import defaultdict
from typing import Any

from benchmarks.report import asked, print_last_line, summary
from tests.support.airflow_in_cluster import DAG, SMALL, STAGES, Cluster, up
from tests.support.latency import lengths, one_try
from tests.support.namespaces import connect
from tests.support.waiting import until

EXECUTORS = ("KubernetesExecutor", "LocalExecutor")
_SCHEDULER = "airflow-scheduler"
Samples = dict[str, list[float]]  # seconds a stage, by what took them


def measure(n: int, there: Cluster, core: Any) -> dict[str, Samples]:
    """Run the pipeline `n` times by each executor; returns the samples of each."""
    _let_scheduler_make_pods(there, core)
    found: dict[str, Samples] = {name: defaultdict(list) for name in EXECUTORS}
    for number in range(n + 1):
        for name in EXECUTORS:
            _restart(there, core, name)
            sample = _sample(there)
            if number:  # the first warms up
                for what, seconds in sample.items():
                    found[name][what].append(seconds)
                print(f"{number}, {name}: {sample['stage']:.2f} s a stage", flush=True)
    return found


def _sample(there: Cluster) -> dict[str, float]:
    """A run: seconds a stage, in the mean of its stages."""
    run_id = there.airflow.trigger(DAG, SMALL)
    state = there.airflow.wait(DAG, run_id, 600)
    if state != "success":
        raise SystemExit(f"a run ended as {state}: {there.told(run_id)}")
    tries = [one_try(there.airflow, DAG, run_id, stage) for stage in STAGES]
    phases = [lengths(one) for one in tries]
    wall = max(one["end"] for one in tries) - min(one["run_start"] for one in tries)
    code = sum(one["code"] for one in phases)
    means = {name: statistics.fmean(p.get(name, 0.0) for p in phases) for name in _names(phases)}
    return {"stage": (wall - code) / len(STAGES), **means}


def _names(phases: list[dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for one in phases for name in one if name != "code"))


def _restart(there: Cluster, core: Any, executor: str) -> None:
    """Have the scheduler started by an executor, and wait until it is there."""
    from kubernetes.client import AppsV1Api

    apps = AppsV1Api(core.api_client)
    variable = {"name": "AIRFLOW__CORE__EXECUTOR", "value": executor}
    containers = [{"name": "scheduler", "env": [variable]}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    made = apps.patch_namespaced_deployment(_SCHEDULER, there.own, body).metadata.generation

    def ready() -> bool:
        status = apps.read_namespaced_deployment(_SCHEDULER, there.own).status
        seen = (status.observed_generation or 0) >= made
        return bool(seen and status.updated_replicas == status.ready_replicas == 1)

    until(ready, 180)


def _let_scheduler_make_pods(there: Cluster, core: Any) -> None:
    """LocalExecutor's tasks make their stages' pods in the scheduler's name."""
    from kubernetes.client import RbacAuthorizationV1Api

    roles, name = RbacAuthorizationV1Api(core.api_client), "podline-airflow"
    subjects = roles.read_namespaced_role_binding(name, there.stages).subjects
    account = {"kind": "ServiceAccount", "name": _SCHEDULER, "namespace": there.own}
    body = {"subjects": [*core.api_client.sanitize_for_serialization(subjects), account]}
    roles.patch_namespaced_role_binding(name, there.stages, body)


def report(n: int, found: dict[str, Samples]) -> None:
    """Print medians, phase by phase, and the last line."""
    for name, samples in found.items():
        print(f"{name}: seconds a stage, beside its cells")
        for what, values in samples.items():
            print(f"  {what:12} {statistics.median(values):.3f}")
    details = {
        name: {what: summary(values) for what, values in samples.items()}
        for name, samples in found.items()
    }
    print_last_line("executors", n, {}, **details)


def main() -> None:
    """The command."""
    n = asked(__doc__, 5, "runs of each")
    os.environ.pop("AIRFLOW_HOME", None)
    core = connect()
    if core is None:
        raise SystemExit("This needs a Kubernetes cluster with podline's images: set KUBECONFIG")
    with up(core) as there:
        report(n, measure(n, there, core))


if __name__ == "__main__":
    main()
