"""Which DAG runs a combination, and with what."""

import pytest

from podline.compiler.metadata import Sizes
from podline_studies.overhead.dag_runs import conf_of, dag_id_of
from podline_studies.overhead.design import Combination

SIZES = Sizes(data="rows", model="width", fixed={"epochs": 1})


@pytest.mark.parametrize(
    ("backend", "dag_id", "extra"),
    [
        ("notebook", "n_baseline", {"backend": "process"}),
        ("notebook-pod", "n_baseline", {"backend": "kubernetes"}),
        ("process", "n", {"backend": "process"}),
        ("kubernetes", "n", {"backend": "kubernetes"}),
        ("stock", "n_stock", {}),
        ("stock-tuned", "n_stock_tuned", {}),
    ],
)
def test_a_backend_s_dag(backend: str, dag_id: str, extra: dict[str, str]) -> None:
    combination = Combination(0, "n", backend, 1000, 10, 0)
    assert dag_id_of(combination) == dag_id
    assert conf_of(combination, SIZES) == {"rows": 1000, "width": 10, "epochs": 1, **extra}


def test_a_size_that_the_notebook_does_not_name() -> None:
    combination = Combination(0, "n", "stock", 1000, 10, 0)
    assert conf_of(combination, Sizes(data="rows")) == {"rows": 1000}
