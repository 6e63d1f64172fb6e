"""boto3 for what the store's own client cannot do: unfinished uploads, and keys of teams."""

from collections.abc import Mapping
from typing import Any

from podline.store.connection import StoreConnection


def boto3_client(store: StoreConnection, s3: Mapping[str, object] = {}, service: str = "s3") -> Any:
    """A client of boto3's for a store.

    Args:
        store: where to, with keys.
        s3: settings of S3, of botocore's configuration.
        service: what it is to speak there: S3, or IAM.
    """
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        service,
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        aws_session_token=store.session_token,
        config=Config(s3={"addressing_style": "path", **s3}),
    )
