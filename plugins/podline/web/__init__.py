"""The page and the API in Airflow's UI: an application that is made at its first request."""

from typing import Any

PREFIX = "/podline"
# The pages' labels, and the globals under which the host finds them.
NAME = "Latency"
MODELS = "Models"
EDGE = "Edge"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application that Airflow mounts at `PREFIX`.

    Args:
        scope: of the request, as ASGI has it.
        receive: brings the request's body.
        send: takes the answer.
    """
    # Every process of Airflow's loads the plugin, and the API server alone needs FastAPI.
    from podline.web.routes import make_app

    await make_app()(scope, receive, send)
