"""The plan of a sync: the pool and the tables in, the difference out; and what speaks against it.

Pure: plain data, no database, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from roles.reading import Pool, RemoteGroup, RemoteUser

T = TypeVar("T")


@dataclass(frozen=True)
class Local:
    """What the tables say now: groups that are present by name, users that have not gone by sub, open memberships.

    `gone_groups` (names) and `gone_users` (subs) were known earlier: when they come back, they are the same rows
    again. `other_roles` are names that Core compares and that no group has borne so far. `newer` are memberships
    (group, sub) that somebody changed here and in the pool after its reading began, and `newer_groups` the groups that
    somebody made: the reading knows nothing of them.
    """

    groups: Mapping[str, RemoteGroup] = field(default_factory=dict)
    users: Mapping[str, RemoteUser] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gone_groups: frozenset[str] = frozenset()
    gone_users: frozenset[str] = frozenset()
    other_roles: frozenset[str] = frozenset()
    newer: frozenset[tuple[str, str]] = frozenset()
    newer_groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """The difference between the pool and the tables, ready to be applied. Memberships are (group, sub)."""

    groups_added: tuple[RemoteGroup, ...] = ()
    groups_returned: tuple[RemoteGroup, ...] = ()
    groups_changed: tuple[tuple[RemoteGroup, RemoteGroup], ...] = ()  # (before, after)
    groups_gone: tuple[str, ...] = ()
    users_added: tuple[RemoteUser, ...] = ()
    users_returned: tuple[RemoteUser, ...] = ()
    users_changed: tuple[tuple[RemoteUser, RemoteUser], ...] = ()  # (before, after)
    users_gone: tuple[str, ...] = ()
    memberships_added: tuple[tuple[str, str], ...] = ()
    memberships_removed: tuple[tuple[str, str], ...] = ()
    # Among the groups added: names that were roles before, of API keys or of the settings.
    groups_joining_roles: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        return not self.counts()

    def counts(self) -> dict[str, int]:
        """How many of each kind of change, where there are any: `{"users_added": 3}`."""
        sizes = {name: len(getattr(self, name)) for name in COUNTED}
        return {name: size for name, size in sizes.items() if size}


COUNTED = tuple(name for name in Plan.__dataclass_fields__ if name != "groups_joining_roles")
REMOVALS = {"users_gone": "people", "groups_gone": "groups", "memberships_removed": "memberships"}


def plan(remote: Pool, local: Local) -> Plan:
    """What has to change for the tables to say what the pool says. Everything in a stable order."""
    new_groups = sorted(remote.groups.keys() - local.groups.keys())
    new_users = sorted(remote.users.keys() - local.users.keys())
    return Plan(
        groups_added=tuple(remote.groups[name] for name in new_groups if name not in local.gone_groups),
        groups_returned=tuple(remote.groups[name] for name in new_groups if name in local.gone_groups),
        groups_changed=_changed(remote.groups, local.groups),
        groups_gone=tuple(sorted(local.groups.keys() - remote.groups.keys() - local.newer_groups)),
        users_added=tuple(remote.users[sub] for sub in new_users if sub not in local.gone_users),
        users_returned=tuple(remote.users[sub] for sub in new_users if sub in local.gone_users),
        users_changed=_changed(remote.users, local.users),
        users_gone=tuple(sorted(local.users.keys() - remote.users.keys())),
        memberships_added=_missing(remote.members, local.members, local.newer),
        memberships_removed=_missing(local.members, remote.members, local.newer),
        groups_joining_roles=frozenset(new_groups) & local.other_roles,
    )


def _missing(
    there: Mapping[str, frozenset[str]], here: Mapping[str, frozenset[str]], ignored: frozenset[tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """The memberships of `there` that `here` lacks, group by group: what is the same costs only the comparison."""
    return tuple(
        (name, sub)
        for name in sorted(there)
        for sub in sorted(there[name] - here.get(name, frozenset()))
        if (name, sub) not in ignored
    )


def _changed(remote: Mapping[str, T], local: Mapping[str, T]) -> tuple[tuple[T, T], ...]:
    return tuple((local[key], remote[key]) for key in sorted(remote.keys() & local.keys()) if local[key] != remote[key])


@dataclass(frozen=True)
class Removal:
    """How many of the people, groups or memberships that we know would go."""

    what: str
    gone: int
    known: int

    def __str__(self) -> str:
        return f"{self.gone:,} of {self.known:,} {self.what} ({self.gone / self.known:.0%})"


def excessive(plan: Plan, local: Local, share: float) -> list[Removal]:
    """The removals of this plan that are more than `share` (0 to 1) of what we know."""
    known = {
        "people": len(local.users),
        "groups": len(local.groups),
        "memberships": sum(len(subs) for subs in local.members.values()),
    }
    removals = [Removal(what, len(getattr(plan, name)), known[what]) for name, what in REMOVALS.items()]
    return [removal for removal in removals if removal.known and removal.gone / removal.known > share]


def emptied(remote: Pool, local: Local) -> str:
    """Why this answer is not believed, for people; "" when it may be.

    A pool without any people, or without any group, is a wrong pool or a half-read one far more often than a
    decision, and nobody can allow it.
    """
    for what, there, known in (("people", remote.users, local.users), ("groups", remote.groups, local.groups)):
        if known and not there:
            return (
                f"Cognito answered that the pool has no {what}, but {len(known):,} are known. That is not believed, "
                "and nobody can allow it. Check COGNITO_USER_POOL_ID and AWS_REGION."
            )
    return ""


def summary(counts: Mapping[str, int]) -> str:
    """`3 users added, 1 membership removed`, of the counts of a plan."""
    words = []
    for name in COUNTED:
        if count := counts.get(name, 0):
            noun, verb = name.rsplit("_", 1)
            words.append(f"{count:,} {noun.removesuffix('s') if count == 1 else noun} {verb}")
    return ", ".join(words)


Change = dict[str, str]


def describe(plan: Plan, people: Mapping[str, RemoteUser]) -> Iterator[Change]:
    """The changes one by one, what is lost first.

    Each is `{"state": added|changed|removed, "kind": group|user|membership, "name", "detail", "key"}`; `key` is the
    name of the group, or the sub of the user, whom the change is about. `people` names them by sub.
    """

    def label(sub: str) -> str:
        user = people.get(sub)
        return (user.name or user.email or user.username) if user else sub

    def line(state: str, kind: str, key: str, detail: str = "") -> Change:
        return {
            "state": state,
            "kind": kind,
            "name": key if kind == "group" else label(key),
            "detail": detail,
            "key": key,
        }

    for name in plan.groups_gone:
        yield line("removed", "group", name, "gone from the pool; attachments and limits stay as they are")
    for sub in plan.users_gone:
        yield line("removed", "user", sub, "gone from the pool")
    for name, sub in plan.memberships_removed:
        yield line("removed", "membership", sub, f"no longer in {name}")
    for group in plan.groups_added:
        joining = group.name in plan.groups_joining_roles
        yield line("added", "group", group.name, "its members join a role that was known before" if joining else "")
    for group in plan.groups_returned:
        yield line("added", "group", group.name, "back in the pool; its attachments and limits hold again")
    for before, after in plan.groups_changed:
        yield line("changed", "group", after.name, _group_differences(before, after))
    for user in plan.users_added:
        yield line("added", "user", user.sub, "" if user.enabled else "disabled")
    for user in plan.users_returned:
        yield line("added", "user", user.sub, "back in the pool")
    for was, now in plan.users_changed:
        yield line("changed", "user", now.sub, _user_differences(was, now))
    for name, sub in plan.memberships_added:
        yield line("added", "membership", sub, f"in {name}")


def recreated(before: RemoteGroup, after: RemoteGroup) -> bool:
    """Whether the group was deleted and made again under its name: Cognito knows no other way to a new date."""
    return before.created_at is not None and before.created_at != after.created_at


def _group_differences(before: RemoteGroup, after: RemoteGroup) -> str:
    words = ["deleted and made again under the same name"] if recreated(before, after) else []
    if before.description != after.description:
        words.append("description changed")
    if before.precedence != after.precedence:
        words.append(f"precedence {_or_none(before.precedence)} → {_or_none(after.precedence)}")
    return ", ".join(words)


def _user_differences(before: RemoteUser, after: RemoteUser) -> str:
    words = []
    if before.enabled != after.enabled:
        words.append("enabled" if after.enabled else "disabled")
    for name in ("username", "email", "name", "status"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            words.append(f"{name} {_or_none(old)} → {_or_none(new)}")
    return ", ".join(words)


def _or_none(value: object) -> object:
    return "(none)" if value in ("", None) else value
