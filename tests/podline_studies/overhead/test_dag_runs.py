"""Which DAG runs a combination, and with what."""

from dataclasses import replace

import pytest

from podline.compiler.metadata import Sizes
from podline_studies.dag_tasks import RunningError
from podline_studies.overhead.dag_runs import conf_of, dag_id_of, run
from podline_studies.overhead.design import Combination

SIZES = Sizes(data="rows", model="width", fixed={"epochs": 1})


@pytest.mark.parametrize(
    ("backend", "dag_id", "extra"),
    [
        ("notebook", "n_baseline", {"backend": "process"}),
        ("notebook-pod", "n_baseline", {"backend": "kubernetes"}),
        ("process", "n", {"backend": "process", "ahead": "off"}),
        ("kubernetes", "n", {"backend": "kubernetes", "ahead": "off"}),
        ("kubernetes-ahead", "n", {"backend": "kubernetes", "ahead": "auto"}),
        ("kubernetes-x4", "n", {"backend": "kubernetes", "ahead": "off"}),
        ("stock", "n_stock", {}),
        ("stock-tuned", "n_stock_tuned", {}),
    ],
)
def test_a_backend_s_dag(backend: str, dag_id: str, extra: dict[str, str]) -> None:
    combination = Combination(0, "n", backend, 1000, 10, 0)
    assert dag_id_of(combination) == dag_id
    assert conf_of(combination, SIZES) == {"rows": 1000, "width": 10, "epochs": 1, **extra}


def test_training_steps_go_before_those_that_the_notebook_fixes() -> None:
    sizes = Sizes(data="rows", steps="epochs", fixed={"epochs": 1})
    combination = Combination(0, "n", "stock", 1000, None, 0, steps=7)
    assert conf_of(combination, sizes) == {"rows": 1000, "epochs": 7}
    assert conf_of(replace(combination, steps=0), sizes) == {"rows": 1000, "epochs": 1}


def test_several_runs_at_once_need_a_scheduler() -> None:
    with pytest.raises(RunningError, match="2 runs of n at once need a scheduler. fix: trigger"):
        run("n", "r", {}, at_once=2)


def test_a_size_that_the_notebook_does_not_name() -> None:
    combination = Combination(0, "n", "stock", 1000, 10, 0)
    assert conf_of(combination, Sizes(data="rows")) == {"rows": 1000}
