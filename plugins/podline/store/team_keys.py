"""Keys of teams to a store that all share: what each may do there, and how it is made.

A team's key reads, lists, writes and deletes ``runs/TEAM.…`` and ``models/TEAM.…``, reads the data
sets below ``data/``, and nothing else. The policy is that of Amazon's IAM, which SeaweedFS takes
too; the key is made over IAM's API, which SeaweedFS answers at S3's own port.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from podline.store import keys
from podline.store.boto3_client import boto3_client
from podline.store.connection import StoreConnection
from podline.store.errors import StoreError

_USER = "podline-team-"  # … and the team's name
_POLICY = "podline"  # the user's
_FOLDERS = (keys.RUNS, keys.MODELS)
_OWN_OBJECTS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:AbortMultipartUpload",
)


def policy(bucket: str, team: str) -> dict[str, Any]:
    """What a team may do, as a policy of IAM.

    Args:
        bucket: the store's.
        team: the team's name.

    Raises:
        ValueError: a team cannot be called so.
    """
    own = [f"{folder}/{keys.team_prefix(team)}*" for folder in _FOLDERS]
    shared = f"{keys.DATA}/*"
    objects = f"arn:aws:s3:::{bucket}/"
    may_list = {"StringLike": {"s3:prefix": [*own, shared]}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow([*_OWN_OBJECTS], [objects + key for key in own]),
            _allow(["s3:GetObject"], [objects + shared]),
            _allow(["s3:ListBucket"], [f"arn:aws:s3:::{bucket}"]) | {"Condition": may_list},
        ],
    }


def new_key(store: StoreConnection, team: str) -> StoreConnection:
    """Make a team's key, which takes the place of those that it had.

    Args:
        store: with a key that may make others.
        team: the team's name.

    Returns:
        The same store, with the team's key.

    Raises:
        StoreError: the store does not make keys, or not for this one.
        ValueError: a team cannot be called so.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    document = _for_seaweedfs(policy(store.bucket, team))
    user = f"{_USER}{team}"
    try:
        iam = boto3_client(store, service="iam")
        _unless_there(lambda: iam.create_user(UserName=user))
        # Before there is a key, so that none may ever do more.
        iam.put_user_policy(UserName=user, PolicyName=_POLICY, PolicyDocument=document)
        old = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        for key in old:  # those too that the team made itself
            iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        made = iam.create_access_key(UserName=user)["AccessKey"]
    except (ClientError, BotoCoreError) as error:
        raise StoreError(
            f"The store at {store} makes no key for the team {team!r}: {error}. Make it with the "
            f"store's own tools, by the policy of `podline store policy {team}`."
        ) from None
    return replace(
        store,
        access_key=made["AccessKeyId"],
        secret_key=made["SecretAccessKey"],
        session_token=None,
        team=team,
    )


def _for_seaweedfs(found: dict[str, Any]) -> str:
    """A policy that says the same of SeaweedFS in both ways in which that reads it.

    While keys change, it goes by what it makes of each statement without its condition: an action
    and a path. The right to list the bucket on a condition would be that to list it all, unless the
    resource is written so that it makes nothing of it; own paths stand beside it, so that the right
    to list these holds meanwhile.
    """
    own, shared, listed = found["Statement"]
    bucket = [resource.replace(":::", ":?:") for resource in listed["Resource"]]
    resources = [*bucket, *own["Resource"], *shared["Resource"]]
    return json.dumps(found | {"Statement": [own, shared, listed | {"Resource": resources}]})


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _unless_there(create: Callable[[], object]) -> None:
    from botocore.exceptions import ClientError

    try:
        create()
    except ClientError as error:
        # What says no in S3's words has no error for IAM's client.
        if error.response.get("Error", {}).get("Code") != "EntityAlreadyExists":
            raise
