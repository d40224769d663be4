"""Planning is pure: the pool and the tables in, the difference out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.cognito import Pool, RemoteGroup, RemoteUser
from roles.sync import Local, Plan, plan, summary, too_many_removals

SUBS = st.sampled_from([f"sub-{letter}" for letter in "abcdef"])
NAMES = st.sampled_from(["analysts", "Analysts", "engineers", "équipe", "a/b"])


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    users = {sub: RemoteUser(sub, username=draw(st.sampled_from("xyz"))) for sub in draw(st.sets(SUBS))}
    groups = {name: RemoteGroup(name, description=draw(st.sampled_from(["", "d"]))) for name in draw(st.sets(NAMES))}
    members = {
        name: frozenset(draw(st.sets(st.sampled_from(sorted(users))))) if users else frozenset() for name in groups
    }
    return Pool(groups, users, members)


def local(pool: Pool) -> Local:
    return Local(pool.groups, pool.users, {name: subs for name, subs in pool.members.items() if subs})


def applied(difference: Plan, before: Local) -> Local:
    """What the tables say after a plan, by an evaluator of its own."""
    groups = {name: g for name, g in before.groups.items() if name not in difference.groups_gone}
    groups |= {g.name: g for g in (*difference.groups_added, *difference.groups_changed)}
    gone = {user.sub for user in difference.users_gone}
    users = {sub: user for sub, user in before.users.items() if sub not in gone}
    users |= {user.sub: user for user in (*difference.users_added, *(after for _, after in difference.users_changed))}
    pairs = {(name, sub) for name, subs in before.members.items() for sub in subs}
    pairs = (pairs | set(difference.memberships_added)) - set(difference.memberships_removed)
    members = {name: frozenset(s for n, s in pairs if n == name) for name, _ in pairs}
    return Local(groups, users, members)


@given(pools(), pools())
def test_a_plan_turns_the_tables_into_the_pool(one: Pool, other: Pool) -> None:
    assert applied(plan(other, local(one)), local(one)) == local(other)


@given(pools())
def test_an_unchanged_pool_needs_no_change(pool: Pool) -> None:
    assert plan(pool, local(pool)).empty


def test_a_group_of_another_case_is_another_group() -> None:
    difference = plan(Pool(groups={"A": RemoteGroup("A")}), Local(groups={"a": RemoteGroup("a")}))
    assert [group.name for group in difference.groups_added] == ["A"]
    assert difference.groups_gone == ("a",)


def test_a_username_used_again_is_another_person() -> None:
    difference = plan(Pool(users={"new": RemoteUser("new", "grace")}), Local(users={"old": RemoteUser("old", "grace")}))
    assert [user.sub for user in difference.users_added] == ["new"]
    assert [user.sub for user in difference.users_gone] == ["old"]


def test_a_group_made_again_under_its_old_name_is_noticed() -> None:
    old = RemoteGroup("a", created_at=datetime(2025, 1, 1, tzinfo=UTC))
    new = replace(old, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert plan(Pool(groups={"a": new}), Local(groups={"a": old})).groups_recreated == ("a",)
    described = replace(old, description="x")
    assert plan(Pool(groups={"a": described}), Local(groups={"a": old})).groups_recreated == ()


def people(count: int) -> dict[str, RemoteUser]:
    return {f"s{n}": RemoteUser(f"s{n}", f"u{n}") for n in range(count)}


@pytest.mark.parametrize(
    ("known", "left", "share", "stopped"),
    [
        (10, 8, 0.2, False),
        (10, 7, 0.2, True),
        (10, 0, 1.0, True),
        (0, 0, 0.2, False),
        (1, 0, 0.2, True),
        (10, 9, 0.0, True),
    ],
)
def test_removing_more_than_a_share_of_the_people_stops(known: int, left: int, share: float, stopped: bool) -> None:
    before = Local(users=people(known))
    difference = plan(Pool(users=people(left)), before)
    assert bool(too_many_removals(difference, before, share)) is stopped


def test_the_reason_names_each_kind_and_its_numbers() -> None:
    before = Local({"a": RemoteGroup("a")}, people(4), {"a": frozenset(people(4))})
    reason = too_many_removals(plan(Pool(), before), before, 0.2)
    assert reason == "It would remove 4 of 4 people and 1 of 1 groups and 4 of 4 memberships."


def test_the_summary_reads_as_words() -> None:
    difference = plan(Pool(users=people(1), groups={"a": RemoteGroup("a")}, members={"a": frozenset(["s0"])}), Local())
    assert summary(difference) == "1 group added, 1 user added, 1 membership added"
