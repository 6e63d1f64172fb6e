"""The forms of an answer, each with the headers that keep it from being run or kept."""

import csv
import io
from collections.abc import Mapping, Sequence

import pydantic_core
from fastapi import Response

from podline.text import plain_cell

SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
# A page of somebody else's may look as it likes, and do nothing.
_POLICY = "sandbox; default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'"


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


def to_page(content: bytes, kind: str = "text/html; charset=utf-8") -> Response:
    """A page that a browser is told to run nothing of."""
    headers = SAFE | {"Content-Security-Policy": _POLICY}
    return Response(content, media_type=kind, headers=headers)
