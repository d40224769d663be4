"""The one module that talks to Amazon Cognito, and only reads: ListGroups, ListUsers, ListUsersInGroup.

A list ends where Cognito sends no further token, and nowhere else: a page may be short, even empty. A token
that comes twice, and every error but the disappearance of a group between two calls, fails the whole
reading, so that half a pool is never taken for a pool.

Groups that Cognito makes by itself for an external identity provider (`<pool id>_<provider>`) are read like
any other. They stand in tokens, so Core takes them for roles, and an audit without them would be wrong; the
list of roles merely does not show them unless asked (`provider_prefix`).
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
    ConnectionError,  # noqa: A004  # of botocore
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from django.conf import settings

if TYPE_CHECKING:
    from types_boto3_cognito_idp.client import CognitoIdentityProviderClient

PAGE = 60  # the largest page that Cognito gives
ATTEMPTS = 8  # of one call, the first included
EMAIL_LENGTH, NAME_LENGTH = 320, 255  # what the tables hold; an attribute of Cognito may have 2048 characters

Progress = Callable[[str, int], None]  # after each page: what is being read, how many of it so far

NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)
STALE_SIGN_IN = (TokenRetrievalError, UnauthorizedSSOTokenError, SSOError)
DENIED = {"AccessDeniedException", "AccessDenied", "NotAuthorizedException", "UnauthorizedOperation"}
THROTTLED = {"TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException"}
EXPIRED = {"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"}
BAD_SIGNATURE = {"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "RequestExpired"}
NOT_FOUND = "ResourceNotFoundException"


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


def provider_prefix() -> str:
    """How the names of the groups begin that Cognito makes for external identity providers."""
    return f"{settings.COGNITO_USER_POOL_ID}_"


def client() -> CognitoIdentityProviderClient:
    """A client with bounded waits.

    A call waits at most 3 seconds for the connection and 10 for the answer. Throttled and failed calls are
    tried again with growing pauses, ATTEMPTS times at most; that is set here because the default differs
    between versions and modes of boto3, and one of them never repeats a throttled call of Cognito.
    """
    return boto3.client(
        "cognito-idp",
        region_name=settings.AWS_REGION or None,
        endpoint_url=settings.COGNITO_ENDPOINT_URL or None,
        config=Config(
            connect_timeout=3,
            read_timeout=10,
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
            user_agent_extra="dialadmin",
        ),
    )


def read_pool(progress: Progress = lambda what, count: None) -> Pool:
    """Read the whole pool, one page after the other.

    `progress` is called after each page; what it raises ends the reading. Raises CognitoError when any part
    of the pool cannot be read.
    """
    try:
        api = client()
    except ValueError as error:  # boto3 judges the address before it uses it
        raise CognitoError(
            f"COGNITO_ENDPOINT_URL ({settings.COGNITO_ENDPOINT_URL}) is not a usable address. "
            "Example: https://cognito-idp.eu-west-1.amazonaws.com"
        ) from error
    except BotoCoreError as error:
        raise CognitoError(explain(error)) from error
    try:
        return _read(api, settings.COGNITO_USER_POOL_ID, progress)
    except (ClientError, BotoCoreError) as error:
        raise CognitoError(explain(error)) from error


def _read(api: CognitoIdentityProviderClient, pool_id: str, progress: Progress) -> Pool:
    groups: dict[str, RemoteGroup] = {}
    for page in _pages(api.list_groups, "Groups", "NextToken", UserPoolId=pool_id, Limit=PAGE):
        groups |= {group.name: group for group in map(_group, page)}
        progress("groups", len(groups))
    users: dict[str, RemoteUser] = {}
    for page in _pages(api.list_users, "Users", "PaginationToken", UserPoolId=pool_id, Limit=PAGE):
        users |= {user.sub: user for user in map(_user, page)}
        progress("users", len(users))
    members: dict[str, frozenset[str]] = {}
    read = 0
    for name in list(groups):
        subs: set[str] = set()
        try:
            for page in _pages(
                api.list_users_in_group, "Users", "NextToken", UserPoolId=pool_id, GroupName=name, Limit=PAGE
            ):
                for user in map(_user, page):
                    # ListUsers is eventually consistent: a member that it lacked is there all the same.
                    users.setdefault(user.sub, user)
                    subs.add(user.sub)
                read += len(page)
                progress("memberships", read)
        except ClientError as error:
            if _code(error) != NOT_FOUND:
                raise
            # The group was deleted between the two calls, unless the whole pool was: then this raises.
            api.list_groups(UserPoolId=pool_id, Limit=1)
            del groups[name]
        else:
            members[name] = frozenset(subs)
    return Pool(groups, users, members)


def _pages(call: Callable[..., Any], items: str, token: str, **arguments: Any) -> Iterator[list[dict[str, Any]]]:
    """The pages of one list, to its end. Every page is asked for with the same parameters, as Cognito demands."""
    seen: set[str] = set()
    while True:
        answer = call(**arguments)
        yield answer.get(items, [])
        following = answer.get(token)
        if not following:
            return
        if following in seen:
            raise CognitoError("Cognito sent a page twice, so the list cannot be complete. Sync again in a minute.")
        seen.add(following)
        arguments[token] = following


def _group(item: dict[str, Any]) -> RemoteGroup:
    return RemoteGroup(
        name=_given(item, "GroupName"),
        description=item.get("Description", ""),
        precedence=item.get("Precedence"),
        created_at=item.get("CreationDate"),
    )


def _user(item: dict[str, Any]) -> RemoteUser:
    attributes = {pair["Name"]: pair.get("Value", "") for pair in item.get("Attributes", [])}
    full = " ".join(part for part in (attributes.get("given_name"), attributes.get("family_name")) if part)
    return RemoteUser(
        sub=_given(attributes, "sub"),
        username=_given(item, "Username"),
        email=attributes.get("email", "")[:EMAIL_LENGTH],
        name=(attributes.get("name") or full)[:NAME_LENGTH],
        enabled=item.get("Enabled", True),
        status=item.get("UserStatus", ""),
        created_at=item.get("UserCreateDate"),
    )


def _given(item: dict[str, Any], key: str) -> str:
    """A value by which rows are told apart. Without it the answer is no basis for changing anything."""
    value = item.get(key)
    if not value:
        raise CognitoError(
            f"Cognito's answer lacks {key}. Is it Cognito that answers at COGNITO_ENDPOINT_URL? Sync again later."
        )
    return str(value)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: ClientError | BotoCoreError) -> str:
    """What an error of the API means and what to do about it. It repeats no text of the error: those name accounts."""
    if isinstance(error, ClientError):
        return _explain_answer(_code(error), error)
    if isinstance(error, NO_CREDENTIALS):
        return (
            "No usable AWS credentials were found. Give the process a role, or set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY."
        )
    if isinstance(error, STALE_SIGN_IN):
        return "The AWS sign-in of this process has expired. Renew it (aws sso login), then sync again."
    if isinstance(error, NoRegionError):
        return "No AWS region is set. Set AWS_REGION to the region of the pool."
    if isinstance(error, ParamValidationError):
        return f"“{settings.COGNITO_USER_POOL_ID}” is no pool id. Set COGNITO_USER_POOL_ID, as in eu-west-1_AbCdEf123."
    if isinstance(error, SSLError):
        return "Cognito's certificate was not accepted. Check the proxy, AWS_CA_BUNDLE and COGNITO_ENDPOINT_URL."
    if isinstance(error, (HTTPClientError, ConnectionError)):
        return "Cognito cannot be reached. Check the network, AWS_REGION and COGNITO_ENDPOINT_URL, then sync again."
    return f"Cognito could not be read ({type(error).__name__}). The log has the details."


def _explain_answer(code: str, error: ClientError) -> str:
    pool = settings.COGNITO_USER_POOL_ID
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in DENIED:
        return (
            f"The AWS credentials lack the permission cognito-idp:{error.operation_name} on the pool {pool}. "
            "Add it to their IAM policy (README, “Against a real pool”)."
        )
    if code in THROTTLED:
        return (
            "Cognito throttled the sync: its quota is shared by everything in the AWS account. "
            "Sync again in a few minutes."
        )
    if code in EXPIRED:
        return "The AWS credentials are expired or unknown. Renew them, then sync again."
    if code in BAD_SIGNATURE:
        return "AWS refused the signature. Check AWS_SECRET_ACCESS_KEY and the clock of this machine."
    if code == NOT_FOUND:
        return f"There is no user pool {pool} in {settings.AWS_REGION}. Check COGNITO_USER_POOL_ID and AWS_REGION."
    if code == "InvalidParameterException":
        return f"Cognito refused {error.operation_name} for “{pool}”. Check COGNITO_USER_POOL_ID and AWS_REGION."
    if status >= 500:
        return "Cognito has a problem of its own at the moment. Sync again in a few minutes."
    return f"Cognito answered {error.operation_name} with {code or 'an error'}. The log has the details."
