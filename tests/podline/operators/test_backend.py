"""The seam between operators and backends: each name has its module, and each its way to begin."""

from typing import Any

import pytest

from podline.exceptions import SettingError
from podline.operators import backend as backends
from podline.operators.backend import StageBackend
from podline.settings import Backend
from tests.support.tries import try_context


@pytest.mark.parametrize("name", Backend)
def test_each_backend_opens(name: str) -> None:
    opened = backends.open_backend(name, try_context())
    assert isinstance(opened, StageBackend)
    opened.close()  # of what never began


def test_what_is_no_backend_is_refused() -> None:
    with pytest.raises(SettingError) as caught:
        backends.open_backend("docker", try_context())
    assert str(caught.value) == (
        "there is no backend 'docker': set [podline] backend, or the DAG's parameter `backend`, "
        "to one of: process, kubernetes"
    )


def test_a_process_is_not_left_to_a_trigger_nor_taken_over() -> None:
    process: Any = backends.open_backend(Backend.PROCESS, try_context())
    assert not process.can_leave
    assert process.adopt(None, 2, 1) is None
