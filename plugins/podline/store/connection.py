"""Where the store is and who we are there, read from an Airflow connection of type ``aws``.

The fields are those of the amazon provider, so that one connection serves podline and
Airflow's own S3 hooks. Processes without Airflow (a stage, the command line) read the same
environment variable that Airflow does.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from podline import secrecy, settings
from podline.store.errors import StoreConnectionError

if TYPE_CHECKING:
    from obstore.store import S3Credential

_DEFAULT_REGION = "us-east-1"


class Fields(NamedTuple):
    """What an Airflow connection says."""

    conn_type: str | None
    login: str | None
    password: str | None
    extra: Mapping[str, Any]


@dataclass(frozen=True)
class StoreConnection:
    """An S3 store: address, bucket and credentials.

    Without keys the client's default chain finds them (environment, web identity, instance);
    without an endpoint the store is Amazon's.

    Attributes:
        team: whose key it is, which reaches that team's objects alone; empty: it is nobody's own.
    """

    conn_id: str
    bucket: str
    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str = _DEFAULT_REGION
    team: str = ""

    def __post_init__(self) -> None:
        secrecy.hide(self.secret_key, self.session_token)
        if not self.secret_key:  # then the client finds these
            secrecy.hide(*map(os.environ.get, ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")))

    @classmethod
    def read(cls, conn_id: str | None = None) -> "StoreConnection":
        """Read the connection `conn_id`, by default the setting ``store_conn_id``.

        Inside Airflow this asks Airflow, with all its secrets backends; elsewhere the
        environment variable ``AIRFLOW_CONN_…``, since importing Airflow takes a second or two. One
        that was taken out of the environment is known.

        Raises:
            StoreConnectionError: there is no such connection, or it cannot be used.
        """
        conn_id = conn_id or settings.store_conn_id()
        if conn_id in _taken:
            return _taken[conn_id]
        if "airflow.sdk" in sys.modules:
            return cls._from_airflow(conn_id)
        return cls.from_env(conn_id)

    @classmethod
    def take(cls) -> "StoreConnection":
        """Read the setting's connection, and take it out of the environment, which cells may show.

        Raises:
            StoreConnectionError: there is no such connection, or it cannot be used.
        """
        conn_id = settings.store_conn_id()
        found = cls.from_env(conn_id)
        secrecy.take_variable(variable(conn_id))
        return _taken.setdefault(conn_id, found)

    @classmethod
    def from_env(cls, conn_id: str, env: Mapping[str, str] = os.environ) -> "StoreConnection":
        """Read ``AIRFLOW_CONN_{CONN_ID}``, in its JSON or its URI form, or what was taken of it.

        Raises:
            StoreConnectionError: the variable is missing or cannot be used.
        """
        name = variable(conn_id)
        value = env.get(name)
        if not value and env is os.environ and conn_id in _taken:
            return _taken[conn_id]
        if not value:
            raise StoreConnectionError(
                f"No store: the environment variable {name} is not set. Give it an Airflow "
                'connection, such as {"conn_type": "aws", "login": KEY, "password": SECRET, '
                '"extra": {"endpoint_url": URL}}, or run the command through '
                "`podline store exec -- …`, which brings a store."
            )
        try:
            return cls._from_fields(conn_id, parsed(value))
        except ValueError as error:
            # The value holds a secret, so only its form is named.
            raise StoreConnectionError(
                f"{name} is neither a connection in JSON nor a URI aws://KEY:SECRET@/?…: {error}"
            ) from None

    @classmethod
    def _from_airflow(cls, conn_id: str) -> Self:
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            found = BaseHook.get_connection(conn_id)
        except AirflowNotFoundException:
            raise StoreConnectionError(
                f"Airflow has no connection {conn_id!r}: add one of type Amazon Web Services, "
                f"or set {variable(conn_id)}, or name another in [podline] store_conn_id. "
                "`podline store exec -- airflow dags test NAME` brings a store to a command, and "
                "so does `make dag-test DAG=NAME`."
            ) from None
        fields = Fields(found.conn_type, found.login, found.password, found.extra_dejson)
        return cls._from_fields(conn_id, fields)

    @classmethod
    def _from_fields(cls, conn_id: str, fields: Fields) -> Self:
        if fields.conn_type != "aws":
            raise StoreConnectionError(
                f"Connection {conn_id!r} is of type {fields.conn_type!r}: the store needs one of "
                "type 'aws' (Amazon Web Services), whichever S3 server it is."
            )
        extra, login, password = fields.extra, fields.login, fields.password
        if not (login and password):  # the provider's order: these two first, then the extras
            login, password = extra.get("aws_access_key_id"), extra.get("aws_secret_access_key")
        service = extra.get("service_config") or {}
        if isinstance(service, str):  # a URI's extras are strings
            service = json.loads(service)
        s3 = service.get("s3") or {}
        return cls(
            conn_id=conn_id,
            bucket=s3.get("bucket_name") or settings.store_bucket(),
            endpoint_url=s3.get("endpoint_url") or extra.get("endpoint_url"),
            access_key=login or None,
            secret_key=password or None,
            session_token=extra.get("aws_session_token"),
            region=extra.get("region_name") or _DEFAULT_REGION,
            team=extra.get("team") or "",
        )

    def to_env(self) -> dict[str, str]:
        """The environment that gives a child process or a pod this connection.

        It holds the secret: pass it on as environment or as a Kubernetes Secret, never as text.
        """
        extra = {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region,
            "aws_session_token": self.session_token,
            "service_config": {"s3": {"bucket_name": self.bucket}},
            "team": self.team,
        }
        value = {
            "conn_type": "aws",
            "login": self.access_key,
            "password": self.secret_key,
            "extra": {name: item for name, item in extra.items() if item},
        }
        return {variable(self.conn_id): json.dumps(value)}

    def provider(self) -> "Callable[[], S3Credential]":
        """The keys, in the form that obstore asks for."""
        credential: S3Credential = {
            "access_key_id": self.access_key or "",
            "secret_access_key": self.secret_key or "",
            "token": self.session_token,
            "expires_at": None,
        }
        return lambda: credential

    def __str__(self) -> str:
        where = self.endpoint_url or f"Amazon S3 ({self.region})"
        team = f" of the team {self.team!r}" if self.team else ""
        return f"{where}, bucket {self.bucket!r}, connection {self.conn_id!r}{team}"


_taken: dict[str, StoreConnection] = {}  # by the connections' ids


def variable(conn_id: str) -> str:
    """The environment variable in which Airflow looks for a connection."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def password_of(conn_id: str) -> str | None:
    """The password of a connection of any type, "" if it has none; None: there is no connection.

    Raises:
        ValueError: what its variable has is none.
    """
    if "airflow.sdk" in sys.modules:
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            return BaseHook.get_connection(conn_id).password or ""
        except AirflowNotFoundException:
            return None
    text = os.environ.get(variable(conn_id))
    if not text:
        return None
    try:
        return parsed(text).password or ""
    except ValueError as error:
        raise ValueError(f"{variable(conn_id)} is no connection: {error}") from None


def parsed(text: str) -> Fields:
    """Read the value of Airflow's variable, in its JSON or its URI form.

    Raises:
        ValueError: it is neither.
    """
    if not text.lstrip().startswith("{"):
        uri = urlsplit(text)
        extra: Any = dict(parse_qsl(uri.query, keep_blank_values=True))
        if "__extra__" in extra:  # Airflow's own way to put nested extras into a URI
            extra = json.loads(extra["__extra__"])
        return Fields(uri.scheme, unquote(uri.username or ""), unquote(uri.password or ""), extra)
    value = json.loads(text)
    extra = value.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    if not isinstance(extra, dict):
        raise ValueError("its extra is not an object")
    return Fields(value.get("conn_type"), value.get("login"), value.get("password"), extra)
