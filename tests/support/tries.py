"""A try of a stage as a backend sees it, without Airflow and without a notebook."""

from types import SimpleNamespace
from typing import Any

from podline.airflow_compat import Cluster
from podline.compiler.tags import StageSettings
from podline.contract import StagePlan
from podline.latency.observations import Observed
from podline.operators.backend import TryContext

PLAN = StagePlan("n", "0", "train", 0, {}, (), (), (), {}, (), (), (), {}, {}, 0)


def try_context(client: Any = None) -> TryContext:
    """What a backend knows, with the client of a cluster."""
    log = SimpleNamespace(warning=lambda text: None, info=lambda text: None)
    operator: Any = SimpleNamespace(client=client, namespace="ns", log=log)
    nothing: Any = None
    return TryContext(operator, Cluster(), nothing, StageSettings(), nothing, Observed())
