"""Settings that cannot be used are named, with what to do."""

from pathlib import Path

import pytest

from podline import settings
from podline.exceptions import SettingError


def test_folders_of_a_checkout() -> None:
    root = Path(__file__).parents[2]
    assert settings.notebooks_folder() == root / "notebooks"
    assert settings.beside_plugins("dags") == root / "dags"


def test_folders_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_CODE", tmp_path / "site-packages")
    assert settings.beside_plugins("dags") is None
    with pytest.raises(SettingError, match="AIRFLOW__PODLINE__NOTEBOOKS_FOLDER=/path/to/folder"):
        settings.notebooks_folder()
    monkeypatch.setenv("AIRFLOW__PODLINE__HOME", str(tmp_path))
    assert settings.home() == tmp_path
