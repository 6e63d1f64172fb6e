"""What edges ask for before they load and unload."""

from podline import secrecy, settings
from podline.exceptions import PodlineError
from podline.store.connection import password_of, variable

VARIABLE = "PODLINE_EDGE_TOKEN"


class TokenError(PodlineError):
    """The connection with the token cannot be used."""

    final = True


def read_token() -> str:
    """The token of the edges, hidden in logs from now on; empty: they ask for none.

    It is the variable PODLINE_EDGE_TOKEN, or else the password of the connection that `[podline]
    edge_conn_id` names.

    Raises:
        TokenError: there is no such connection.
    """
    token = secrecy.take_variable(VARIABLE) or _of_connection(settings.edge_conn_id())
    secrecy.hide(token)
    return token


def _of_connection(conn_id: str) -> str:
    if not conn_id:
        return ""
    try:
        password = password_of(conn_id)
    except ValueError as error:
        raise TokenError(str(error)) from None
    if password is None:
        raise TokenError(
            f"there is no connection {conn_id!r} ([podline] edge_conn_id): add one of any type, "
            f"whose password is the token, or set {variable(conn_id)}"
        )
    return password
