"""The probe of the store's pod: succeeds once its bucket is there and an object can be written.

The server's own health page is fine seconds before the first write is.
"""

import hashlib
import hmac
import http.client
import os
import sys
import time
from functools import reduce

HOST = "127.0.0.1:8333"
BUCKET = os.environ.get("BUCKET", "podline")
OBJECT = f"/{BUCKET}/ready"


def send(method: str, path: str, body: bytes = b"") -> int:
    """Send a request, signed as S3 wants it; returns the answer's status."""
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    signed = {
        "host": HOST,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": now,
    }
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"{method}\n{path}\n\n{lines}\n{names}\n{signed['x-amz-content-sha256']}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    signature = reduce(_hmac, [*scope.split("/"), text], secret).hex()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    signed["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={names},Signature={signature}"
    )
    connection = http.client.HTTPConnection(HOST, timeout=3)
    connection.request(method, path, body, signed)
    return connection.getresponse().status


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def main() -> str | None:
    """Return what is wrong, if anything is."""
    try:
        status = send("PUT", OBJECT, b"ready")
        if status == 404:
            send("PUT", f"/{BUCKET}")
            status = send("PUT", OBJECT, b"ready")
    except OSError as error:
        return f"the store does not answer: {error}"
    return None if status == 200 else f"a write into the bucket {BUCKET} was answered: {status}"


if __name__ == "__main__":
    sys.exit(main())
