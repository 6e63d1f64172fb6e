"""Models of a given size: real ones, that an edge serves in either form."""

from pathlib import Path

import pytest

from podline.models import runtimes
from podline.models.registry import Model
from podline.store import Store
from podline_studies.updates.design import Cell
from podline_studies.updates.models import COLUMNS, ROW, file_of, publish_cell, write_dense


@pytest.mark.parametrize("size", [100_000, 1_000_000, 8_000_000])
def test_a_model_has_the_bytes_that_it_is_to_have(tmp_path: Path, size: int) -> None:
    assert write_dense(tmp_path, size, 1).stat().st_size == pytest.approx(size, rel=0.02)


def test_the_seed_makes_the_weights(tmp_path: Path) -> None:
    texts = []
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        (tmp_path / name).mkdir()
        texts.append(write_dense(tmp_path / name, 10_000, seed).read_bytes())
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("form", ["float32", "int8"])
def test_an_edge_takes_the_form_that_is_asked_for(tmp_path: Path, store: Store, form: str) -> None:
    path = write_dense(tmp_path, 400_000, 1)
    number = publish_cell(path, "dense", Cell(400_000, form, 1)).number
    manifest = Model(store, "dense").version(number)
    assert manifest.served[0].path == file_of(form)
    sizes = {file.path: file.bytes for file in manifest.files}
    assert sizes[file_of(form)] == pytest.approx(400_000 / (4 if form == "int8" else 1), rel=0.05)
    store.download(f"models/dense/versions/{number}/{file_of(form)}", tmp_path / "served.onnx")
    import numpy as np

    found = runtimes.load(tmp_path / "served.onnx").run(
        {"input": np.array(ROW, "float32").reshape(1, COLUMNS)}
    )
    assert found["output"].shape == (1, 1)
