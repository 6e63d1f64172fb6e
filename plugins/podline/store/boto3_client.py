"""boto3 for what the store's own client cannot do: to list and break off unfinished uploads."""

from collections.abc import Mapping
from typing import Any

from podline.store.connection import StoreConnection


def boto3_client(store: StoreConnection, s3: Mapping[str, object]) -> Any:
    """A client of boto3's for a store.

    Args:
        store: where to, with keys.
        s3: settings of S3, of botocore's configuration.
    """
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        aws_session_token=store.session_token,
        config=Config(s3={"addressing_style": "path", **s3}),
    )
