"""The pages of the reference that are made of code: commands, phases, the API, what is stored."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from inspect import get_annotations, getdoc
from typing import Any, get_type_hints

from docs.markdown import table

_WIDTH = "100"  # of a terminal, in characters


def made() -> dict[str, str]:
    """Return the pages: Markdown by path below docs/."""
    return {
        "reference/commands.md": _commands(),
        "reference/phases.md": _phases(),
        "reference/api.md": _api(),
        "reference/schemas.md": _schemas(),
    }


def _page(title: str, first: str, parts: Iterator[str]) -> str:
    return "\n\n".join([f"# {title}", first, *parts, ""])


def _table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    return table(head, ([_in_table(cell) for cell in row] for row in rows))


def _in_table(text: str) -> str:
    """A text for a cell of a table, where a stroke would begin the next."""
    return re.sub(r"\s+", " ", text).replace("|", r"\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


# --- commands


def _commands() -> str:
    import typer

    from podline.cli import app

    parts = _helps("podline", typer.main.get_command(app))
    return _page("All commands", "What each command's `--help` prints.", parts)


def _helps(name: str, command: Any) -> Iterator[str]:
    """What a command and those below it say of themselves."""
    from typer.testing import CliRunner

    from podline.cli import app

    words = [*name.split()[1:], "--help"]
    said = CliRunner().invoke(app, words, prog_name="podline", env={"COLUMNS": _WIDTH}).output
    yield f"## {name}\n\n```text\n{said.strip()}\n```"
    for below, entry in getattr(command, "commands", {}).items():
        yield from _helps(f"{name} {below}", entry)


# --- phases


def _phases() -> str:
    from podline import phases

    rows = ((_code(kind.name), kind.where, kind.part or "", kind.meaning) for kind in phases.TABLE)
    first = (
        "What a try's time divides into, in order. A phase without a part is outside Airflow's "
        "duration of the try. All but the part `code` is overhead. The same on a time axis: "
        "[where the time goes](../explanation/time.md)."
    )
    return _page("Phases", first, iter([_table(("phase", "spent by", "part", "what"), rows)]))


# --- the API


def _api() -> str:
    from podline.web.routes import make_app

    described = make_app().openapi()
    schemas = described["components"]["schemas"]
    first = (
        "All routes with their parameters, and all that they answer, from the API's own "
        "description. What they are for, and who may ask: [reference](../reference.md#api)."
    )
    return _page("The API in full", first, _routes_and_answers(described["paths"], schemas))


def _routes_and_answers(
    paths: Mapping[str, Mapping[str, Any]], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield "## Routes"
    for path, methods in paths.items():
        for method, route in methods.items():
            yield from _route(method, path, route)
    yield "## Answers"
    for name, schema in schemas.items():
        yield f"### {name}"
        if text := _sentence(schema.get("description", "")):
            yield text
        if properties := schema.get("properties"):
            required = schema.get("required", ())
            rows = (
                (_code(field), _kind(it), "" if field in required else "may be left out")
                for field, it in properties.items()
            )
            yield _table(("field", "type", ""), rows)
        elif values := schema.get("enum"):
            yield f"One of {', '.join(map(_code, values))}."


def _route(method: str, path: str, route: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method.upper()} {path}"
    if text := _sentence(route.get("description", "")):
        yield text
    if parameters := route.get("parameters"):
        rows = (
            (_code(it["name"]), it["in"], _kind(it["schema"]), _default(it["schema"]))
            for it in parameters
        )
        yield _table(("parameter", "in", "type", "default"), rows)
    if body := route.get("requestBody"):
        yield f"It takes {_contents(body)}."
    answers = (
        f"{status}: {_contents(answer)}"
        for status, answer in route["responses"].items()
        if _contents(answer) and status != "422"
    )
    yield f"Answers {'; '.join(answers)}."


def _contents(answer: Mapping[str, Any]) -> str:
    """What a body may be: a schema, or a type of file."""
    return " or ".join(
        _kind(content["schema"]) if content.get("schema") else kind
        for kind, content in answer.get("content", {}).items()
    )


def _default(schema: Mapping[str, Any]) -> str:
    return _code(str(schema["default"])) if schema.get("default") is not None else ""


def _kind(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return f"[{name}](#{name.lower()})"
    if several := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(map(_kind, several)))
    if values := schema.get("enum"):
        return " or ".join(_code(str(value)) for value in values)
    if "const" in schema:
        return _code(str(schema["const"]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(inner := schema.get("additionalProperties"), dict):
        return f"object of {_kind(inner)}"
    return str(kind)


def _sentence(docstring: str) -> str:
    """What a docstring says before its sections."""
    return re.split(r"\n\s*(?:Attributes|Args|Returns|Raises):\n", docstring)[0].strip()


# --- what is stored


@dataclass(frozen=True)
class _Stored:
    """A file in the store: where, what it is, and the classes of its content."""

    title: str
    first: str
    classes: tuple[type, ...]


def _stored() -> tuple[_Stored, ...]:
    from podline import contract
    from podline.fleet import rollout, status
    from podline.latency import record
    from podline.models import manifest, signature

    return (
        _Stored(
            "The record of a try",
            "`latency.json` beside the executed notebook, and what Airflow keeps of a try.",
            (
                record.Record,
                record.TryFields,
                record.Phase,
                record.Cell,
                record.PodEvent,
                record.Skew,
                record.AheadPod,
            ),
        ),
        _Stored(
            "The result of a stage",
            "`result.json` of a try: what later stages go by.",
            (
                contract.StageResult,
                contract.Heap,
                contract.Binding,
                contract.Artifact,
                contract.Phase,
                contract.CellTime,
                contract.Failure,
                contract.PublishedVersion,
                contract.HeadNote,
            ),
        ),
        _Stored(
            "The manifest of a model's version",
            "`models/{name}/versions/{n}/manifest.json`, written last.",
            (
                manifest.Manifest,
                manifest.ModelFile,
                manifest.Lineage,
                manifest.ServedForm,
                signature.Signature,
                signature.TensorSpec,
                manifest.Tombstone,
            ),
        ),
        _Stored(
            "What an edge says of itself",
            "`edge/nodes/{node}.json`.",
            (status.NodeStatus, status.ModelStatus, status.Swap, status.Trouble, status.Quality),
        ),
        _Stored(
            "The record of a rollout",
            "`edge/rollouts/{model}/{rollout}.json`.",
            (
                rollout.Rollout,
                rollout.RolloutSummary,
                rollout.Strategy,
                rollout.Measure,
                rollout.NodeRollout,
                rollout.Phase,
            ),
        ),
    )


def _schemas() -> str:
    first = (
        "Each file is one JSON object. Fields without a default are always there. All keys of the "
        "store: [architecture](../../ARCHITECTURE.md#keys-in-the-store)."
    )
    return _page("Records and manifests", first, _classes())


def _classes() -> Iterator[str]:
    for stored in _stored():
        yield f"## {stored.title}"
        yield stored.first
        for kind in stored.classes:
            yield f"### {kind.__name__}"
            doc = getdoc(kind) or ""
            yield _sentence(doc)
            if rows := list(_rows(kind, meanings(doc))):
                yield _table(("field", "type", "default", "what"), iter(rows))


def _rows(kind: type, said: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    hints = get_type_hints(kind)
    for name, default in _own_fields(kind):
        yield _code(name), _code(_annotation(hints[name])), default, said.get(name, "")


def _own_fields(kind: type) -> Iterator[tuple[str, str]]:
    """The fields that a class itself adds, each with its default as text."""
    own = get_annotations(kind)
    if is_dataclass(kind):
        for field in fields(kind):
            made = field.default_factory is not MISSING
            default = "empty" if made else "" if field.default is MISSING else repr(field.default)
            if field.name in own:
                yield field.name, default if default in ("", "empty") else _code(default)
    else:
        for name, info in kind.model_fields.items():  # type: ignore[attr-defined]  # pydantic's
            if name in own:
                yield name, "" if info.is_required() else _code(repr(info.default))


def _annotation(hint: Any) -> str:
    """A type as the code has it, without the modules."""
    from podline.phases import PhaseName

    text = hint.__name__ if isinstance(hint, type) else str(hint)
    text = text.replace(str(PhaseName), "PhaseName")  # a list of all of them
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=\w)", "", text).replace("NoneType", "None")


def meanings(docstring: str) -> dict[str, str]:
    """Return what the section "Attributes" of a docstring says, by name.

    Names that share a line have the same text; a name in backquotes behind a semicolon begins
    one of its own, such as in "stage: the name; `order`: its place".
    """
    _, _, section = docstring.partition("Attributes:\n")
    section = section.split("\n\n")[0]
    entries = re.split(r"^ {4}(?=[\w, ]+:)", section, flags=re.MULTILINE)
    found = {}
    for entry in entries:
        first, *others = re.split(r";\s+`(?=\w+`:)", entry.strip())
        for part in [first, *others]:
            names, colon, text = part.replace("`:", ":", 1).partition(":")
            for name in names.split(",") if colon else ():
                found[name.strip()] = " ".join(text.split())
    return found
