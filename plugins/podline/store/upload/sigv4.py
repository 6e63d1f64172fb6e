"""AWS Signature Version 4, of requests whose body is not part of the signature.

Source: "Create a signed AWS API request" in AWS' Identity and Access Management User Guide. The
body has a checksum that the server verifies, so that signing it would hash it twice.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from podline.store.connection import StoreConnection

UNSIGNED = "UNSIGNED-PAYLOAD"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def signed_headers(
    connection: StoreConnection,
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    payload: str = UNSIGNED,
    now: datetime | None = None,
) -> dict[str, str]:
    """Return the headers of a request, signed.

    Args:
        connection: whose keys sign it.
        method: of HTTP.
        path: quoted as it is sent.
        query: parameters by name, not quoted.
        headers: all that are to be signed, ``Host`` among them.
        payload: what stands for the body's hash.
        now: the time; by default this machine's.
    """
    moment = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/{connection.region}/s3/aws4_request"
    given = {**headers, "x-amz-date": moment, "x-amz-content-sha256": payload}
    if connection.session_token:
        given["x-amz-security-token"] = connection.session_token
    lower = dict(sorted((name.lower(), value.strip()) for name, value in given.items()))
    names = ";".join(lower)
    lines = [f"{name}:{value}" for name, value in lower.items()]
    request = "\n".join([method, path, query_string(query), *lines, "", names, payload])
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, digest])
    signature = hmac.new(_key(connection, scope), text.encode(), hashlib.sha256).hexdigest()
    given["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={connection.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return given


def query_string(query: Mapping[str, str]) -> str:
    """Parameters as they are signed and sent: sorted, each quoted."""
    quoted = {quote(name, safe="-_.~"): quote(value, safe="-_.~") for name, value in query.items()}
    return "&".join(f"{name}={value}" for name, value in sorted(quoted.items()))


def _key(connection: StoreConnection, scope: str) -> bytes:
    key = f"AWS4{connection.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
