"""podline in JupyterLab: the server's side.

It imports nothing of podline, which may be in another environment: it runs its command.
"""

from typing import Any

__version__ = "0.2.0"


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """What Jupyter Server loads."""
    from podline_jupyter.app import PodlineApp

    return [{"module": "podline_jupyter", "app": PodlineApp}]
