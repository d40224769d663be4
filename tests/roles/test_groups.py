"""Groups changed from here: the pool first, then the mirror and history; a failure says which of both happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from django.db import DatabaseError
from django.utils import timezone

from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Permission
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from roles import actions, cognito, groups, mirror, sync
from roles.actions import GroupChangeError, add_member, create_group, remove_member
from roles.models import Membership, Role, User
from roles.plan import plan
from roles.reading import Pool, RemoteGroup
from tests.roles.conftest import CognitoPool

pytestmark = pytest.mark.django_db
BY = Actor("sub-ada", "Ada")
WHY: Any = {"reason": "asked for by her manager", "by": BY}


@pytest.fixture
def known(pool: CognitoPool) -> CognitoPool:
    """A pool with Grace among the analysts, mirrored."""
    for name in ("analysts", "engineers", "dial-publishers"):
        pool.group(name)
    pool.user("grace", "analysts")
    synced()
    return pool


def synced() -> str:
    return sync.run_sync(by=Actor.command("tests")).state


def grace() -> User:
    return User.objects.get(username="grace")


def role(name: str) -> Role:
    return Role.objects.get_or_create(name=name)[0]


def in_pool(pool: CognitoPool, name: str) -> set[str]:
    found = pool.api.list_users_in_group(UserPoolId=pool.id, GroupName=name)["Users"]
    return {user["Username"] for user in found}


def in_mirror(name: str) -> set[str]:
    return set(Membership.objects.filter(until=None, role__name=name).values_list("user__username", flat=True))


def history() -> list[str]:
    return [str(entry.sentence) for entry in Entry.objects.filter(act__startswith="group.").order_by("pk")]


# --- what is done ----------------------------------------------------------------------------------------


def test_a_person_goes_into_a_group_of_the_pool_and_of_the_mirror(known: CognitoPool) -> None:
    assert add_member(user=grace(), role=role("engineers"), **WHY)
    assert in_pool(known, "engineers") == in_mirror("engineers") == {"grace"}
    assert history() == ["put Grace into the group engineers: asked for by her manager"]
    entry = Entry.objects.get(act="group.user-added")
    assert (entry.actor_name, entry.target_kind, entry.target_id) == ("Ada", "user", str(grace().pk))
    assert synced() == "unchanged"


def test_a_person_goes_out_again_and_the_membership_is_closed_not_deleted(known: CognitoPool) -> None:
    assert remove_member(user=grace(), role=role("analysts"), **WHY)
    assert in_pool(known, "analysts") == in_mirror("analysts") == set()
    assert Membership.objects.get().until is not None
    assert history() == ["took Grace out of the group analysts: asked for by her manager"]
    assert synced() == "unchanged"


def test_a_role_gets_its_group(known: CognitoPool) -> None:
    made = role("planners")
    create_group(role=made, **WHY)
    made.refresh_from_db()
    assert (made.pool, made.gone_at) == ("present", None)
    assert history() == ["created the group planners in the pool: asked for by her manager"]
    assert synced() == "unchanged"
    add_member(user=grace(), role=made, **WHY)
    assert in_pool(known, "planners") == {"grace"}


def test_a_group_that_went_is_made_again(known: CognitoPool) -> None:
    known.api.delete_group(UserPoolId=known.id, GroupName="engineers")
    sync.run_sync(by=Actor.command("tests"), allow_removals=True)
    assert role("engineers").pool == "gone"
    create_group(role=role("engineers"), **WHY)
    assert role("engineers").pool == "present"
    assert synced() == "unchanged"


def test_doing_it_twice_is_no_error(known: CognitoPool) -> None:
    add_member(user=grace(), role=role("engineers"), **WHY)
    assert not add_member(user=grace(), role=role("engineers"), **WHY)
    assert in_mirror("engineers") == {"grace"}
    assert remove_member(user=grace(), role=role("engineers"), **WHY)
    assert not remove_member(user=grace(), role=role("engineers"), **WHY)
    assert len(history()) == 4  # the pool was asked four times


def test_who_leaves_a_level_loses_it_at_once(known: CognitoPool, ada: Staff) -> None:
    add_member(user=grace(), role=role("dial-publishers"), **WHY)
    staff = Staff.objects.create(
        sub=grace().sub, username="grace", level="publisher", groups=["dial-publishers", "analysts"]
    )
    remove_member(user=grace(), role=role("dial-publishers"), **WHY)
    staff.refresh_from_db()
    assert (staff.level, staff.groups) == ("none", ["analysts"])


def test_somebody_else_of_the_same_user_name_is_not_meant(known: CognitoPool) -> None:
    """User names are given again after a deletion; the mirror may not know yet."""
    known.api.admin_delete_user(UserPoolId=known.id, Username="grace")
    known.user("grace")
    with pytest.raises(GroupChangeError, match=r"no longer in the pool.*Nothing was changed") as raised:
        add_member(user=grace(), role=role("engineers"), **WHY)
    assert raised.value.in_pool is False
    assert in_pool(known, "engineers") == set()


# --- what is refused before the pool is asked -----------------------------------------------------------


def no_call() -> Any:
    raise AssertionError("the pool was asked")


@pytest.mark.parametrize(
    ("name", "pool_state", "problem"),
    [
        ("{pool}_Okta", "present", "keeps this group for the identity provider Okta"),
        ("reporters", "none", "reporters is no group of the pool"),
        ("left", "gone", "left is no group of the pool"),
    ],
)
def test_such_groups_are_not_changed(
    known: CognitoPool, name: str, pool_state: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Role.objects.create(name=name.format(pool=known.id), pool=pool_state)
    monkeypatch.setattr(cognito, "administration", no_call)
    for change in (add_member, remove_member):
        with pytest.raises(GroupChangeError, match=rf"{problem}.*Nothing was changed") as raised:
            change(user=grace(), role=group, **WHY)
        assert raised.value.in_pool is False
    assert history() == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("analysts", "is a group of the pool already"),
        ("default", "nobody's group"),
        ("two words", "Cognito takes no such name"),
        ("x" * 129, "Cognito takes no such name"),
        ("{pool}_Okta", "identity provider Okta"),
    ],
)
def test_such_groups_are_not_created(
    known: CognitoPool, name: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cognito, "administration", no_call)
    with pytest.raises(GroupChangeError, match=problem):
        create_group(role=role(name.format(pool=known.id)), **WHY)


def test_nobody_gives_a_level_to_themselves(known: CognitoPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cognito, "administration", no_call)
    with pytest.raises(GroupChangeError, match="nobody gives one to themselves"):
        add_member(user=grace(), role=role("dial-publishers"), reason="", by=Actor(grace().sub, "Grace"))


def test_whoever_has_gone_is_left_alone(known: CognitoPool) -> None:
    User.objects.update(gone_at=timezone.now())
    for change in (add_member, remove_member):
        with pytest.raises(GroupChangeError, match="Grace has gone from the pool"):
            change(user=grace(), role=role("engineers"), **WHY)


def test_the_groups_of_levels_take_the_highest_permission() -> None:
    assert [groups.permission(name) for name in ("analysts", "dial-auditors", "dial-publishers")] == [
        Permission.EDIT, Permission.RELEASE, Permission.RELEASE,
    ]  # fmt: skip


# --- what fails ------------------------------------------------------------------------------------------


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make Cognito answer one operation with an error, after the real retries."""

    def answer(operation: str, code: str, status: int = 400) -> None:
        body = f'{{"__type": "{code}", "message": "no"}}'.encode()

        class Raw:
            def stream(self, **_: Any) -> Any:
                yield body

        def send(**_: Any) -> Any:
            return AWSResponse("https://cognito", status, HTTPHeaders(), Raw())

        def client() -> Any:
            api = cognito._client(cognito._session(), retries={"mode": "standard", "total_max_attempts": 1})
            api.meta.events.register_first(f"before-send.cognito-identity-provider.{operation}", send)
            return api

        monkeypatch.setattr(cognito, "client", client)

    return answer


@pytest.mark.parametrize(
    ("code", "status", "words", "happened"),
    [
        ("AccessDeniedException", 400, "permission cognito-idp:AdminAddUserToGroup.*Nothing was changed", False),
        ("NotAuthorizedException", 400, "permission cognito-idp:AdminAddUserToGroup", False),
        ("UserNotFoundException", 400, "The person is no longer in the pool. Nothing was changed", False),
        ("ResourceNotFoundException", 400, "has no group engineers any more. Nothing was changed", False),
        ("TooManyRequestsException", 400, "throttled the call.*Nothing was changed", False),
        ("InvalidParameterException", 400, "Cognito refused AdminAddUserToGroup: no. Nothing was changed", False),
        ("InternalErrorException", 500, "not known whether it made the change", None),
    ],
)
def test_what_the_pool_refuses_is_said(
    known: CognitoPool, answering: Callable[..., None], code: str, status: int, words: str, happened: bool | None
) -> None:
    answering("AdminAddUserToGroup", code, status)
    with pytest.raises(GroupChangeError, match=words) as raised:
        add_member(user=grace(), role=role("engineers"), **WHY)
    assert raised.value.in_pool is happened
    assert in_mirror("engineers") == set()
    assert history() == []


def test_each_missing_permission_is_named(known: CognitoPool, answering: Callable[..., None]) -> None:
    answering("AdminRemoveUserFromGroup", "AccessDeniedException")
    with pytest.raises(GroupChangeError, match="cognito-idp:AdminRemoveUserFromGroup"):
        remove_member(user=grace(), role=role("analysts"), **WHY)
    answering("CreateGroup", "AccessDeniedException")
    with pytest.raises(GroupChangeError, match="cognito-idp:CreateGroup"):
        create_group(role=role("planners"), **WHY)
    assert in_mirror("analysts") == {"grace"}
    assert role("planners").pool == "none"


def test_a_cut_connection_leaves_it_open_what_happened(known: CognitoPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cognito, "ATTEMPTS", 1)
    with monkeypatch.context() as patch:
        patch.setattr(actions, "_username", lambda user: "grace")
        patch.setattr("botocore.httpsession.URLLib3Session.send", _cut)
        patch.setattr("moto.core.botocore_stubber.BotocoreStubber.__call__", lambda *_, **__: None)
        with pytest.raises(GroupChangeError, match="not known whether it made the change") as raised:
            add_member(user=grace(), role=role("engineers"), **WHY)
    assert raised.value.in_pool is None


def _cut(*_: Any) -> Any:
    from botocore.exceptions import ReadTimeoutError

    raise ReadTimeoutError(endpoint_url="https://cognito")


def test_a_group_that_somebody_made_in_the_console_comes_with_a_sync(known: CognitoPool) -> None:
    known.group("planners")
    with pytest.raises(GroupChangeError, match=r"has a group of this name already.*Sync to bring it in"):
        create_group(role=role("planners"), **WHY)
    assert role("planners").pool == "none"
    synced()
    assert role("planners").pool == "present"


def test_when_the_mirror_fails_it_says_that_the_pool_has_it(
    known: CognitoPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(actions, "record", fail)
        with pytest.raises(GroupChangeError, match=r"In the pool Grace is in engineers, but .*next sync") as raised:
            add_member(user=grace(), role=role("engineers"), **WHY)
    assert raised.value.in_pool is True
    assert in_pool(known, "engineers") == {"grace"}
    assert in_mirror("engineers") == set()
    assert synced() == "applied"
    assert in_mirror("engineers") == {"grace"}


# --- beside a sync ---------------------------------------------------------------------------------------


def test_a_sync_that_read_the_pool_before_takes_nothing_back(known: CognitoPool) -> None:
    """Its reading knows neither the new group nor who is in it."""
    before = cognito.read_pool()

    def read(*_: Any, **__: Any) -> Pool:
        create_group(role=role("planners"), **WHY)
        add_member(user=grace(), role=role("planners"), **WHY)
        remove_member(user=grace(), role=role("analysts"), **WHY)
        return before

    run = sync.run_sync(by=Actor.command("tests"), read=read)
    assert run.state == "unchanged", run.changes
    assert role("planners").pool == "present"
    assert in_mirror("planners") == {"grace"}
    assert in_mirror("analysts") == set()
    assert synced() == "unchanged"


def test_a_group_made_long_ago_may_go(known: CognitoPool) -> None:
    create_group(role=role("planners"), **WHY)
    later = timezone.now()
    local = mirror.read_local((later, later))
    assert plan(Pool({"analysts": RemoteGroup("analysts")}, {}, {}), local).groups_gone == (
        "dial-publishers", "engineers", "planners",
    )  # fmt: skip
