"""The pages name what there is, and the reference names all of it."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from airflow.configuration import conf
from fastapi.dependencies.utils import get_flat_dependant
from fastapi.routing import APIRoute

from podline import settings
from podline.cli import app
from podline.compiler import tag_words, tags
from podline.compiler.metadata import DagSettings
from podline.edge.serve import Options
from podline.store import in_cluster, seaweedfs
from podline_studies.uploads.delay_link import sink, tls
from podline_studies.uploads.design import SIDES

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference.md").read_text()
PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/reference.md",
        "docs/benchmarks.md",
        "docs/applications.md",
        "docs/edge.md",
    )
]
COMMAND = re.compile(r"(?:^|[\s`/(])podline ((?:[a-z][a-z-]* ?)+)")


def rows(title: str) -> list[list[str]]:
    """The cells of the tables below a title of the reference, without their headers."""
    part = re.split(rf"^## {title}$", REFERENCE, flags=re.MULTILINE)[1].split("\n## ")[0]
    lines = [line.strip("| ") for line in part.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    rules = [number for number, row in enumerate(cells) if set(row[0]) <= {"-"} and row[0]]
    headers = {number - 1 for number in rules} | set(rules)
    return [row for number, row in enumerate(cells) if number not in headers]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


# --- commands


def commands(group: Any, *path: str) -> Iterator[tuple[str, set[str]]]:
    """Every command with its options' long names."""
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            options = [o for p in command.params for o in p.opts if o.startswith("--")]
            yield " ".join((*path, name)), {*options} - {"--help"}


COMMANDS = dict(commands(typer.main.get_command(app)))
GROUPS = {name.split()[0] for name in COMMANDS}


def named_command(text: str) -> str:
    """The command that words after ``podline`` begin with."""
    words = text.split()
    for length in (2, 1):
        if (name := " ".join(words[:length])) in COMMANDS:
            return name
    return words[0] if len(words) == 1 and words[0] in GROUPS else ""


def test_every_command_is_told_with_its_options() -> None:
    told = {}
    for first, options, _ in rows("Commands"):
        (call,) = quoted(first)
        name = named_command(call.removeprefix("podline "))
        told[name] = {o for text in quoted(options) for o in text.split() if o.startswith("--")}
    assert told == COMMANDS


# --- make


def targets() -> set[str]:
    """The targets that ``make`` lists."""
    found = re.findall(r"^([a-z -]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for names in found for name in names.split()}


def test_every_target_is_told() -> None:
    told = {name for row in rows("make") for name in quoted(row[1])}
    assert told == targets() - {"help"}


# --- settings


def test_every_setting_is_told() -> None:
    read = set()
    for node in ast.walk(ast.parse(Path(settings.__file__).read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("_get"):
            name = node.args[0]
            if isinstance(name, ast.Constant):
                read.add(name.value)
    read |= {f"image_{target}" for target in ("base", "tensorflow", "uploads")}
    assert {name for row in rows("Settings") for name in quoted(row[0])} == read


# --- tags


def test_every_tag_is_told() -> None:
    told = {text.partition(":")[0] for row in rows("Tags") for text in quoted(row[0])}
    told |= {text.partition(":")[0] for text in quoted(rows("Tags")[0][1])}
    known = tag_words.WORDS.keys() | tags._KINDS.keys() | {tags.MAY_RAISE}
    words = told & known
    assert words == known
    assert told - words == {field.name for field in fields(DagSettings)}


# --- the API


def test_every_route_is_told_with_its_parameters() -> None:
    from podline.web.routes import make_app

    routes = [route for route in make_app().routes if isinstance(route, APIRoute)]
    there = {
        route.path.replace(":path}", "}"): {
            parameter.alias for parameter in get_flat_dependant(route.dependant).query_params
        }
        for route in routes
    }
    told = {}
    for first, *_ in rows("API"):
        (path, _, query) = quoted(first)[0].partition("?")
        told[path] = {name.rstrip("=") for name in query.split("&") if name}
    assert told == there


# --- what the pages name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    code = "\n".join([*quoted(re.sub(r"```.*?```", "", text, flags=re.DOTALL)), *fences(text)])
    for match in COMMAND.finditer(code):
        assert named_command(match[1]), f"{page.name}: podline {match[1]}"
    known = targets()
    for name in re.findall(r"\bmake ([a-z][a-z-]+\b)(?!…)", code):
        assert name.rstrip("-") in known | {"bench"}, f"{page.name}: make {name}"
    for name in re.findall(r"AIRFLOW__PODLINE__([A-Z_]+)", code):
        assert name == "NAME" or name.lower() in REFERENCE, f"{page.name}: {name}"


def fences(text: str) -> list[str]:
    """The lines of code in fences, without their comments."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    return [line.split("#")[0] for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for where in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, anchor = where.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {where}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
            assert anchor in anchors, f"{page.name}: {where}"


def test_the_files_that_the_architecture_names_are_there() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "ARCHITECTURE.md").read_text(), flags=re.DOTALL)
    plugins = ROOT / "plugins"
    bases = [ROOT, plugins, plugins / "podline", plugins / "podline_studies"]
    paths = [name for name in quoted(text) if re.fullmatch(r"\w+/[\w./]*|\w+\.(py|md)", name)]
    assert len(paths) > 40
    for path in paths:
        # A module, a name in one, a folder or a file.
        forms = path, f"{path}.py", f"{path.rpartition('.')[0]}.py"
        assert any((base / form).exists() for base in bases for form in forms), path


def test_shell_lines_can_be_read() -> None:
    for page in PAGES:
        for block in re.findall(r"```(?:bash|sh)?\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                if line.startswith(("podline ", "make ", "eval ", "export ")):
                    assert shlex.split(line.split("#")[0])


# --- ports


def test_the_ports_are_told() -> None:
    numbers = {int(number) for row in rows("Ports") for number in re.findall(r"\d{4,}", row[2])}
    s3 = in_cluster._PORT
    apart = 10_000  # SeaweedFS's gRPC ports from its HTTP ports
    pairs = {port + more for port in (s3, 8080, 8888, 9333) for more in (0, apart)}
    logs = {conf.getint("logging", f"{part}_log_server_port") for part in ("worker", "trigger")}
    embedded = {seaweedfs._PORTS[0], seaweedfs._PORTS[-1]}
    studies = {sink.PORT, *(tls.PORT + store for store in range(len(SIDES)))}
    assert numbers == pairs | logs | embedded | studies | {Options((), Path()).port}
    assert 2 * len(seaweedfs._SERVICES) == 10
