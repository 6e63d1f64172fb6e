"""What the tests of the API and of the page ask for, beside the session's `server`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from podline.models import lineage
from podline.models.publishing import publish
from podline.store import StoreConnection
from tests.support.browser import WIDE, log_in
from tests.support.records import Server


@pytest.fixture(scope="session")
def power(
    server: Server, store_server: StoreConnection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Two versions of a model: one by hand, one by a run of the DAG `small`."""
    path: Path = tmp_path_factory.mktemp("model") / "model.skops"
    path.write_bytes(b"weights")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in store_server.to_env().items():
            patch.setenv(name, value)
        patch.setattr(lineage, "_stage", {})
        patch.setattr(lineage, "_data", {})
        patch.setattr(lineage, "published", [])
        publish(path, "power", metrics={"rmse": 0.5})
        run = server.runs["small"].replace("+", "%2B")
        lineage.begin_stage(f"runs/small/{run}/second/-1/1-ab12", "small", "c0ffee")
        publish(path, "power", metrics={"rmse": 0.4, "mae": 0.2}, monitor="rmse", promote=True)
    return


@pytest.fixture
def visit(chromium: Any, server: Server) -> Iterator[Callable[..., Any]]:
    """Opens a page of Airflow as a user who has logged in."""
    contexts = []

    def open_page(
        path: str,
        user: str = "admin",
        size: tuple[int, int] = WIDE,
        dark: bool = False,
        **options: Any,
    ) -> Any:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            **options,
        )
        contexts.append(context)
        return log_in(context, server.url, path, user, user, dark)

    yield open_page
    for context in contexts:
        context.close()
