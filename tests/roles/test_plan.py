"""Planning is pure: the pool and the tables in, the difference out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.plan import Local, Plan, describe, emptied, excessive, plan, recreated, summary
from roles.reading import Pool, RemoteGroup, RemoteUser

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
    groups |= {g.name: g for g in (*difference.groups_added, *difference.groups_returned)}
    groups |= {after.name: after for _, after in difference.groups_changed}
    users = {sub: user for sub, user in before.users.items() if sub not in difference.users_gone}
    users |= {user.sub: user for user in (*difference.users_added, *difference.users_returned)}
    users |= {after.sub: after for _, after in difference.users_changed}
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


@given(pools(), pools(), st.sets(st.tuples(NAMES, SUBS)))
def test_memberships_changed_after_the_reading_began_are_left_alone(
    one: Pool, other: Pool, newer: set[tuple[str, str]]
) -> None:
    ordinary = plan(other, local(one))
    careful = plan(other, replace(local(one), newer=frozenset(newer)))
    assert set(careful.memberships_added) == set(ordinary.memberships_added) - newer
    assert set(careful.memberships_removed) == set(ordinary.memberships_removed) - newer


def test_a_group_of_another_case_is_another_group() -> None:
    difference = plan(Pool(groups={"A": RemoteGroup("A")}), Local(groups={"a": RemoteGroup("a")}))
    assert [group.name for group in difference.groups_added] == ["A"]
    assert difference.groups_gone == ("a",)


def test_a_username_used_again_is_another_person() -> None:
    difference = plan(Pool(users={"new": RemoteUser("new", "grace")}), Local(users={"old": RemoteUser("old", "grace")}))
    assert [user.sub for user in difference.users_added] == ["new"]
    assert difference.users_gone == ("old",)


@given(pools(), pools(), st.sets(NAMES), st.sets(SUBS))
def test_what_returns_is_what_was_known_to_have_gone(
    one: Pool, other: Pool, gone_groups: set[str], gone_users: set[str]
) -> None:
    before = replace(
        local(one),
        gone_groups=frozenset(gone_groups - one.groups.keys()),
        gone_users=frozenset(gone_users - one.users.keys()),
    )
    difference = plan(other, before)
    assert {group.name for group in difference.groups_returned} == before.gone_groups & other.groups.keys()
    assert {user.sub for user in difference.users_returned} == before.gone_users & other.users.keys()
    assert not {group.name for group in difference.groups_added} & before.gone_groups
    assert not {user.sub for user in difference.users_added} & before.gone_users


@given(pools(), pools())
def test_every_change_is_described_once(one: Pool, other: Pool) -> None:
    difference = plan(other, local(one))
    lines = list(describe(difference, {**one.users, **other.users}))
    assert len(lines) == sum(difference.counts().values())
    assert len({tuple(line.values()) for line in lines}) == len(lines)


def test_a_group_made_again_under_its_old_name_is_noticed() -> None:
    old = RemoteGroup("a", created_at=datetime(2025, 1, 1, tzinfo=UTC))
    new = replace(old, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert recreated(old, new)
    assert not recreated(old, replace(old, description="x"))
    assert not recreated(replace(old, created_at=None), new)
    difference = plan(Pool(groups={"a": new}), Local(groups={"a": old}))
    assert [line["detail"] for line in describe(difference, {})] == ["deleted and made again under the same name"]


def test_a_group_that_takes_the_name_of_a_role_is_said() -> None:
    difference = plan(
        Pool(groups={"a": RemoteGroup("a"), "b": RemoteGroup("b")}), Local(other_roles=frozenset({"a", "c"}))
    )
    assert [(line["name"], line["detail"]) for line in describe(difference, {})] == [
        ("a", "its members join a role that was known before"),
        ("b", ""),
    ]


def test_changes_are_told_in_words() -> None:
    before = Local(
        {"a": RemoteGroup("a", "old", 3)},
        {"s": RemoteUser("s", "grace", "g@old.example", "Grace", True, "CONFIRMED")},
    )
    after = Pool(
        {"a": RemoteGroup("a", "new", None)}, {"s": RemoteUser("s", "grace", "", "Grace", False, "RESET_REQUIRED")}
    )
    assert [line["detail"] for line in describe(plan(after, before), after.users)] == [
        "description changed, precedence 3 → (none)",
        "disabled, email g@old.example → (none), status CONFIRMED → RESET_REQUIRED",
    ]


def people(count: int) -> dict[str, RemoteUser]:
    return {f"s{n}": RemoteUser(f"s{n}", f"u{n}") for n in range(count)}


@pytest.mark.parametrize(
    ("known", "left", "share", "stopped"),
    [
        (10, 8, 0.2, False),
        (10, 7, 0.2, True),
        (100, 71, 0.29, False),  # not exact in binary
        (100, 70, 0.29, True),
        (10, 0, 1.0, False),  # `emptied` refuses that
        (0, 0, 0.2, False),
        (1, 0, 0.2, True),
        (10, 9, 0.0, True),
    ],
)
def test_removing_more_than_a_share_of_the_people_stops(known: int, left: int, share: float, stopped: bool) -> None:
    before = Local(users=people(known))
    assert bool(excessive(plan(Pool(users=people(left)), before), before, share)) is stopped


def test_the_reason_names_each_kind_and_its_numbers() -> None:
    before = Local({"a": RemoteGroup("a"), "b": RemoteGroup("b")}, people(4), {"a": frozenset(people(4))})
    after = Pool({"b": RemoteGroup("b")}, people(1), {"b": frozenset()})
    reasons = [str(removal) for removal in excessive(plan(after, before), before, 0.2)]
    assert reasons == ["3 of 4 people (75%)", "1 of 2 groups (50%)", "4 of 4 memberships (100%)"]


@pytest.mark.parametrize(
    ("remote", "before", "words"),
    [
        (Pool(), Local(users=people(3)), "no people, but 3"),
        (Pool(users=people(1)), Local({"a": RemoteGroup("a")}, people(1)), "no groups, but 1"),
        (Pool(), Local(), ""),
        (Pool(users=people(1)), Local(), ""),
    ],
)
def test_a_pool_that_is_suddenly_empty_is_not_believed(remote: Pool, before: Local, words: str) -> None:
    reason = emptied(remote, before)
    assert words in reason
    assert bool(reason) is bool(words)


def test_the_summary_reads_as_words() -> None:
    difference = plan(Pool(users=people(1), groups={"a": RemoteGroup("a")}, members={"a": frozenset(["s0"])}), Local())
    assert summary(difference.counts()) == "1 group added, 1 user added, 1 membership added"
