"""One sync of the pool: read everything, plan (pure), check the plan, apply it in one transaction.

A sync changes what we know of people; what Core is told (attachments, limits) it never touches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from dialadmin.history.recorder import Actor, Target, record
from roles import acts
from roles.cognito import CognitoError, Pool, RemoteGroup, RemoteUser, read_pool
from roles.models import Membership, Role, SyncRun, User

STALE_AFTER = timedelta(minutes=10)  # a run without a heartbeat for this long is taken to be dead
SHOWN = 300  # changes kept on the run for its page
BATCH = 500


@dataclass(frozen=True)
class Local:
    """What the tables say now: groups that are present, users that have not gone, and who is in which group.

    `gone_*` are those known from before; when they come back, they are the same rows again.
    """

    groups: Mapping[str, RemoteGroup] = field(default_factory=dict)
    users: Mapping[str, RemoteUser] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The difference between the pool and the tables, ready to be applied."""

    groups_added: tuple[RemoteGroup, ...] = ()
    groups_changed: tuple[RemoteGroup, ...] = ()
    groups_recreated: tuple[str, ...] = ()  # among the changed: deleted and made again under the same name
    groups_gone: tuple[str, ...] = ()
    users_added: tuple[RemoteUser, ...] = ()
    users_changed: tuple[tuple[RemoteUser, RemoteUser], ...] = ()  # (before, after)
    users_gone: tuple[RemoteUser, ...] = ()
    memberships_added: tuple[tuple[str, str], ...] = ()  # (group, sub)
    memberships_removed: tuple[tuple[str, str], ...] = ()

    @property
    def empty(self) -> bool:
        return self == Plan()

    def counts(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in self.__dataclass_fields__ if getattr(self, name)}


def plan(remote: Pool, local: Local) -> Plan:
    """What has to change for the tables to say what the pool says. Pure; everything in a stable order."""
    groups_changed = [
        name for name in remote.groups if name in local.groups and remote.groups[name] != local.groups[name]
    ]
    users_changed = [sub for sub in remote.users if sub in local.users and remote.users[sub] != local.users[sub]]
    pairs_remote = {(group, sub) for group, subs in remote.members.items() for sub in subs}
    pairs_local = {(group, sub) for group, subs in local.members.items() for sub in subs}
    return Plan(
        groups_added=tuple(remote.groups[n] for n in sorted(remote.groups.keys() - local.groups.keys())),
        groups_changed=tuple(remote.groups[name] for name in sorted(groups_changed)),
        groups_recreated=tuple(
            name
            for name in sorted(groups_changed)
            if remote.groups[name].created_at != local.groups[name].created_at and local.groups[name].created_at
        ),
        groups_gone=tuple(sorted(local.groups.keys() - remote.groups.keys())),
        users_added=tuple(remote.users[s] for s in sorted(remote.users.keys() - local.users.keys())),
        users_changed=tuple((local.users[sub], remote.users[sub]) for sub in sorted(users_changed)),
        users_gone=tuple(local.users[s] for s in sorted(local.users.keys() - remote.users.keys())),
        memberships_added=tuple(sorted(pairs_remote - pairs_local)),
        memberships_removed=tuple(sorted(pairs_local - pairs_remote)),
    )


def too_many_removals(plan: Plan, local: Local, share: float) -> str:
    """Why this plan has to be looked at before it is applied, for people; empty when it is harmless.

    `share` is the largest part of the people, groups or memberships that may go at once. A pool that is
    suddenly without any people or groups is always stopped.
    """
    memberships = sum(len(subs) for subs in local.members.values())
    reasons = []
    for what, gone, known, always in (
        ("people", len(plan.users_gone), len(local.users), True),
        ("groups", len(plan.groups_gone), len(local.groups), True),
        ("memberships", len(plan.memberships_removed), memberships, False),
    ):
        if known and (gone > known * share or (always and gone == known)):
            reasons.append(f"{gone} of {known} {what}")
    return f"It would remove {' and '.join(reasons)}." if reasons else ""


def read_local() -> Local:
    """The tables as the planner takes them. Three queries."""
    groups = {
        role.name: RemoteGroup(role.name, role.description, role.precedence, role.pool_created_at)
        for role in Role.objects.filter(pool=Role.Pool.PRESENT)
    }
    users = {
        user.sub: RemoteUser(
            user.sub, user.username, user.email, user.name, user.enabled, user.status, user.pool_created_at
        )
        for user in User.objects.filter(gone_at=None)
    }
    members: dict[str, set[str]] = {}
    for name, sub in Membership.objects.filter(until=None).values_list("role__name", "user__sub"):
        members.setdefault(name, set()).add(sub)
    return Local(groups, users, {name: frozenset(subs) for name, subs in members.items()})


class AlreadyRunningError(Exception):
    """Another process is syncing; nothing was started."""


def run_sync(
    *,
    by: Actor,
    dry_run: bool = False,
    allow_removals: bool = False,
    read: Callable[[Callable[[str, int], None]], Pool] = read_pool,
) -> SyncRun:
    """One sync; the run says what came of it. Raises AlreadyRunningError when another is under way.

    Nothing is written to the mirror before the pool is read completely, and then in one transaction.
    """
    run = _start(by, dry_run)
    try:
        remote = read(lambda phase, count: _beat(run))
        local = read_local()
        difference = plan(remote, local)
        reason = "" if allow_removals else too_many_removals(difference, local, settings.SYNC_MAX_REMOVAL_SHARE)
        run.counts = {**difference.counts(), "users": len(remote.users), "groups": len(remote.groups)}
        run.changes = describe(difference)[:SHOWN]
        with transaction.atomic():
            if dry_run:
                run.state, run.error = SyncRun.State.PREVIEW, reason
            elif reason:
                run.state = SyncRun.State.STOPPED
                run.error = f"{reason} Nothing was changed. Look at the list; if it is right, allow the removals."
                record(acts.SYNC_STOPPED, by=by, target=_target(run), note=reason)
            elif difference.empty:
                run.state = SyncRun.State.UNCHANGED
            else:
                apply(difference)
                run.state = SyncRun.State.APPLIED
                record(acts.SYNCED, by=by, target=_target(run), after=difference.counts(), note=summary(difference))
            _finish(run)
    except Exception as error:
        run.state = SyncRun.State.FAILED
        run.error = (
            str(error) if isinstance(error, CognitoError) else f"It failed unexpectedly ({type(error).__name__})."
        )
        with transaction.atomic():
            record(acts.SYNC_FAILED, by=by, target=_target(run), note=run.error)
            _finish(run)
        if not isinstance(error, CognitoError):
            raise
    return run


def _start(by: Actor, dry_run: bool) -> SyncRun:
    stale = SyncRun.objects.filter(state=SyncRun.State.RUNNING, heartbeat_at__lt=timezone.now() - STALE_AFTER)
    stale.update(
        state=SyncRun.State.FAILED,
        finished_at=timezone.now(),
        error="It stopped without a word; the process was probably killed. Nothing was changed.",
    )
    try:
        with transaction.atomic():
            return SyncRun.objects.create(by=by.name, dry_run=dry_run)
    except IntegrityError as error:
        raise AlreadyRunningError(
            "A sync is running already. Wait for it to end; its page shows how far it is."
        ) from error


def _beat(run: SyncRun) -> None:
    now = timezone.now()
    if now - run.heartbeat_at > timedelta(seconds=5):
        run.heartbeat_at = now
        SyncRun.objects.filter(pk=run.pk).update(heartbeat_at=now)


def _finish(run: SyncRun) -> None:
    run.finished_at = timezone.now()
    run.save()


def _target(run: SyncRun) -> Target:
    return Target("sync", str(run.pk), f"sync {run.pk}")


def apply(plan: Plan, now: datetime | None = None) -> None:
    """Write a plan. Call it in a transaction. The number of statements grows by batches, not by rows."""
    now = now or timezone.now()
    _apply_groups(plan, now)
    _apply_users(plan, now)
    _apply_memberships(plan, now)


def _apply_groups(plan: Plan, now: datetime) -> None:
    touched = {group.name: group for group in (*plan.groups_added, *plan.groups_changed)}
    known = {role.name: role for role in Role.objects.filter(name__in=touched)} if touched else {}
    new: list[Role] = []
    changed: list[Role] = []
    for name, group in touched.items():
        role = known.get(name) or Role(name=name)
        role.pool, role.gone_at = Role.Pool.PRESENT, None
        role.description, role.precedence, role.pool_created_at = group.description, group.precedence, group.created_at
        (changed if role.pk else new).append(role)
    Role.objects.bulk_create(new, BATCH)
    Role.objects.bulk_update(changed, ["pool", "gone_at", "description", "precedence", "pool_created_at"], BATCH)
    for names in _batches(plan.groups_gone):
        Role.objects.filter(name__in=names).update(pool=Role.Pool.GONE, gone_at=now)


def _apply_users(plan: Plan, now: datetime) -> None:
    touched = {user.sub: user for user in (*plan.users_added, *(after for _, after in plan.users_changed))}
    known: dict[str, User] = {}
    for subs in _batches(tuple(touched)):
        known |= {user.sub: user for user in User.objects.filter(sub__in=subs)}
    new: list[User] = []
    changed: list[User] = []
    for sub, remote in touched.items():
        user = known.get(sub) or User(sub=sub)
        user.username, user.email, user.name = remote.username, remote.email, remote.name
        user.enabled, user.status = remote.enabled, remote.status
        user.pool_created_at, user.gone_at = remote.created_at, None
        (changed if user.pk else new).append(user)
    User.objects.bulk_create(new, BATCH)
    User.objects.bulk_update(
        changed, ["username", "email", "name", "enabled", "status", "pool_created_at", "gone_at"], BATCH
    )
    for subs in _batches(tuple(user.sub for user in plan.users_gone)):
        User.objects.filter(sub__in=subs).update(gone_at=now)


def _apply_memberships(plan: Plan, now: datetime) -> None:
    groups = {name for name, _ in (*plan.memberships_added, *plan.memberships_removed)}
    people = {sub for _, sub in (*plan.memberships_added, *plan.memberships_removed)}
    roles = dict(Role.objects.filter(name__in=groups).values_list("name", "pk")) if groups else {}
    users: dict[str, int] = {}
    for subs in _batches(tuple(sorted(people))):
        users |= dict(User.objects.filter(sub__in=subs).values_list("sub", "pk"))
    removed: dict[str, list[int]] = {}
    for name, sub in plan.memberships_removed:
        removed.setdefault(name, []).append(users[sub])
    for name, ids in removed.items():
        for batch in _batches(tuple(ids)):
            Membership.objects.filter(role_id=roles[name], user_id__in=batch, until=None).update(until=now)
    Membership.objects.bulk_create(
        [Membership(role_id=roles[name], user_id=users[sub], since=now) for name, sub in plan.memberships_added], BATCH
    )


def _batches(values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    return [values[start : start + BATCH] for start in range(0, len(values), BATCH)]


def summary(plan: Plan) -> str:
    """`3 users added, 1 membership removed`."""
    words = []
    for name, count in plan.counts().items():
        noun, verb = name.rsplit("_", 1)
        words.append(f"{count} {noun.removesuffix('s') if count == 1 else noun} {verb}")
    return ", ".join(words)


def describe(plan: Plan) -> list[dict[str, str]]:
    """The changes one by one: `{"state": added|changed|removed, "kind": …, "name": …, "detail": …}`."""
    names = {user.sub: label(user) for user in (*plan.users_added, *plan.users_gone)}
    names |= {after.sub: label(after) for _, after in plan.users_changed}
    everyone = {sub for _, sub in (*plan.memberships_added, *plan.memberships_removed)} - names.keys()
    for subs in _batches(tuple(sorted(everyone)[:SHOWN])):
        names |= {user.sub: str(user) for user in User.objects.filter(sub__in=subs)}

    def line(state: str, kind: str, name: str, detail: str = "") -> dict[str, str]:
        return {"state": state, "kind": kind, "name": name, "detail": detail}

    return [
        *(
            line("removed", "group", name, "gone from the pool; its attachments and limits stay")
            for name in plan.groups_gone
        ),
        *(line("removed", "user", label(user), "gone from the pool") for user in plan.users_gone),
        *(
            line("removed", "membership", names.get(sub, sub), f"no longer in {group}")
            for group, sub in plan.memberships_removed
        ),
        *(line("added", "group", group.name) for group in plan.groups_added),
        *(
            line(
                "changed",
                "group",
                group.name,
                "deleted and made again under the same name" if group.name in plan.groups_recreated else "",
            )
            for group in plan.groups_changed
        ),
        *(line("added", "user", label(user)) for user in plan.users_added),
        *(line("changed", "user", label(after), differences(before, after)) for before, after in plan.users_changed),
        *(line("added", "membership", names.get(sub, sub), f"in {group}") for group, sub in plan.memberships_added),
    ]


def label(user: RemoteUser) -> str:
    return user.name or user.email or user.username


def differences(before: RemoteUser, after: RemoteUser) -> str:
    """`email a@x → b@x, disabled`."""
    words = []
    if before.enabled != after.enabled:
        words.append("enabled" if after.enabled else "disabled")
    for name in ("username", "email", "name", "status"):
        if getattr(before, name) != getattr(after, name):
            words.append(f"{name} {getattr(before, name) or '(none)'} → {getattr(after, name) or '(none)'}")
    return ", ".join(words)
