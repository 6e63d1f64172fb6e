"""Secrets are kept out of the environment that cells see, and out of texts that are kept or shown.

A text shows *** for each secret that this process knows: those of its connections, and in Airflow
what Airflow's own masker hides in logs.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

# The environment variable that names, separated by commas, those whose values are secrets.
VARIABLE = "PODLINE_SECRETS"
_SHORTEST = 5  # characters, as Airflow's: of what is shorter all texts are full
_MASKERS = ("airflow.sdk._shared.secrets_masker", "airflow._shared.secrets_masker")

_hidden: set[str] = set()


def hide(*secrets: str | None) -> None:
    """Have `redacted` hide these from now on, also as they stand in JSON, URLs and reprs."""
    for secret in secrets:
        if secret and len(secret) >= _SHORTEST:
            escaped = json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe="")
            _hidden.update((secret, *escaped))


def hide_variables() -> None:
    """Hide the values of those variables that `VARIABLE` names: the tags `secret:` of a stage."""
    hide(*map(os.environ.get, os.environ.pop(VARIABLE, "").split(",")))


def redacted(text: str) -> str:
    """The text without secrets; to be called before it is cut, which may leave half of one."""
    for secret in sorted(_hidden, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, "***")
    for name in _MASKERS:  # where it was not imported there is nothing that it hides
        if masker := sys.modules.get(name):
            text = masker.redact(text)
    return text


def redacted_value(value: Any) -> Any:
    """A plain value without secrets, nor what Airflow hides for its name, such as `password`."""
    for name in _MASKERS:
        if masker := sys.modules.get(name):
            value = masker.redact(value)
    return _each_text(value)


def _each_text(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {redacted(str(name)): _each_text(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_each_text(part) for part in value]
    return value


def take_variable(name: str) -> str:
    """Take a variable out of the environment; returns what it was, "" if there was none.

    Neither programs that are started nor /proc/self/environ have it then: the system shows the
    memory in which the environment came.
    """
    import ctypes  # a stage takes one; what else imports this module does not

    value = os.environ.get(name, "")
    if value:
        system = ctypes.CDLL(None)
        system.getenv.restype = ctypes.c_void_p
        if place := system.getenv(os.fsencode(name)):
            ctypes.memset(place, 0, len(os.fsencode(value)))
        del os.environ[name]
    return value
