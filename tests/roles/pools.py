"""Made-up pools: plain ones for the planner, and one behind moto that the real client reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from dialadmin.history.recorder import Actor
from roles import cognito
from roles.cognito import Pool, RemoteGroup, RemoteUser

TESTER = Actor.command("tests")
BORN = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)


def person(name: str, **facts: Any) -> RemoteUser:
    return replace(RemoteUser(f"sub-{name}", name, f"{name}@example.com", name.title(), True, "CONFIRMED", BORN), **facts)


def group(name: str, **facts: Any) -> RemoteGroup:
    return replace(RemoteGroup(name, f"The {name}", None, BORN), **facts)


def pool(members: Mapping[str, Iterable[str]], loners: Iterable[str] = ()) -> Pool:
    """A pool of these groups with these people in them, and of people in no group."""
    names = {name for people in members.values() for name in people} | set(loners)
    return Pool(
        {name: group(name) for name in members},
        {f"sub-{name}": person(name) for name in names},
        {name: frozenset(f"sub-{who}" for who in people) for name, people in members.items()},
    )


def without_person(remote: Pool, *names: str) -> Pool:
    subs = {f"sub-{name}" for name in names}
    return Pool(
        remote.groups,
        {sub: user for sub, user in remote.users.items() if sub not in subs},
        {name: people - subs for name, people in remote.members.items()},
    )


def without_group(remote: Pool, name: str) -> Pool:
    return Pool(
        {key: value for key, value in remote.groups.items() if key != name},
        remote.users,
        {key: value for key, value in remote.members.items() if key != name},
    )


def fill_cognito(members: Mapping[str, Iterable[str]], loners: Iterable[str] = ()) -> None:
    """Make the configured pool in moto. Call it under `mock_aws`, once; moto chooses the id, so it is overwritten."""
    api = cognito.client()
    pool_id = api.create_user_pool(PoolName="tests")["UserPool"]["Id"]
    for name in {name for people in members.values() for name in people} | set(loners):
        add_user(pool_id, name)
    for name, people in members.items():
        api.create_group(UserPoolId=pool_id, GroupName=name, Description=f"The {name}", Precedence=3)
        for who in people:
            api.admin_add_user_to_group(UserPoolId=pool_id, GroupName=name, Username=who)
    settings.COGNITO_USER_POOL_ID = pool_id


def add_user(pool_id: str, name: str) -> None:
    cognito.client().admin_create_user(
        UserPoolId=pool_id,
        Username=name,
        UserAttributes=[
            {"Name": "email", "Value": f"{name}@example.com"},
            {"Name": "given_name", "Value": name.title()},
            {"Name": "family_name", "Value": "Example"},
        ],
    )
