"""What tells two versions of a notebook apart: what runs, and how, whatever it showed."""

import hashlib
import json

from podline.compiler.metadata import KEY
from podline.compiler.notebook import Document


def code_hash(document: Document) -> str:
    """The sha256 of a notebook's code, tags and settings.

    Outputs are left out, and so are Markdown and what an editor notes of the last kernel.
    """
    cells = [[cell.source, cell.tags] for cell in document.code_cells]
    parts = [cells, document.metadata.get(KEY), document.kale_defaults]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
