"""The page and the API in Airflow's UI: an application that is made at its first request."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

PREFIX = "/podline"
# The pages' labels, and the globals under which the host finds them.
NAME = "Latency"
MODELS = "Models"

_App = Callable[..., Awaitable[None]]


@cache
def _made() -> _App:
    # Every process of Airflow's loads the plugin, and the API server alone needs FastAPI.
    from podline.web.routes import make_app

    return make_app()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application that Airflow mounts at `PREFIX`.

    Args:
        scope: of the request, as ASGI has it.
        receive: brings the request's body.
        send: takes the answer.
    """
    await _made()(scope, receive, send)
