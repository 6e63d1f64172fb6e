"""What the panel asks of the server: each request needs the login, a change XSRF's token too."""

import json
import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from podline_jupyter.command import CommandError
from podline_jupyter.runs import Run, Where, Wish

_EXECUTED = "podline-runs"  # the folder of executed notebooks, beside the notebook


class _Handler(APIHandler):
    """Tells errors as `{"message": …}`."""

    auth_resource = "podline"

    @property
    def app(self) -> Any:
        """The extension."""
        return self.settings["podline"]

    def refuse(self, status: int, message: str) -> None:
        """Answer with an error."""
        self.set_status(status)
        self.finish({"message": message})

    def asked(self) -> dict[str, Any]:
        """The request's object.

        Raises:
            CommandError: it is none.
        """
        found = self.get_json_body()
        if not isinstance(found, dict):
            raise CommandError("the request is no JSON object. fix: reload the page")
        return found

    def file_of(self, path: object) -> Path:
        """The file of a notebook that the server names `path`.

        Raises:
            CommandError: it is none below the server's folder.
        """
        root = Path(os.path.expanduser(self.settings.get("server_root_dir") or ""))
        file = Path(os.path.abspath(root / str(path).lstrip("/")))
        if not self.settings.get("server_root_dir") or not file.is_relative_to(root.absolute()):
            raise CommandError(
                f"{path!r} is no file below the folder that Jupyter was started in. fix: start "
                "Jupyter in the notebook's folder, or one above it"
            )
        if file.suffix != ".ipynb" or not file.is_file():
            raise CommandError(f"{path!r} is no notebook on the server's disk. fix: save it first")
        return file

    def run_of(self, name: str) -> Run:
        """The run of an id.

        Raises:
            web.HTTPError: there is none.
        """
        run: Run | None = self.app.runs.get(name)
        if run is None:
            raise web.HTTPError(404, f"there is no run {name}")
        return run


class AboutHandler(_Handler):
    """Which podline it is."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        try:
            code, version, beside = await self.app.podline.call("--version")
        except CommandError as error:
            self.refuse(400, str(error))
            return
        if code:
            self.refuse(400, f"podline --version ends with {code}: {beside}")
            return
        self.finish({"version": version.strip()})


class InspectHandler(_Handler):
    """What a notebook becomes, and its problems."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        try:
            asked = self.asked()
            answer = await self.app.inspector.ask(
                self.file_of(asked.get("path")), asked["notebook"]
            )
        except (CommandError, KeyError) as error:
            self.refuse(400, str(error))
            return
        self.finish(answer)


class DeployHandler(_Handler):
    """Puts a notebook into Airflow's folder; before, what the version there differs in."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        try:
            words = self.words(self.get_query_argument("path"))
            _, output, beside = await self.app.podline.call(*words, "--check")
        except CommandError as error:
            self.refuse(400, str(error))
            return
        unknown = {"since": None, "differs": [], "message": beside}
        self.finish({"message": "", **json.loads(output)} if output else unknown)

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        try:
            asked = self.asked()
            words = self.words(asked.get("path"))
            if asked.get("replace"):
                words.append("--replace")
            code, output, beside = await self.app.podline.call(*words)
        except CommandError as error:
            self.refuse(400, str(error))
            return
        if not output:
            self.refuse(400, beside or f"podline deploy ended with {code}")
            return
        self.finish({**json.loads(output), "message": beside if code else ""})

    def words(self, path: object) -> list[str]:
        """The command for a notebook.

        Raises:
            CommandError: it is none.
        """
        words = ["deploy", str(self.file_of(path)), "--json"]
        return [*words, "--to", self.app.airflow_folder] if self.app.airflow_folder else words


class RunsHandler(_Handler):
    """The runs of a notebook; a new one."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        runs = self.app.runs.of(self.get_query_argument("path"))
        self.finish({"runs": [asdict(run) for run in runs]})

    @web.authenticated
    @authorized("execute")
    async def post(self) -> None:
        try:
            asked = self.asked()
            where: Where = "airflow" if asked.get("where") == "airflow" else "local"
            wish = Wish(
                notebook=str(asked.get("path")),
                file=self.file_of(asked.get("path")),
                where=where,
                parameters=dict(asked.get("parameters") or {}),
                dag=str(asked.get("dag") or ""),
                follow=str(asked.get("follow") or ""),
            )
            if where == "airflow" and (not wish.dag or wish.dag.startswith("-")):
                raise CommandError("no DAG is named. fix: mend the notebook's problems first")
            run = await self.app.runs.start(wish)
        except CommandError as error:
            self.refuse(400, str(error))
            return
        self.finish(asdict(run))


class RunHandler(_Handler):
    """What one run says, as it says it; its end."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        run = self.run_of(name)
        self.set_header("Content-Type", "application/x-ndjson")
        try:
            async for lines in self.app.runs.events(run):
                self.write(lines)
                await self.flush()
        except StreamClosedError:
            return  # the page was left
        self.finish()

    @web.authenticated
    @authorized("execute")
    async def delete(self, name: str) -> None:
        await self.app.runs.stop(self.run_of(name))
        self.set_status(204)
        self.finish()


class ExecutedHandler(_Handler):
    """The executed notebook, put into a folder beside the one that was run."""

    @web.authenticated
    @authorized("write")
    async def post(self, name: str) -> None:
        run = self.run_of(name)
        executed = self.app.runs.executed(run)
        if not executed.exists():
            self.refuse(400, "the run has left no executed notebook. fix: see how it ended")
            return
        try:
            file = self.file_of(run.notebook)
            when = time.strftime("%Y-%m-%d-%H%M%S", time.localtime(run.began))
            # In a folder of its own: Airflow makes DAGs of those beside the notebook.
            target = file.parent / _EXECUTED / f"{file.stem}-{when}.ipynb"
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                shutil.copyfile(executed, target)
        except (CommandError, OSError) as error:
            self.refuse(400, f"the executed notebook cannot be written: {error}")
            return
        folder, _, _ = run.notebook.rpartition("/")
        self.finish({"path": f"{folder}/{_EXECUTED}/{target.name}".lstrip("/")})


_RUN = r"podline/runs/(\d{8}T\d{6}-[0-9a-f]{8})"
ROUTES = [
    (r"/podline/about", AboutHandler),
    (r"/podline/inspect", InspectHandler),
    (r"/podline/deploy", DeployHandler),
    (r"/podline/runs", RunsHandler),
    (rf"/{_RUN}", RunHandler),
    (rf"/{_RUN}/notebook", ExecutedHandler),
]
