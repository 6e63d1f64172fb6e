"""An Airflow in a cluster for the tests of a module."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.airflow_in_cluster import Cluster, up


@pytest.fixture(scope="module")
def there(core: Any) -> Iterator[Cluster]:
    """What `make up-kubernetes` makes."""
    with up(core) as made:
        yield made
