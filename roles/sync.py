"""One sync of the pool: read everything, plan (pure), judge the plan, apply it in one transaction.

A sync changes what we know of people. What Core is told (attachments, limits, the roles of API keys) it
never touches: a group that has gone keeps its role, marked gone, until somebody takes it away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import DateTimeField, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.timesince import timesince

from dialadmin.accounts.actions import lose_groups
from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Level
from dialadmin.history.recorder import Actor, Target, record
from roles import acts
from roles.cognito import CognitoError, Pool, Progress, RemoteGroup, RemoteUser, read_pool
from roles.models import Absence, Membership, Role, SyncRun, User

T = TypeVar("T")

logger = logging.getLogger(__name__)

# A run without a sign of life for this long is taken to be dead. One call of the API with all its repetitions
# takes at most about three minutes, so a run that lives gives a sign earlier.
STALE_AFTER = timedelta(minutes=10)
BEAT_EVERY = timedelta(seconds=5)
SHOWN = 300  # changes kept on the run for its page
BATCH = 500  # rows per statement

# --- The plan: plain data in, plain data out -------------------------------------------------------


@dataclass(frozen=True)
class Local:
    """What the tables say now: groups that are present by name, users that have not gone by sub, open memberships.

    `gone_groups` (names) and `gone_users` (subs) were known earlier: when they come back, they are the same rows
    again. `other_roles` are names that Core compares and that no group has borne so far.
    """

    groups: Mapping[str, RemoteGroup] = field(default_factory=dict)
    users: Mapping[str, RemoteUser] = field(default_factory=dict)
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gone_groups: frozenset[str] = frozenset()
    gone_users: frozenset[str] = frozenset()
    other_roles: frozenset[str] = frozenset()


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
    pairs_remote = {(group, sub) for group, subs in remote.members.items() for sub in subs}
    pairs_local = {(group, sub) for group, subs in local.members.items() for sub in subs}
    return Plan(
        groups_added=tuple(remote.groups[name] for name in new_groups if name not in local.gone_groups),
        groups_returned=tuple(remote.groups[name] for name in new_groups if name in local.gone_groups),
        groups_changed=_changed(remote.groups, local.groups),
        groups_gone=tuple(sorted(local.groups.keys() - remote.groups.keys())),
        users_added=tuple(remote.users[sub] for sub in new_users if sub not in local.gone_users),
        users_returned=tuple(remote.users[sub] for sub in new_users if sub in local.gone_users),
        users_changed=_changed(remote.users, local.users),
        users_gone=tuple(sorted(local.users.keys() - remote.users.keys())),
        memberships_added=tuple(sorted(pairs_remote - pairs_local)),
        memberships_removed=tuple(sorted(pairs_local - pairs_remote)),
        groups_joining_roles=frozenset(new_groups) & local.other_roles,
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
                f"Cognito answered that the pool has no {what}, but {len(known):,} are known. That is not believed. "
                f"Check COGNITO_USER_POOL_ID ({settings.COGNITO_USER_POOL_ID}) and AWS_REGION."
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


# --- The run: lock, read, judge, apply -------------------------------------------------------------


class AlreadyRunningError(Exception):
    """Another process is syncing; nothing was started. The text says which, and since when."""


class SyncRefusedError(Exception):
    """What was read must not be applied. The text is for people: why, and what to do."""


def run_sync(
    *,
    by: Actor,
    dry_run: bool = False,
    allow_removals: bool = False,
    seen: Mapping[str, int] | None = None,
    note: str = "",
    time_limit: timedelta | None = None,
    read: Callable[[Progress], Pool] = read_pool,
) -> SyncRun:
    """One sync. The run that it returns says what came of it, also when it failed or was stopped.

    `allow_removals` applies a plan that removes more than SYNC_MAX_REMOVAL_SHARE. With `seen`, the counts of a
    run that somebody looked at, that holds for no more removals than they saw. `time_limit` ends the reading.

    Nothing of the mirror is written before the pool is read to its end, and then everything in one transaction,
    with its history entry. Raises AlreadyRunningError when another sync is under way.
    """
    run = _start(by=by, dry_run=dry_run)
    try:
        remote = read(_pulse(run, time_limit))
        local = read_local()
        if reason := emptied(remote, local):
            raise SyncRefusedError(reason)
        _conclude(run, remote, local, by=by, allowed=allow_removals, seen=seen, note=note)
    except (CognitoError, SyncRefusedError) as error:
        logger.warning("sync %s failed: %s", run.pk, error, exc_info=error.__cause__)
        _fail(run, str(error), by=by)
    except Exception as error:
        logger.exception("sync %s failed unexpectedly", run.pk)
        _fail(run, f"It failed unexpectedly ({type(error).__name__}). The log has the details.", by=by)
    except BaseException:  # the command was interrupted: nobody has to wait for the run to grow stale
        _fail(run, "It was interrupted.", by=by)
        raise
    run.refresh_from_db()
    return run


def _conclude(
    run: SyncRun,
    remote: Pool,
    local: Local,
    *,
    by: Actor,
    allowed: bool,
    seen: Mapping[str, int] | None,
    note: str,
) -> None:
    """Judge what was read, and apply it if it may be: the rows, the run and history together or not at all."""
    difference = plan(remote, local)
    run.counts = {
        **difference.counts(),
        "users": len(remote.users),
        "groups": len(remote.groups),
        "memberships": sum(len(subs) for subs in remote.members.values()),
    }
    run.changes = list(islice(describe(difference, {**local.users, **remote.users}), SHOWN))
    too_much = excessive(difference, local, settings.SYNC_MAX_REMOVAL_SHARE)
    grown = seen is not None and any(len(getattr(difference, name)) > seen.get(name, 0) for name in REMOVALS)
    words = f"It would remove {' and '.join(map(str, too_much))}." if too_much else ""
    words += " That is more than what was allowed." if words and allowed and grown else ""
    with transaction.atomic():
        if run.dry_run:
            _finish(run, SyncRun.State.PREVIEW, words)
        elif words and (grown or not allowed):
            _finish(run, SyncRun.State.STOPPED, words)
            record(acts.SYNC_STOPPED, by=by, target=_target(run), after=difference.counts(), note=words)
        elif difference.empty:
            _finish(run, SyncRun.State.UNCHANGED)
        else:
            _finish(run, SyncRun.State.APPLIED)
            apply(difference, now=timezone.now())
            _take_levels(difference, by=by)
            text = ". ".join(filter(None, (summary(difference.counts()), note)))
            record(acts.SYNCED, by=by, target=_target(run), after=difference.counts(), note=text)


def _take_levels(plan: Plan, *, by: Actor) -> None:
    """Whoever left a group, was disabled or is gone loses the level of this dashboard that it gave, at once."""
    touched = (*plan.users_added, *plan.users_returned, *(after for _, after in plan.users_changed))
    absent = {*plan.users_gone, *(user.sub for user in touched if not user.enabled)}
    lost: dict[str, set[str]] = {}
    for name, sub in plan.memberships_removed:
        lost.setdefault(sub, set()).add(name)
    # Their tokens may have named groups that the pool does not know, so all of them is not what the tables say.
    for sub, groups in Staff.objects.exclude(level=Level.NONE).values_list("sub", "groups"):
        if sub in absent:
            lost[sub] = set(groups)
    if lost:
        lose_groups(lost=lost, by=by)


def _start(*, by: Actor, dry_run: bool) -> SyncRun:
    """The row of a new run, which is the lock: the database takes one running row only."""
    for dead in SyncRun.objects.filter(state=SyncRun.State.RUNNING, heartbeat_at__lt=timezone.now() - STALE_AFTER):
        silent = timesince(dead.heartbeat_at)
        _fail(dead, f"It gave no sign of life for {silent}; its process was probably killed.", by=by)
    try:
        with transaction.atomic():
            return SyncRun.objects.create(by=by.name[:255], dry_run=dry_run)
    except IntegrityError as error:
        other = SyncRun.objects.filter(state=SyncRun.State.RUNNING).first()
        which = (
            f"Sync {other.pk} of {other.by}, started {timesince(other.started_at)} ago," if other else "Another sync"
        )
        raise AlreadyRunningError(f"{which} is still running. Wait for it to end, then look at what it did.") from error


def _pulse(run: SyncRun, time_limit: timedelta | None) -> Progress:
    """A progress callback that gives a sign of life, and ends a reading that lasts too long or was given up on."""
    deadline = time.monotonic() + time_limit.total_seconds() if time_limit else None
    beaten = run.heartbeat_at

    def beat(what: str, count: int) -> None:
        nonlocal beaten
        if deadline is not None and time.monotonic() > deadline:
            raise SyncRefusedError(
                f"The pool is too large to be read while a page waits (reached {count:,} {what}). "
                "Run `manage.py sync_cognito` instead, by hand or from cron: it takes as long as it needs."
            )
        now = timezone.now()
        if now - beaten > BEAT_EVERY:
            beaten = now
            _update(run, heartbeat_at=now)

    return beat


def _update(run: SyncRun, **values: object) -> None:
    """Write to the row of a run, as long as it is ours: another process may have taken it for dead."""
    if not SyncRun.objects.filter(pk=run.pk, state=SyncRun.State.RUNNING).update(**values):
        raise SyncRefusedError("Another process took this run for dead and ended it.")


def _finish(run: SyncRun, state: SyncRun.State, error: str = "") -> None:
    _update(run, state=state, error=error, counts=run.counts, changes=run.changes, finished_at=timezone.now())


def _fail(run: SyncRun, error: str, *, by: Actor) -> None:
    with transaction.atomic():
        ended = SyncRun.objects.filter(pk=run.pk, state=SyncRun.State.RUNNING).update(
            state=SyncRun.State.FAILED, error=error, finished_at=timezone.now()
        )
        if ended:
            record(acts.SYNC_FAILED, by=by, target=_target(run), note=error)


def _target(run: SyncRun) -> Target:
    return Target("sync", str(run.pk), f"sync {run.pk}")


# --- The tables ------------------------------------------------------------------------------------


def read_local() -> Local:
    """The tables as the planner takes them. Three queries."""
    groups: dict[str, RemoteGroup] = {}
    names: dict[str, set[str]] = {Role.Pool.GONE: set(), Role.Pool.NONE: set()}
    for name, pool, description, precedence, created_at in Role.objects.values_list(
        "name", "pool", "description", "precedence", "pool_created_at"
    ):
        if pool == Role.Pool.PRESENT:
            groups[name] = RemoteGroup(name, description, precedence, created_at)
        else:
            names[pool].add(name)
    users: dict[str, RemoteUser] = {}
    gone_users: set[str] = set()
    for gone_at, sub, username, email, name, enabled, status, created_at in User.objects.values_list(
        "gone_at", "sub", "username", "email", "name", "enabled", "status", "pool_created_at"
    ):
        if gone_at is None:
            users[sub] = RemoteUser(sub, username, email, name, enabled, status, created_at)
        else:
            gone_users.add(sub)
    members: dict[str, set[str]] = {}
    for name, sub in Membership.objects.filter(until=None).values_list("role__name", "user__sub"):
        members.setdefault(name, set()).add(sub)
    return Local(
        groups,
        users,
        {name: frozenset(subs) for name, subs in members.items()},
        gone_groups=frozenset(names[Role.Pool.GONE]),
        gone_users=frozenset(gone_users),
        other_roles=frozenset(names[Role.Pool.NONE]),
    )


def apply(plan: Plan, *, now: datetime) -> None:
    """Write a plan. Call it in a transaction. The number of statements grows by batches, not by rows."""
    _apply_groups(plan, now)
    _apply_users(plan, now)
    _apply_absences(now)
    _close_memberships(plan.memberships_removed, now)
    _open_memberships(plan.memberships_added, now)


def _apply_groups(plan: Plan, now: datetime) -> None:
    touched = (*plan.groups_added, *plan.groups_returned, *(after for _, after in plan.groups_changed))
    Role.objects.bulk_create(
        [
            Role(
                name=group.name,
                pool=Role.Pool.PRESENT,
                description=group.description,
                precedence=group.precedence,
                pool_created_at=group.created_at,
            )
            for group in touched
        ],
        BATCH,
        update_conflicts=True,  # a role of this name may be there: from the settings, or from an earlier group
        unique_fields=["name"],
        update_fields=["pool", "description", "precedence", "pool_created_at", "gone_at"],
    )
    for names in _batches(plan.groups_gone):
        Role.objects.filter(name__in=names).update(pool=Role.Pool.GONE, gone_at=now)


def _apply_users(plan: Plan, now: datetime) -> None:
    touched = (*plan.users_added, *plan.users_returned, *(after for _, after in plan.users_changed))
    User.objects.bulk_create(
        [
            User(
                sub=user.sub,
                username=user.username,
                email=user.email,
                name=user.name,
                enabled=user.enabled,
                status=user.status,
                pool_created_at=user.created_at,
            )
            for user in touched
        ],
        BATCH,
        update_conflicts=True,
        unique_fields=["sub"],
        update_fields=["username", "email", "name", "enabled", "status", "pool_created_at", "gone_at"],
    )
    for subs in _batches(plan.users_gone):
        User.objects.filter(sub__in=subs).update(gone_at=now)


def _apply_absences(now: datetime) -> None:
    """Make the absences say what the users say. It also mends what an older sync left out."""
    away = {Absence.Kind.DISABLED: Q(enabled=False), Absence.Kind.GONE: Q(gone_at__isnull=False)}
    for kind, state in away.items():
        current = Absence.objects.filter(kind=kind, until=None)
        begun = User.objects.filter(state).exclude(Exists(current.filter(user=OuterRef("pk"))))
        ended = current.filter(user__in=User.objects.exclude(state))
        Absence.objects.bulk_create(
            [Absence(user_id=pk, kind=kind, since=now) for pk in begun.values_list("pk", flat=True)], BATCH
        )
        ended.update(until=_not_before("since", now))


def _not_before(since: str, now: datetime) -> Greatest:
    """Now; but a clock that was set back must not end a thing before it began."""
    return Greatest(F(since), Value(now, DateTimeField()))


def _close_memberships(pairs: Sequence[tuple[str, str]], now: datetime) -> None:
    wanted = set(pairs)
    doomed: list[int] = []
    for subs in _batches(sorted({sub for _, sub in pairs})):
        rows = Membership.objects.filter(until=None, user__sub__in=subs).values_list("pk", "role__name", "user__sub")
        doomed += [pk for pk, name, sub in rows if (name, sub) in wanted]
    for ids in _batches(doomed):
        Membership.objects.filter(pk__in=ids).update(until=_not_before("since", now))


def _open_memberships(pairs: Sequence[tuple[str, str]], now: datetime) -> None:
    roles: dict[str, int] = {}
    for names in _batches(sorted({name for name, _ in pairs})):
        roles |= dict(Role.objects.filter(name__in=names).values_list("name", "pk"))
    users: dict[str, int] = {}
    for subs in _batches(sorted({sub for _, sub in pairs})):
        users |= dict(User.objects.filter(sub__in=subs).values_list("sub", "pk"))
    Membership.objects.bulk_create(
        [Membership(role_id=roles[name], user_id=users[sub], since=now) for name, sub in pairs], BATCH
    )


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
