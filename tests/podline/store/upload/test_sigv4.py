"""The signature is AWS': its own published example, and a real server that accepts it."""

from dataclasses import replace
from datetime import UTC, datetime

from podline.store import StoreConnection
from podline.store.upload.sigv4 import query_string, signed_headers

# "Signature Calculations for the Authorization Header", Amazon S3 API Reference: the example
# "GET Object", with the keys that AWS made for it.
KEYS = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EXAMPLE = StoreConnection("example", "examplebucket", None, *KEYS, region="us-east-1")
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
THEN = datetime(2013, 5, 24, tzinfo=UTC)


def test_the_example_get_object() -> None:
    headers = {"Host": "examplebucket.s3.amazonaws.com", "Range": "bytes=0-9"}
    found = signed_headers(EXAMPLE, "GET", "/test.txt", {}, headers, EMPTY, THEN)
    assert found["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_the_example_list_objects() -> None:
    headers = {"Host": "examplebucket.s3.amazonaws.com"}
    query = {"prefix": "J", "max-keys": "2"}
    found = signed_headers(EXAMPLE, "GET", "/", query, headers, EMPTY, THEN)
    assert found["Authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_a_session_token_is_signed() -> None:
    found = signed_headers(replace(EXAMPLE, session_token="t"), "GET", "/", {}, {"Host": "h"})
    assert "x-amz-security-token" in found["Authorization"]
    assert found["x-amz-security-token"] == "t"


def test_a_query_is_sorted_and_quoted() -> None:
    assert query_string({"uploads": "", "key": "a b/ä"}) == "key=a%20b%2F%C3%A4&uploads="
