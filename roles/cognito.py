"""The one module that talks to Amazon Cognito, and only reads (ListGroups, ListUsers, ListUsersInGroup).

Lists end where Cognito sends no further token, and nowhere else: a page may be short, even empty. A token
that comes twice, and every error but the disappearance of a group between two calls, fails the whole
reading, so that half a pool is never taken for a pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3  # noqa: TID251  # this is the one module
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from django.conf import settings

if TYPE_CHECKING:
    from types_boto3_cognito_idp.client import CognitoIdentityProviderClient

PAGE = 60  # the largest page that Cognito gives

Progress = Callable[[str, int], None]  # phase, how many so far


class CognitoError(Exception):
    """The pool could not be read. The text is for people: what happened and what to do."""


@dataclass(frozen=True)
class RemoteGroup:
    """A group of the pool. `created_at` tells a group that was made again under an old name."""

    name: str
    description: str = ""
    precedence: int | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class RemoteUser:
    """A user of the pool; `sub` never changes, everything else may."""

    sub: str
    username: str
    email: str = ""
    name: str = ""
    enabled: bool = True
    status: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class Pool:
    """A complete reading: groups by name, users by sub, and the subs of each group's members."""

    groups: dict[str, RemoteGroup] = field(default_factory=dict)
    users: dict[str, RemoteUser] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)


def client() -> CognitoIdentityProviderClient:
    """A client with bounded waits: throttled calls are tried again with growing pauses, up to eight times."""
    return boto3.client(
        "cognito-idp",
        region_name=settings.AWS_REGION,
        endpoint_url=settings.COGNITO_ENDPOINT_URL or None,
        config=Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "adaptive", "total_max_attempts": 8},
            user_agent_extra="dialadmin",
        ),
    )


def read_pool(progress: Progress = lambda phase, count: None) -> Pool:
    """Read the whole pool; raises CognitoError when any part of it cannot be read.

    Groups that Cognito makes by itself for an external identity provider (`<pool id>_<provider>`) are
    groups like any other: Core sees them in tokens, so they are mirrored.
    """
    try:
        return _read_pool(client(), settings.COGNITO_USER_POOL_ID, progress)
    except (ClientError, BotoCoreError) as error:
        raise CognitoError(explain(error)) from error


def _read_pool(api: CognitoIdentityProviderClient, pool_id: str, progress: Progress) -> Pool:
    groups: dict[str, RemoteGroup] = {}
    for item in _pages(api.list_groups, "Groups", "NextToken", UserPoolId=pool_id, Limit=PAGE):
        groups[item["GroupName"]] = _group(item)
        progress("groups", len(groups))
    users: dict[str, RemoteUser] = {}
    for item in _pages(api.list_users, "Users", "PaginationToken", UserPoolId=pool_id, Limit=PAGE):
        user = _user(item)
        users[user.sub] = user
        progress("users", len(users))
    members: dict[str, frozenset[str]] = {}
    for number, name in enumerate(list(groups), start=1):
        subs = set()
        try:
            for item in _pages(
                api.list_users_in_group, "Users", "NextToken", UserPoolId=pool_id, GroupName=name, Limit=PAGE
            ):
                user = _user(item)
                # ListUsers is eventually consistent: a member that it lacked is there all the same.
                users.setdefault(user.sub, user)
                subs.add(user.sub)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            del groups[name]  # deleted between the two calls
            continue
        members[name] = frozenset(subs)
        progress("members", number)
    return Pool(groups, users, members)


def _pages(call: Callable[..., Any], items: str, token: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    while True:
        page = call(**arguments)
        yield from page.get(items, [])
        following = page.get(token)
        if not following:
            return
        if following in seen:
            raise CognitoError("Cognito repeated a page, so the list cannot be complete. Sync again in a minute.")
        seen.add(following)
        arguments[token] = following


def _group(item: dict[str, Any]) -> RemoteGroup:
    return RemoteGroup(
        name=item["GroupName"],
        description=item.get("Description", ""),
        precedence=item.get("Precedence"),
        created_at=item.get("CreationDate"),
    )


def _user(item: dict[str, Any]) -> RemoteUser:
    attributes = {pair["Name"]: pair.get("Value", "") for pair in item.get("Attributes", [])}
    full = " ".join(part for part in (attributes.get("given_name"), attributes.get("family_name")) if part)
    return RemoteUser(
        sub=attributes.get("sub") or item["Username"],
        username=item["Username"],
        email=attributes.get("email", ""),
        name=attributes.get("name") or full,
        enabled=item.get("Enabled", True),
        status=item.get("UserStatus", ""),
        created_at=item.get("UserCreateDate"),
    )


def explain(error: ClientError | BotoCoreError) -> str:
    """What an error of the API means and what to do about it."""
    if isinstance(error, NoCredentialsError):
        return "No AWS credentials were found. Give the process a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID."
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ReadTimeoutError):
        return "Cognito cannot be reached. Check the network, AWS_REGION and COGNITO_ENDPOINT_URL, then sync again."
    if not isinstance(error, ClientError):
        return f"Cognito could not be read: {error}"
    code = error.response.get("Error", {}).get("Code", "")
    if code in ("AccessDeniedException", "AccessDenied"):
        return (
            f"The credentials lack the permission cognito-idp:{error.operation_name} on the pool "
            f"{settings.COGNITO_USER_POOL_ID}. Add it to the IAM policy (README, “Against a real pool”)."
        )
    if code in ("TooManyRequestsException", "LimitExceededException", "ThrottlingException"):
        return "Cognito throttled the sync: its quota is shared by the whole account. Sync again in a few minutes."
    if code in ("ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"):
        return "The AWS credentials are expired or unknown. Renew them, then sync again."
    if code == "ResourceNotFoundException":
        return (
            f"There is no user pool {settings.COGNITO_USER_POOL_ID} in {settings.AWS_REGION}. "
            "Check COGNITO_USER_POOL_ID and AWS_REGION."
        )
    return f"Cognito answered {error.operation_name} with {code or 'an error'}. Sync again; nothing was changed."
