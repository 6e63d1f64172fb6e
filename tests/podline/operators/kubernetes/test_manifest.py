"""What a pod's manifest says of secrets; of real pods: test_backend."""

from podline.compiler.tags import SecretKey, StageSettings
from podline.operators.kubernetes import manifest


def test_a_stage_is_told_which_variables_are_secrets() -> None:
    tags = StageSettings(secrets={"DB_KEY": SecretKey("db", "key"), "TOKEN": SecretKey("t", "v")})
    found = {one.name: one for one in manifest._environment(tags, {}, "store")}
    assert found["PODLINE_SECRETS"].value == "DB_KEY,TOKEN"
    assert found["TOKEN"].value is None
    assert found["AIRFLOW_CONN_PODLINE_STORE"].value is None
    plain = {one.name for one in manifest._environment(StageSettings(), {}, "store")}
    assert "PODLINE_SECRETS" not in plain
