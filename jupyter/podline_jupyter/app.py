"""The extension of Jupyter Server: its settings, and what lives as long as the server."""

import os
import sys
from pathlib import Path
from shutil import which

from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from traitlets import List, Unicode, default

from podline_jupyter.command import Command
from podline_jupyter.handlers import ROUTES
from podline_jupyter.inspector import Inspector
from podline_jupyter.runs import Runs

# Taken out of the environment, so that no kernel inherits them.
_SECRET = ("PODLINE_API_TOKEN", "PODLINE_API_PASSWORD")


class PodlineApp(ExtensionApp):
    """Settings, such as `c.PodlineApp.airflow_url` in jupyter_server_config.py."""

    name = "podline_jupyter"

    command = List(
        Unicode(), help="The command podline; by default that of this environment, or of PATH."
    ).tag(config=True)
    airflow_folder = Unicode(
        "", help="Folder whose notebooks become DAGs; empty: what podline's own setting says."
    ).tag(config=True)
    airflow_url = Unicode("", help="Airflow's address; empty: that of `make up`.").tag(config=True)
    airflow_user = Unicode(
        "admin", help="Who asks Airflow; PODLINE_API_PASSWORD or PODLINE_API_TOKEN is read."
    ).tag(config=True)

    @default("command")
    def _default_command(self) -> list[str]:
        beside = Path(sys.executable).with_name("podline")
        return [str(beside) if beside.exists() else which("podline") or "podline"]

    def initialize_settings(self) -> None:
        login = {name: os.environ.pop(name) for name in _SECRET if name in os.environ}
        login["PODLINE_API_USER"] = self.airflow_user
        if self.airflow_url:
            login["PODLINE_API_URL"] = self.airflow_url
        command = Command(tuple(self.command), login)
        self.settings["podline"] = self
        self.podline = command
        self.inspector = Inspector(command)
        self.runs = Runs(command, Path(jupyter_data_dir()) / "podline" / "runs")

    def initialize_handlers(self) -> None:
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """End what runs: nobody could stop it any more."""
        await self.inspector.stop()
        await self.runs.stop_all()
