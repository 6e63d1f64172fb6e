"""What is told of the Debian packages of a built image."""

import json
from pathlib import Path

import pytest

from docs import built_images, sboms

APT = """\
Inst libssl3t64 [3.5.1-1] (3.5.1-1+deb13u2 Debian-Security:13/stable-security [amd64])
Inst openssl [3.5.1-1] (3.5.1-1+deb13u2 Debian-Security:13/stable-security [amd64])
Conf libssl3t64 (3.5.1-1+deb13u2 Debian-Security:13/stable-security [amd64])
"""
STATUS = """\
Package: postgresql-17
Status: install ok installed
Maintainer: Debian PostgreSQL Maintainers <team+postgresql@tracker.debian.org>
Architecture: amd64
Version: 17.12-0+deb13u1
Description: The World's Most Advanced Open Source Relational Database

Package: dpkg
Status: install ok installed
Maintainer: Dpkg Developers <debian-dpkg@lists.debian.org>
Architecture: amd64
Version: 1.22.21
Description: Debian package management system

"""


def test_what_debian_has_mended_is_told() -> None:
    assert built_images.mended(APT) == [
        "libssl3t64 3.5.1-1: mended in 3.5.1-1+deb13u2",
        "openssl 3.5.1-1: mended in 3.5.1-1+deb13u2",
    ]
    assert built_images.mended("") == []


@pytest.mark.slow
def test_an_sbom_has_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sboms, "FOLDER", tmp_path / "sbom")
    status = tmp_path / "var" / "lib" / "dpkg" / "status"
    status.parent.mkdir(parents=True)
    status.write_text(STATUS)
    written = built_images.write("registry.example.com/podline-postgres:0.2.0", tmp_path)
    assert written.name == "postgres-debian.cdx.json"
    listed = {
        part["name"]: part["version"] for part in json.loads(written.read_text())["components"]
    }
    assert listed["postgresql-17"] == "17.12-0+deb13u1"
