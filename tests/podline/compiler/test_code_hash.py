"""Two versions of a notebook are told apart by what runs, and how."""

import json
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.code_hash import code_hash
from podline.compiler.notebook import read_document

CODE = {"cell_type": "code", "source": "print(1)", "metadata": {"tags": ["step:a"]}}
MARKDOWN = {"cell_type": "markdown", "source": "# One", "metadata": {}}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": "1\n"}


def hash_of(*cells: dict[str, Any], **metadata: Any) -> str:
    draft = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    return code_hash(read_document(Path("a.ipynb"), json.dumps(draft).encode())[0])


@pytest.mark.parametrize(
    ("cells", "metadata"),
    [
        ([CODE | {"outputs": [OUTPUT], "execution_count": 7}], {}),
        ([CODE], {"language_info": {"name": "python", "version": "3.13.1"}}),
        ([MARKDOWN, CODE], {}),
        ([CODE | {"source": ["print", "(1)"]}], {}),
    ],
    ids=["outputs", "kernel", "markdown", "lines"],
)
def test_what_runs_is_the_same(cells: list[dict[str, Any]], metadata: dict[str, Any]) -> None:
    assert hash_of(*cells, **metadata) == hash_of(CODE)


@pytest.mark.parametrize(
    ("cells", "metadata"),
    [
        ([CODE | {"source": "print(2)"}], {}),
        ([CODE | {"metadata": {"tags": ["step:b"]}}], {}),
        ([CODE, CODE], {}),
        ([CODE | {"cell_type": "raw"}], {}),
        ([CODE], {"podline": {"schedule": "@daily"}}),
        ([CODE], {"kubeflow_notebook": {"steps_defaults": ["retry:2"]}}),
    ],
    ids=["code", "tags", "more", "raw", "settings", "Kale's settings"],
)
def test_another_version_is_told(cells: list[dict[str, Any]], metadata: dict[str, Any]) -> None:
    assert hash_of(*cells, **metadata) != hash_of(CODE)
