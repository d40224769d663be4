"""The one module that talks to Amazon Cognito. A sync reads it: ListGroups, ListUsers, ListUsersInGroup.

How a pool is read, page by page, stands in `roles/reading.py`; here stands how one call is made and what each
of its errors means.

Groups that Cognito makes by itself for an external identity provider (`<pool id>_<provider>`) are read like
any other. They stand in tokens, so Core takes them for roles, and an audit without them would be wrong; the
list of roles merely does not show them unless asked (`provider_prefix`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3  # noqa: TID251  # this is the one module
import botocore.session
import orjson
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
from botocore.parsers import JSONParser, ResponseParserError, ResponseParserFactory
from django.conf import settings

from roles import reading
from roles.reading import Call, CognitoError, MissingError, PassingError, Pool, Progress, Reading, ThrottledError

if TYPE_CHECKING:
    from types_boto3_cognito_idp.client import CognitoIdentityProviderClient

ATTEMPTS = 8  # of one call that is no part of a reading, the first included

NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound)
STALE_SIGN_IN = (TokenRetrievalError, UnauthorizedSSOTokenError, SSOError)
DENIED = {"AccessDeniedException", "AccessDenied", "NotAuthorizedException", "UnauthorizedOperation"}
THROTTLED = {"TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException"}
EXPIRED = {"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId"}
BAD_SIGNATURE = {"InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature", "RequestExpired"}
NOT_FOUND = "ResourceNotFoundException"


def provider_prefix() -> str:
    """How the names of the groups begin that Cognito makes for external identity providers."""
    return f"{settings.COGNITO_USER_POOL_ID}_"


def client() -> CognitoIdentityProviderClient:
    """A client with bounded waits.

    A call waits at most 3 seconds for the connection and 10 for the answer. Throttled and failed calls are
    tried again with growing pauses, ATTEMPTS times at most; that is set here because the default differs
    between versions and modes of boto3, and one of them never repeats a throttled call of Cognito.
    """
    return _client(_session(), retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS})


@cache
def _session() -> boto3.Session:
    """One for the process: it holds the model of the API, a third of a second's work, and renews credentials itself."""
    return boto3.Session()


def _client(session: boto3.Session, **config: Any) -> CognitoIdentityProviderClient:
    return session.client(
        "cognito-idp",
        region_name=settings.AWS_REGION or None,
        endpoint_url=settings.COGNITO_ENDPOINT_URL or None,
        config=Config(connect_timeout=3, read_timeout=10, user_agent_extra="dialadmin", **config),
    )


class _PlainParser(JSONParser):
    """Answers as the JSON that they are. Botocore walks every value of a page by its model: 4 of 6 ms for 60 people."""

    def _do_parse(self, response: Any, shape: Any) -> Any:
        try:
            parsed = orjson.loads(response["body"])
        except orjson.JSONDecodeError as error:
            raise ResponseParserError(str(error)) from error
        if not isinstance(parsed, dict):
            raise ResponseParserError("not an object")
        parsed["ResponseMetadata"] = {}  # the caller of this method adds the status
        return parsed


class _PlainParsers(ResponseParserFactory):
    def create_parser(self, protocol_name: str) -> Any:
        return _PlainParser() if protocol_name == "json" else super().create_parser(protocol_name)


@cache
def _reader_session() -> boto3.Session:
    """One for the process, like `_session`, that reads answers as they are."""
    session = botocore.session.get_session()
    session.register_component("response_parser_factory", _PlainParsers())
    return boto3.Session(botocore_session=session)


def reader_client() -> CognitoIdentityProviderClient:
    """The client of a reading: it makes each call once, because the reading itself paces and repeats, and serves
    as many threads as a reading has. Moments come as numbers."""
    return _client(
        _reader_session(),
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=reading.WORKERS,
        parameter_validation=False,
    )


def _calls() -> Call:
    """The function that makes one call of a reading. Raises CognitoError, when even a client cannot be had."""
    try:
        api = reader_client()
    except ValueError as error:  # boto3 judges the address before it uses it
        raise CognitoError(
            f"COGNITO_ENDPOINT_URL ({settings.COGNITO_ENDPOINT_URL}) is not a usable address. "
            "Example: https://cognito-idp.eu-west-1.amazonaws.com"
        ) from error
    except BotoCoreError as error:
        raise CognitoError(explain(error)) from error
    methods: dict[str, Any] = {
        "ListGroups": api.list_groups,
        "ListUsers": api.list_users,
        "ListUsersInGroup": api.list_users_in_group,
        "DescribeUserPool": api.describe_user_pool,
    }

    def call(operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = methods[operation](**arguments)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            raise _kind(error)(explain(error)) from error
        return answer

    return call


def _kind(error: ClientError | BotoCoreError | ResponseParserError) -> type[CognitoError]:
    """What an error means for a reading: slow down, try again, not there, or the end."""
    if isinstance(error, ClientError):
        if _code(error) in THROTTLED:
            return ThrottledError
        if _code(error) == NOT_FOUND:
            return MissingError
        return PassingError if _status(error) >= 500 else CognitoError
    if isinstance(error, SSLError):
        return CognitoError
    # An answer that was cut off, or that a proxy made, is no JSON.
    return PassingError if isinstance(error, HTTPClientError | ConnectionError | ResponseParserError) else CognitoError


def read_pool(progress: Progress = lambda reading: None, earlier_calls: int | None = None) -> Pool:
    """Read the whole pool, at no more than COGNITO_CALLS_PER_SECOND.

    `progress` is called after each page and at least once a second; what it raises ends the reading.
    `earlier_calls`: what an earlier reading took, for the estimate; without it the pool is asked for its size,
    if that is permitted. Raises CognitoError when any part of the pool cannot be read.
    """
    call, pool_id = _calls(), settings.COGNITO_USER_POOL_ID
    if not pool_id:
        raise CognitoError(_no_pool_id())
    so_far = Reading(earlier_calls)
    if earlier_calls is None:
        try:
            described = call("DescribeUserPool", {"UserPoolId": pool_id})["UserPool"]
            so_far.expected_users = described.get("EstimatedNumberOfUsers")
            so_far.calls += 1
        except CognitoError:  # the permission is optional, and any other trouble meets the reading too
            pass
    return reading.read(call, pool_id, pace=settings.COGNITO_CALLS_PER_SECOND, progress=progress, reading=so_far)


def still_there(subs: Iterable[str], progress: Progress = lambda reading: None) -> set[str]:
    """Which of these people the pool has after all, asked for one by one. Raises CognitoError."""
    pool_id, pace = settings.COGNITO_USER_POOL_ID, settings.COGNITO_CALLS_PER_SECOND
    return reading.still_there(_calls(), pool_id, subs, pace=pace, progress=progress)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _no_pool_id() -> str:
    return f"“{settings.COGNITO_USER_POOL_ID}” is no pool id. Set COGNITO_USER_POOL_ID, as in eu-west-1_AbCdEf123."


def explain(error: ClientError | BotoCoreError | ResponseParserError) -> str:
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
        return _no_pool_id()
    if isinstance(error, SSLError):
        return "Cognito's certificate was not accepted. Check the proxy, AWS_CA_BUNDLE and COGNITO_ENDPOINT_URL."
    if isinstance(error, ResponseParserError):
        return "An answer was cut off, or is not Cognito's. Check COGNITO_ENDPOINT_URL and the proxy, then sync again."
    if isinstance(error, (HTTPClientError, ConnectionError)):
        return "Cognito cannot be reached. Check the network, AWS_REGION and COGNITO_ENDPOINT_URL, then sync again."
    return f"Cognito could not be read ({type(error).__name__}). The log has the details."


def _explain_answer(code: str, error: ClientError) -> str:
    pool = settings.COGNITO_USER_POOL_ID
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
    if _status(error) >= 500:
        return "Cognito has a problem of its own at the moment. Sync again in a few minutes."
    return f"Cognito answered {error.operation_name} with {code or 'an error'}. The log has the details."


# --- setting a pool up --------------------------------------------------------------------------------


class DeniedError(CognitoError):
    """The AWS credentials lack a permission; `action` names it as an IAM policy does."""

    def __init__(self, text: str, action: str) -> None:
        super().__init__(text)
        self.action = action


class NoPersonError(MissingError):
    """The pool has nobody of this user name."""


class ExistsError(CognitoError):
    """The pool has a group of this name already."""


Administration = Callable[..., dict[str, Any]]


def administration() -> Administration:
    """A function that makes one call by its name in boto3: `call("describe_user_pool", UserPoolId=…)`.

    It raises MissingError for what is not there (NoPersonError for a person), ExistsError for a group that is,
    DeniedError for a missing permission, ThrottledError, PassingError where no proper answer came (then a change may
    have been made all the same), and CognitoError for the rest.
    """
    try:
        api = client()
    except (BotoCoreError, ValueError) as error:
        words = explain(error) if isinstance(error, BotoCoreError) else "COGNITO_ENDPOINT_URL is not a usable address."
        raise CognitoError(words) from error

    def call(method: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(api, method)(**arguments)
        except (ClientError, BotoCoreError, ResponseParserError) as error:
            words = explain(error)
            if isinstance(error, ClientError):
                if _code(error) in DENIED:
                    raise DeniedError(words, f"cognito-idp:{error.operation_name}") from error
                if _code(error) == "UserNotFoundException":
                    raise NoPersonError(words) from error
                if _code(error) == NOT_FOUND:
                    raise MissingError(words) from error
                if _code(error) == "GroupExistsException":
                    raise ExistsError(words) from error
                if 400 <= _status(error) < 500 and _code(error) not in THROTTLED | EXPIRED | BAD_SIGNATURE:
                    # What was refused is of our own making here, so that Cognito's words are the useful ones.
                    refused = error.response.get("Error", {}).get("Message", "")
                    raise CognitoError(f"Cognito refused {error.operation_name}: {refused}") from error
            raise _kind(error)(words) from error
        return answer

    return call
