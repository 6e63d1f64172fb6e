"""A team's key to the store, against the real server: what it reaches, and what it does not."""

import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from podline.store import (
    AccessDenied,
    ObjectMissing,
    Store,
    StoreConnection,
    StoreError,
    seaweedfs,
    team_keys,
)
from podline.store.boto3_client import boto3_client
from tests.support.store_proxy import StoreProxy

# Of another team, of one whose name begins as ours does, of nobody, and what is not data at all.
OTHERS = [
    "runs/forecasts.power/manual__1/load/-1/1-ab12/result.json",
    "models/forecasts.power/versions/1/manifest.json",
    "runs/visionaries.power/manual__1/load/-1/1-ab12/result.json",
    "models/visionaries/versions/1/manifest.json",
    "runs/vision/manual__1/load/-1/1-ab12/result.json",
    "runs/power/manual__1/load/-1/1-ab12/result.json",
    "models/power/aliases/champion",
    "profiles/vision.power/load.json",
    "edge/nodes/cellar.json",
    "logs/dag_id=forecasts.power/log",
    "ready",
]
BUCKET = "teams"
OWN = "runs/vision.power/manual__1/load/-1/1-ab12/result.json"
SHARED = "data/household_power/household_power.csv.xz"


@pytest.fixture(scope="module")
def vision_key(store_server: StoreConnection) -> StoreConnection:
    """The team's key, for the bucket of these tests."""
    return team_keys.new_key(replace(store_server, bucket=BUCKET), "vision")


@pytest.fixture
def store(teams_store: Store) -> Store:
    return teams_store


@pytest.fixture
def vision(store: Store, vision_key: StoreConnection) -> Store:
    """The store as the team has it, with objects of others in it."""
    for key in [*OTHERS, SHARED]:
        store.put(key, b"theirs")
    return Store(vision_key)


def test_a_team_has_its_own(vision: Store, store: Store) -> None:
    vision.put(OWN, b"ours")
    vision.put_same(f"{OWN}.large", bytes(20_000_000))  # in parts
    assert bytes(vision.get(OWN)) == b"ours"
    assert vision.head(f"{OWN}.large").size == 20_000_000
    assert vision.get_version(OWN)[1] == vision.swap(OWN, b"ours", store.head(OWN).etag)
    assert [item.key for item in vision.list("runs/vision.power")] == [OWN, f"{OWN}.large"]
    assert vision.list_folders("runs/vision.power") == ["runs/vision.power/manual__1"]
    with pytest.raises(ObjectMissing):
        vision.get("models/vision.power/aliases/latest")
    vision.put("models/vision.power/aliases/latest", b"{}")
    vision.delete([OWN, f"{OWN}.large"])
    assert not store.exists(OWN)


def test_it_reads_data_sets_and_changes_none(vision: Store, store: Store) -> None:
    assert bytes(vision.get(SHARED)) == b"theirs"
    for change in (
        lambda: vision.swap(SHARED, b"ours", store.head(SHARED).etag),
        lambda: vision.put("data/more.csv", b"ours"),
        lambda: vision.delete([SHARED]),
    ):
        with pytest.raises(StoreError):
            change()
    assert bytes(store.get(SHARED)) == b"theirs"
    assert not store.exists("data/more.csv")


@pytest.mark.parametrize("key", OTHERS)
def test_it_reads_and_changes_nothing_of_others(vision: Store, store: Store, key: str) -> None:
    etag = store.head(key).etag
    for ask in (
        lambda: vision.get(key),
        lambda: vision.head(key),
        lambda: vision.swap(key, b"ours", etag),
        lambda: vision.put(f"{key}.new", b"ours"),
        lambda: vision.put(f"{key}.new", bytes(20_000_000)),
        lambda: [*vision.list(key.rpartition("/")[0])],
    ):
        with pytest.raises(AccessDenied):
            ask()
    with pytest.raises(StoreError):
        vision.delete([key])
    assert bytes(store.get(key)) == b"theirs"
    assert not store.exists(f"{key}.new")


@pytest.mark.parametrize("prefix", ["", "runs", "models", "runs/", "runs/vision", "r", "/"])
@pytest.mark.parametrize("ask", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_it_lists_nothing_of_others(
    vision: Store, vision_key: StoreConnection, ask: str, prefix: str
) -> None:
    client = boto3_client(vision_key)
    for delimiter in ({}, {"Delimiter": "/"}):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(client, ask)(Bucket=BUCKET, Prefix=prefix, **delimiter)
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} <= {BUCKET}


@pytest.mark.parametrize("way", ["data/../", "data/%2E%2E/", "runs/vision.x/../../", "data//../"])
@pytest.mark.parametrize("ask", ["list_objects", "list_objects_v2"])
def test_no_dots_list_what_is_others(
    vision: Store, vision_key: StoreConnection, ask: str, way: str
) -> None:
    client = boto3_client(vision_key)
    for prefix in (way, f"{way}runs/", f"{way}runs/forecasts.power/", way.rstrip("/")):
        for delimiter in ({}, {"Delimiter": "/"}):
            try:
                found = getattr(client, ask)(Bucket=BUCKET, Prefix=prefix, **delimiter)
            except ClientError:
                continue
            assert found.get("Contents", []) == []
            assert found.get("CommonPrefixes", []) == []


Ask = Callable[[Any, str], Any]
ASIDE: dict[str, Ask] = {
    "copy": lambda s3, key: s3.copy_object(
        Bucket=BUCKET, Key=f"{OWN}.copy", CopySource=f"{BUCKET}/{key}"
    ),
    "copy over": lambda s3, key: s3.copy_object(
        Bucket=BUCKET, Key=key, CopySource=f"{BUCKET}/{SHARED}"
    ),
    "part of a copy": lambda s3, key: s3.upload_part_copy(
        Bucket=BUCKET,
        Key=f"{OWN}.copy",
        PartNumber=1,
        CopySource=f"{BUCKET}/{key}",
        UploadId=s3.create_multipart_upload(Bucket=BUCKET, Key=f"{OWN}.copy")["UploadId"],
    ),
    "upload": lambda s3, key: s3.create_multipart_upload(Bucket=BUCKET, Key=key),
    "delete": lambda s3, key: s3.delete_object(Bucket=BUCKET, Key=key),
    "tags": lambda s3, key: s3.get_object_tagging(Bucket=BUCKET, Key=key),
    "tag": lambda s3, key: s3.put_object_tagging(
        Bucket=BUCKET, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    "acl": lambda s3, key: s3.get_object_acl(Bucket=BUCKET, Key=key),
    "uploads": lambda s3, key: s3.list_multipart_uploads(Bucket=BUCKET),
    "bucket": lambda s3, key: s3.delete_bucket(Bucket=BUCKET),
    "another bucket": lambda s3, key: s3.create_bucket(Bucket="more"),
    "policy": lambda s3, key: s3.put_bucket_policy(Bucket=BUCKET, Policy="{}"),
    "policy's end": lambda s3, key: s3.delete_bucket_policy(Bucket=BUCKET),
    "lifecycle": lambda s3, key: s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET,
        LifecycleConfiguration={
            "Rules": [{"ID": "a", "Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]
        },
    ),
    "versioning": lambda s3, key: s3.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
    ),
}


@pytest.mark.parametrize("way", ASIDE)
def test_no_other_way_leads_there(
    vision: Store, store: Store, vision_key: StoreConnection, way: str
) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        ASIDE[way](boto3_client(vision_key), OTHERS[0])
    assert bytes(store.get(OTHERS[0])) == b"theirs"


def test_of_several_that_it_deletes_at_once_the_others_stay(
    vision: Store, store: Store, vision_key: StoreConnection
) -> None:
    vision.put(OWN, b"ours")
    wanted = [{"Key": key} for key in (OWN, *OTHERS)]
    answer = boto3_client(vision_key).delete_objects(Bucket=BUCKET, Delete={"Objects": wanted})
    assert {error["Key"] for error in answer["Errors"]} == {*OTHERS}
    assert all(store.exists(key) for key in OTHERS)
    assert not store.exists(OWN)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("dots", ["..", "%2E%2E", ".%2e"])
@pytest.mark.parametrize("way", ["runs/vision.x/{}/{}/", "runs/vision.x/{}/./{}/", "data/{}/"])
def test_no_path_leads_out_of_its_folders(
    vision: Store, store: Store, vision_key: StoreConnection, way: str, dots: str, method: str
) -> None:
    path = way.format(dots, dots) + OTHERS[0]
    raw_request(vision_key, method, f"/{BUCKET}/{path}")
    assert bytes(store.get(OTHERS[0])) == b"theirs"


def raw_request(connection: StoreConnection, method: str, path: str) -> None:
    """Send what no client would: a path as it is. It must be refused, or find nothing."""
    url = f"{connection.endpoint_url}{path}"
    request = AWSRequest(method, url, data=b"ours" if method == "PUT" else None)
    assert connection.access_key
    assert connection.secret_key
    credentials = Credentials(connection.access_key, connection.secret_key)
    S3SigV4Auth(credentials, "s3", connection.region).add_auth(request)
    prepared = request.prepare()
    sent = urllib.request.Request(url, prepared.body, dict(prepared.headers), method=method)
    try:
        answer = urllib.request.urlopen(sent)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        assert answer.status < 500
        assert b"theirs" not in answer.read()


def test_it_makes_no_more_of_itself(vision_key: StoreConnection) -> None:
    iam, mine = boto3_client(vision_key, service="iam"), "podline-team-vision"
    for ask in (
        lambda: iam.create_user(UserName="more"),
        lambda: iam.put_user_policy(UserName=mine, PolicyName="more", PolicyDocument="{}"),
        lambda: iam.create_access_key(UserName="podline-team-forecasts"),
    ):
        with pytest.raises(ClientError) as refused:
            ask()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_new_key_takes_the_place_of_the_old(store: Store) -> None:
    old = team_keys.new_key(store.connection, "rotated")
    its_own = boto3_client(old, service="iam").create_access_key(UserName="podline-team-rotated")
    new = team_keys.new_key(store.connection, "rotated")
    key = "models/rotated.power/aliases/latest"
    Store(new).put(key, b"{}")
    made = its_own["AccessKey"]
    also = replace(old, access_key=made["AccessKeyId"], secret_key=made["SecretAccessKey"])
    for gone in (old, also):
        with pytest.raises(AccessDenied):
            Store(gone).get(key)


def test_it_holds_while_keys_of_others_are_made(vision: Store, store: Store) -> None:
    """The server reads all keys anew then, and must not take any for more or less meanwhile."""
    vision.put(OWN, b"ours")

    def make() -> None:
        for number in range(8):
            team_keys.new_key(store.connection, f"team{number % 3}")

    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        while not making.done():
            assert bytes(vision.get(OWN)) == b"ours"
            assert [item.key for item in vision.list("runs/vision.power")] == [OWN]
            for ask in (
                lambda: vision.get(OTHERS[0]),
                lambda: [*vision.list("runs/forecasts.power")],
                lambda: vision.list_folders("runs"),
                lambda: vision.list_folders(),
            ):
                with pytest.raises(AccessDenied):
                    ask()
        making.result()


def test_a_store_that_makes_no_keys(vision: Store) -> None:
    with pytest.raises(StoreError, match="podline store policy forecasts"):
        team_keys.new_key(vision.connection, "forecasts")


def test_the_policy_is_limited_to_the_teams_names() -> None:
    own, shared, listed = team_keys.policy("podline", "vision")["Statement"]
    assert own["Resource"] == [
        "arn:aws:s3:::podline/runs/vision.*",
        "arn:aws:s3:::podline/models/vision.*",
    ]
    assert (shared["Action"], shared["Resource"]) == (
        ["s3:GetObject"],
        ["arn:aws:s3:::podline/data/*"],
    )
    assert listed["Condition"]["StringLike"]["s3:prefix"] == [
        "runs/vision.*",
        "models/vision.*",
        "data/*",
    ]


class Amazon(StoreProxy):
    """Says of what is not there that it is forbidden, as Amazon does to who may not list all."""

    def forwarded(self, data: bytes, back: bool) -> bytes:
        """The same with another status."""
        return data.replace(b"HTTP/1.1 404 Not Found", b"HTTP/1.1 403 Forbidden")


def test_what_is_missing_is_missing_where_the_store_says_forbidden(
    vision: Store, vision_key: StoreConnection
) -> None:
    vision.put(OWN, b"ours")
    with Amazon(vision_key) as amazon:
        store = Store(amazon.connection)
        assert bytes(store.get(OWN)) == b"ours"
        for ask in (store.get, store.head, store.get_version, store.digest):
            with pytest.raises(ObjectMissing):
                ask(f"{OWN}.not")
        assert not store.exists("data/not.csv")
        with pytest.raises(AccessDenied):
            store.get(OTHERS[0])


@pytest.mark.slow
def test_a_key_outlives_the_server_and_reaches_no_more_then(tmp_path: Path) -> None:
    with seaweedfs.running(tmp_path) as connection:
        key = team_keys.new_key(connection, "vision")
        for name in (OWN, OTHERS[0]):
            Store(connection).put(name, b"written")
    with seaweedfs.running(tmp_path) as connection:
        vision = Store(replace(key, endpoint_url=connection.endpoint_url))
        assert bytes(vision.get(OWN)) == b"written"
        for ask in (lambda: vision.get(OTHERS[0]), lambda: [*vision.list("runs")]):
            with pytest.raises(AccessDenied):
                ask()
