"""Prints the Secret airflow-keys of an Airflow in a cluster: its keys and passwords, at random.

Its keys are named as the official chart looks for them.
"""

import base64
import json
import secrets


def new_secret() -> dict[str, object]:
    """Make the Secret, in JSON as `kubectl create` takes it."""
    password = secrets.token_urlsafe(24)
    keys = {
        "connection": f"postgresql+psycopg2://airflow:{password}@postgres:5432/airflow",
        "database-password": password,
        "fernet-key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt-secret": secrets.token_urlsafe(48),
        "api-secret-key": secrets.token_urlsafe(32),
        "passwords": json.dumps({"admin": secrets.token_urlsafe(12)}),
    }
    metadata = {"name": "airflow-keys"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys}


if __name__ == "__main__":
    print(json.dumps(new_secret()))
