"""Reading the pool: whole, or not at all. Faults are put below the retries of the real client."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)

from roles import cognito, reading
from roles.cognito import read_pool
from roles.reading import CognitoError, Reading
from tests.roles.conftest import CognitoPool

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # inside moto


class Body:
    """The body of a made-up answer, as botocore reads it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def stream(self, **_: object) -> list[bytes]:
        return [self.data]


def answer(status: int, body: dict[str, Any]) -> AWSResponse:
    headers: Any = {}
    return AWSResponse("https://cognito", status, headers, Body(json.dumps(body).encode()))


def error(code: str, status: int = 400) -> AWSResponse:
    return answer(status, {"__type": code, "message": "arn:aws:iam::123456789012:user/x made up"})


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Answer some calls of an operation instead of the pool: `fault("ListUsers", {1: answer})`, counting from 0."""

    def plant(operation: str, answers: dict[int, AWSResponse | Exception] | AWSResponse | Exception) -> list[int]:
        calls: list[int] = []
        real = cognito.reader_client

        def before_send(**_: object) -> Any:
            calls.append(len(calls))
            found = answers.get(calls[-1]) if isinstance(answers, dict) else answers
            if isinstance(found, Exception):
                raise found
            return found

        def client() -> Any:
            api = real()
            api.meta.events.register_first(f"before-send.cognito-idp.{operation}", before_send)
            return api

        monkeypatch.setattr(cognito, "reader_client", client)
        return calls

    monkeypatch.setattr(reading, "PAUSE", 0.001)
    return plant


def test_everything_is_read_over_many_pages(pool: CognitoPool) -> None:
    pool.group("engineers", Description="They build", Precedence=5)
    for number in range(70):
        pool.group(f"group-{number:02}")
    subs = {pool.user(f"user-{number:03}", "engineers") for number in range(130)}
    found = read_pool()
    assert len(found.groups) == 71
    assert found.users.keys() == subs
    assert found.members["engineers"] == subs
    assert (found.groups["engineers"].description, found.groups["engineers"].precedence) == ("They build", 5)
    assert found.groups["engineers"].created_at is not None


def test_a_user_is_read_with_what_the_pages_show(pool: CognitoPool) -> None:
    sub = pool.user("grace")
    pool.api.admin_disable_user(UserPoolId=pool.id, Username="grace")
    user = read_pool().users[sub]
    assert (user.username, user.email, user.name, user.enabled) == ("grace", "grace@example.com", "Grace", False)
    assert user.status == "FORCE_CHANGE_PASSWORD"


def test_progress_is_told(pool: CognitoPool) -> None:
    pool.group("a")
    pool.user("grace", "a")
    told: list[tuple[int, int | None]] = []
    last: list[Reading] = []

    def tell(so_far: Reading) -> None:
        told.append((so_far.calls, so_far.expected_calls))
        last[:] = [so_far]

    read_pool(tell)
    assert [calls for calls, _ in told if calls] == [2, 3, 4]  # asking for the pool's size was the first
    assert told[-1][1] == 3
    assert (last[0].users, last[0].groups_read, last[0].memberships, last[0].users_read) == (1, 1, 1, True)


@pytest.mark.parametrize(
    "trouble",
    [error("TooManyRequestsException"), error("InternalErrorException", 500), ReadTimeoutError(endpoint_url="x")],
    ids=["throttled", "internal error", "no answer"],
)
def test_passing_trouble_is_waited_out(pool: CognitoPool, fault: Callable[..., list[int]], trouble: Any) -> None:
    pool.user("grace")
    calls = fault("ListUsers", {0: trouble, 1: trouble})
    assert len(read_pool().users) == 1
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("operation", "planted", "words"),
    [
        ("ListUsers", error("TooManyRequestsException"), "throttled"),
        ("ListUsers", error("AccessDeniedException"), "permission cognito-idp:ListUsers on"),
        ("ListGroups", error("AccessDeniedException"), "permission cognito-idp:ListGroups on"),
        ("ListUsersInGroup", error("AccessDeniedException"), "permission cognito-idp:ListUsersInGroup on"),
        ("ListUsers", error("ExpiredTokenException"), "expired"),
        ("ListGroups", error("UnrecognizedClientException"), "unknown. Renew"),
        ("ListGroups", error("InvalidSignatureException"), "the clock of this machine"),
        ("ListGroups", error("InvalidParameterException"), "Check COGNITO_USER_POOL_ID"),
        ("ListUsers", error("InternalErrorException", 500), "a problem of its own"),
        ("ListUsers", error("NewException"), "answered ListUsers with NewException"),
        ("ListGroups", error("ResourceNotFoundException"), "There is no user pool"),
        ("ListUsers", EndpointConnectionError(endpoint_url="https://x"), "cannot be reached"),
        ("ListUsers", ConnectTimeoutError(endpoint_url="https://x"), "cannot be reached"),
        ("ListUsers", ReadTimeoutError(endpoint_url="https://x"), "cannot be reached"),
        ("ListUsers", NoCredentialsError(), "No usable AWS credentials"),
        ("ListUsers", ProfileNotFound(profile="x"), "AWS_PROFILE"),
        ("ListUsers", answer(200, {"Users": [{"Username": "x"}]}), "lacks sub"),
    ],
)
def test_each_failure_says_what_to_do(
    operation: str,
    planted: Any,
    words: str,
    pool: CognitoPool,
    fault: Callable[..., list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "ATTEMPTS", 2)
    pool.group("a")
    pool.user("grace", "a")
    fault(operation, planted)
    with pytest.raises(CognitoError, match=words) as caught:
        read_pool()
    assert "arn:aws" not in str(caught.value)


def test_a_pool_that_is_not_there_is_named(pool: CognitoPool, settings: Any) -> None:
    settings.COGNITO_USER_POOL_ID = "eu-west-1_Missing"
    with pytest.raises(CognitoError, match="eu-west-1_Missing"):
        read_pool()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("COGNITO_ENDPOINT_URL", "no address", "COGNITO_ENDPOINT_URL .* is not a usable address"),
        ("COGNITO_USER_POOL_ID", "", "is no pool id"),
        ("AWS_REGION", "", "Set AWS_REGION"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    name: str, value: str, words: str, pool: CognitoPool, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    setattr(settings, name, value)
    with pytest.raises(CognitoError, match=words):
        read_pool()


def test_nobody_answers_at_the_address(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ATTEMPTS", 1)
    settings.COGNITO_ENDPOINT_URL = "http://127.0.0.1:9"
    with pytest.raises(CognitoError, match="cannot be reached"):
        read_pool()


def test_calls_have_bounded_waits_and_repetitions() -> None:
    config: Any = cognito.client().meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 8}
    assert "dialadmin" in config.user_agent_extra


def test_pages_are_asked_for_with_the_same_parameters(pool: CognitoPool, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(130):
        pool.user(f"user-{number}")
    real, bodies = cognito.reader_client, []

    def client() -> Any:
        api = real()
        api.meta.events.register_first(
            "before-send.cognito-idp.ListUsers", lambda request, **_: bodies.append(json.loads(request.body))
        )
        return api

    monkeypatch.setattr(cognito, "reader_client", client)
    read_pool()
    tokens = [body.pop("PaginationToken", None) for body in bodies]
    assert len(set(tokens)) == 3
    assert tokens[0] is None
    assert bodies == [{"UserPoolId": pool.id, "Limit": 60}] * 3


def test_a_name_longer_than_the_tables_hold_is_cut(pool: CognitoPool) -> None:
    sub = pool.user("grace")
    pool.api.admin_update_user_attributes(
        UserPoolId=pool.id, Username="grace", UserAttributes=[{"Name": "name", "Value": "G" * 2048}]
    )
    assert read_pool().users[sub].name == "G" * 255


def test_a_failure_in_the_middle_fails_the_whole(pool: CognitoPool, fault: Callable[..., list[int]]) -> None:
    for number in range(130):
        pool.user(f"user-{number}")
    fault("ListUsers", {1: error("AccessDeniedException")})
    with pytest.raises(CognitoError):
        read_pool()


def test_a_repeated_page_fails_instead_of_going_round_for_ever(
    pool: CognitoPool, fault: Callable[..., list[int]]
) -> None:
    fault("ListUsers", answer(200, {"Users": [], "PaginationToken": "again"}))
    with pytest.raises(CognitoError, match="a page twice"):
        read_pool()


def test_an_empty_page_is_not_the_end(pool: CognitoPool, fault: Callable[..., list[int]]) -> None:
    for number in range(5):
        pool.user(f"user-{number}")
    first = pool.api.list_users(UserPoolId=pool.id, Limit=2)
    fault("ListUsers", {0: answer(200, {"Users": [], "PaginationToken": first["PaginationToken"]})})
    assert len(read_pool().users) == 3  # what lies behind the made-up empty page


def test_a_group_deleted_between_two_calls_is_left_out(
    pool: CognitoPool, fault: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.group("stays")
    pool.group("goes")
    pool.user("grace", "stays", "goes")
    order = list(read_pool().groups)
    monkeypatch.setattr(reading, "WORKERS", 1)  # so that the calls come in this order
    fault("ListUsersInGroup", {order.index("goes"): error("ResourceNotFoundException")})
    found = read_pool()
    assert set(found.groups) == set(found.members) == {"stays"}


def test_a_pool_deleted_while_it_is_read_fails_the_whole(pool: CognitoPool, fault: Callable[..., list[int]]) -> None:
    pool.group("a")
    fault("ListUsersInGroup", error("ResourceNotFoundException"))
    fault("ListGroups", {1: error("ResourceNotFoundException")})
    with pytest.raises(CognitoError, match="There is no user pool"):
        read_pool()


def test_a_member_that_the_list_of_users_lacked_is_there_all_the_same(
    pool: CognitoPool, fault: Callable[..., list[int]]
) -> None:
    pool.group("a")
    sub = pool.user("grace", "a")
    fault("ListUsers", answer(200, {"Users": []}))
    assert set(read_pool().users) == {sub}
