"""Reading the pool: whole, or not at all. Faults are put below the retries of the real client."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from roles import cognito
from roles.cognito import CognitoError, read_pool
from tests.roles.conftest import CognitoPool

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # inside moto


class Body:
    """The body of a made-up answer, as botocore reads it."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def stream(self, **_: object) -> list[bytes]:
        return [self.data]


def answer(status: int, body: dict[str, Any]) -> AWSResponse:
    return AWSResponse("https://cognito", status, {}, Body(json.dumps(body).encode()))


def error(code: str, status: int = 400) -> AWSResponse:
    return answer(status, {"__type": code, "message": "made up"})


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Answer some calls of an operation instead of the pool: `fault("ListUsers", {1: answer})`, counting from 0."""
    real = cognito.client

    def plant(operation: str, answers: dict[int, AWSResponse | Exception] | AWSResponse | Exception) -> list[int]:
        calls: list[int] = []

        def before_send(**_: object) -> AWSResponse | None:
            calls.append(len(calls))
            found = answers.get(calls[-1]) if isinstance(answers, dict) else answers
            if isinstance(found, Exception):
                raise found
            return found

        def client() -> Any:
            api = real()
            api.meta.events.register_first(f"before-send.cognito-idp.{operation}", before_send)
            return api

        monkeypatch.setattr(cognito, "client", client)
        return calls

    monkeypatch.setattr("time.sleep", lambda _: None)  # the pauses between retries
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
    told: list[tuple[str, int]] = []
    read_pool(lambda phase, count: told.append((phase, count)))
    assert told == [("groups", 1), ("users", 1), ("members", 1)]


def test_throttling_is_waited_out(pool: CognitoPool, fault: Callable[..., list[int]]) -> None:
    pool.user("grace")
    calls = fault("ListUsers", {0: error("TooManyRequestsException"), 1: error("TooManyRequestsException")})
    assert len(read_pool().users) == 1
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("operation", "planted", "words"),
    [
        ("ListUsers", error("TooManyRequestsException"), "throttled"),
        ("ListUsers", error("AccessDeniedException"), "cognito-idp:ListUsers"),
        ("ListGroups", error("AccessDeniedException"), "cognito-idp:ListGroups"),
        ("ListUsersInGroup", error("AccessDeniedException"), "cognito-idp:ListUsersInGroup"),
        ("ListUsers", error("ExpiredTokenException"), "expired"),
        ("ListUsers", error("InternalErrorException", 500), "InternalErrorException"),
        ("ListGroups", error("ResourceNotFoundException"), "There is no user pool"),
        ("ListUsers", EndpointConnectionError(endpoint_url="https://x"), "cannot be reached"),
        ("ListUsers", NoCredentialsError(), "No AWS credentials"),
    ],
)
def test_each_failure_says_what_to_do(
    operation: str, planted: Any, words: str, pool: CognitoPool, fault: Callable[..., list[int]]
) -> None:
    pool.group("a")
    pool.user("grace", "a")
    fault(operation, planted)
    with pytest.raises(CognitoError, match=words):
        read_pool()


def test_a_pool_that_is_not_there_is_named(pool: CognitoPool, settings: Any) -> None:
    settings.COGNITO_USER_POOL_ID = "eu-west-1_Missing"
    with pytest.raises(CognitoError, match="eu-west-1_Missing"):
        read_pool()


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
    with pytest.raises(CognitoError, match="repeated a page"):
        read_pool()


def test_an_empty_page_is_not_the_end(pool: CognitoPool, fault: Callable[..., list[int]]) -> None:
    for number in range(5):
        pool.user(f"user-{number}")
    first = pool.api.list_users(UserPoolId=pool.id, Limit=2)
    fault("ListUsers", {0: answer(200, {"Users": [], "PaginationToken": first["PaginationToken"]})})
    assert len(read_pool().users) == 3  # what lies behind the made-up empty page


def test_a_group_deleted_between_two_calls_is_left_out(pool: CognitoPool, fault: Callable[..., list[int]]) -> None:
    pool.group("stays")
    pool.group("goes")
    pool.user("grace", "stays", "goes")
    order = list(read_pool().groups)
    fault("ListUsersInGroup", {order.index("goes"): error("ResourceNotFoundException")})
    found = read_pool()
    assert set(found.groups) == set(found.members) == {"stays"}


def test_a_member_that_the_list_of_users_lacked_is_there_all_the_same(
    pool: CognitoPool, fault: Callable[..., list[int]]
) -> None:
    pool.group("a")
    sub = pool.user("grace", "a")
    fault("ListUsers", answer(200, {"Users": []}))
    assert set(read_pool().users) == {sub}
