"""podline's pages in Airflow's UI: where the time of each try went, the models and the edge."""

from airflow.plugins_manager import AirflowPlugin

from podline import web
from podline.latency import listener
from podline.web.static_files import address

_PAGE = {"name": web.NAME, "bundle_url": address()}
_MODELS = {"name": web.MODELS, "bundle_url": address()}
_EDGE = {"name": web.EDGE, "bundle_url": address()}


class LatencyPlugin(AirflowPlugin):
    """A listener that records, an API that reads, and pages that show."""

    name = "podline_latency"
    listeners = (listener,)
    fastapi_apps = ({"name": "podline", "app": web.app, "url_prefix": web.PREFIX},)
    react_apps = (
        {**_PAGE, "destination": "dag", "url_route": "podline-dag"},
        {**_PAGE, "destination": "task", "url_route": "podline-task-trend"},
        {**_PAGE, "destination": "dag_run", "url_route": "podline-run"},
        {**_PAGE, "destination": "task_instance", "url_route": "podline-task"},
        {**_PAGE, "destination": "nav", "url_route": "podline", "category": "browse"},
        {**_MODELS, "destination": "nav", "url_route": "podline-models", "category": "browse"},
        {**_EDGE, "destination": "nav", "url_route": "podline-edge", "category": "browse"},
    )
