"""The forms of an answer, each with the headers that keep it from being run or kept."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote

import pydantic_core
from fastapi import Response

from podline.text import plain_cell

_ResponseT = TypeVar("_ResponseT", bound=Response)

SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
# A page of somebody else's may look as it likes, and do nothing.
_POLICY = "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'"
_LONGEST_NAME = 150  # characters; file systems take 255 bytes


def to_json(value: object) -> Response:
    """JSON; what stands in it is text, whoever shows it."""
    return Response(pydantic_core.to_json(value), media_type="application/json", headers=SAFE)


def to_csv(rows: Sequence[Mapping[str, object]]) -> Response:
    """Rows as CSV (RFC 4180), with a header; no cell is a formula."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows({name: plain_cell(cell) for name, cell in row.items()} for row in rows)
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=SAFE)


def to_page(
    content: bytes, kind: str = "text/html; charset=utf-8", downloads: bool = False
) -> Response:
    """A page that a browser is told to run nothing of.

    Args:
        content: the page.
        kind: its media type.
        downloads: whether its reader may save what it has links to.
    """
    sandbox = "sandbox allow-downloads" if downloads else "sandbox"
    headers = SAFE | {"Content-Security-Policy": f"{sandbox}; {_POLICY}"}
    return Response(content, media_type=kind, headers=headers)


def to_file(response: _ResponseT, name: str) -> _ResponseT:
    """Have a browser save an answer as a file; what no file's name can have is left out of it."""
    name = _file_name(name)
    plain = "".join(letter if letter.isascii() else "_" for letter in name)
    encoded = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    response.headers["Content-Disposition"] = f'attachment; filename="{plain}"{encoded}'
    return response


def _file_name(name: str) -> str:
    """A name that every system takes: no path, nothing hidden, nothing that is not seen."""
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (re.sub(r"[^\w.@+-]+", "_", part) for part in (stem, suffix))
    return f"{stem[:_LONGEST_NAME].strip('._') or 'file'}{dot}{suffix[:20]}"
