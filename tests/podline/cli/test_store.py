"""`podline store` runs the embedded store, and lends it to other programs."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from podline.store import Store, seaweedfs

from .conftest import Podline, Refused

NAME = "AIRFLOW_CONN_PODLINE_STORE"
TALK = "from podline.store import open_store; open_store().put('said', b'hello')"


def test_start_status_env_stop(podline: Podline, home: Path) -> None:
    folder = home / "store"
    assert podline("store", "status").exit_code == 1
    assert podline("store", "start").exit_code == 0
    try:
        where = str(seaweedfs.connection(folder))
        result = podline("store", "status")
        assert (result.exit_code, result.stdout) == (0, f"the store of {folder} runs: {where}\n")
        word, setting = shlex.split(podline("store", "env").stdout)
        name, _, value = setting.partition("=")
        assert (word, name) == ("export", NAME)
        assert json.loads(value) == json.loads(seaweedfs.connection(folder).to_env()[NAME])
    finally:
        stopped = podline("store", "stop")
    assert stopped.stdout == "the store is stopped\n"
    assert podline("store", "stop").stdout == "the store did not run\n"
    assert "podline store start" in podline("store", "env").stderr


def test_env_of_a_store_that_never_was(refused: Refused, home: Path) -> None:
    assert "podline: error: No store was ever started in" in refused("store", "env")


def test_a_program_finds_the_store_and_its_code_is_returned(podline: Podline, home: Path) -> None:
    code = f"{TALK}; raise SystemExit(7)"
    assert podline("store", "exec", "--", sys.executable, "-c", code).exit_code == 7
    assert not seaweedfs.is_running(home / "store")
    with seaweedfs.running(home / "store") as connection:
        assert bytes(Store(connection).get("said")) == b"hello"
        # It was up before, so it stays.
        assert podline("store", "exec", sys.executable, "--version").exit_code == 0
        assert seaweedfs.is_running(home / "store")


def test_the_environments_own_store_is_used(podline: Podline, store: Store) -> None:
    assert podline("store", "exec", "--", sys.executable, "-c", TALK).exit_code == 0
    assert bytes(store.get("said")) == b"hello"


@pytest.mark.usefixtures("store")
def test_programs_that_cannot_run(podline: Podline, tmp_path: Path) -> None:
    result = podline("store", "exec", "--", "no-such-program")
    assert (result.exit_code, result.stderr) == (
        127,
        "podline: error: no-such-program: No such file or directory\n",
    )
    assert podline("store", "exec", "--", str(tmp_path)).exit_code == 126


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_the_program(home: Path, sign: signal.Signals) -> None:
    code = "import time; print('up', flush=True); time.sleep(60)"
    command = [sys.executable, "-m", "podline.cli", "store", "exec", "--", sys.executable, "-c"]
    process = subprocess.Popen(
        [*command, code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    if sign == signal.SIGINT:
        os.killpg(process.pid, sign)  # as a terminal does
    else:
        process.send_signal(sign)
    process.communicate(timeout=120)
    assert process.returncode == (130 if sign == signal.SIGINT else 143)
    assert not seaweedfs.is_running(home / "store")


def test_a_connection_that_cannot_be_used(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, "http://not-a-connection")
    assert "podline: error: Connection 'podline_store' is of type 'http'" in refused("runs")


def test_secrets_of_a_cluster_are_a_manifest(podline: Podline) -> None:
    result = podline("store", "secrets", "--namespace", "space")
    manifest = json.loads(result.stdout)
    assert [item["kind"] for item in manifest["items"]] == ["Secret", "Secret"]
    assert manifest["items"][0]["metadata"]["namespace"] == "space"


@pytest.mark.parametrize("words", [["podline"], ["vision", "--copy-to", "podline"]])
def test_no_teams_secret_takes_the_place_of_the_stores(words: list[str], refused: Refused) -> None:
    assert "'podline', the store's own namespace" in refused("store", "secrets", "--team", *words)


def test_what_a_team_may_do_is_printed(
    podline: Podline, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__STORE_BUCKET", "ours")
    said = json.loads(podline("store", "policy", "vision").stdout)
    assert said["Statement"][0]["Resource"][0] == "arn:aws:s3:::ours/runs/vision.*"
    for words in (["policy", "a.b"], ["secrets", "--team", "a.b"]):
        assert "is no name of a team" in podline("store", *words).stderr
    assert "a team needs a name" in podline("store", "policy", "").stderr  # it is not all keys'
