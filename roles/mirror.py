"""The tables that mirror the pool: read as the planner takes them, and a plan written in few statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models import DateTimeField, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Greatest

from dialadmin.history.models import Entry
from roles import acts
from roles.models import Absence, Membership, Role, User
from roles.plan import Local, Plan
from roles.reading import RemoteGroup, RemoteUser

T = TypeVar("T")

BATCH = 500  # rows per statement that has them all in its text
MANY = 10_000  # rows per statement that is sent once and run for each row


def read_local(reading: tuple[datetime, datetime] | None = None) -> Local:
    """The tables as the planner takes them. Five queries. `reading`: from when to when the pool was read."""
    groups: dict[str, RemoteGroup] = {}
    names: dict[str, set[str]] = {Role.Pool.GONE: set(), Role.Pool.NONE: set()}
    role_names: dict[int, str] = {}
    for pk, name, pool, description, precedence, created_at in Role.objects.order_by().values_list(
        "pk", "name", "pool", "description", "precedence", "pool_created_at"
    ):
        role_names[pk] = name
        if pool == Role.Pool.PRESENT:
            groups[name] = RemoteGroup(name, description, precedence, created_at)
        else:
            names[pool].add(name)
    users: dict[str, RemoteUser] = {}
    gone_users: set[str] = set()
    subs: dict[int, str] = {}
    rows = User.objects.order_by().values_list(
        "pk", "gone_at", "sub", "username", "email", "name", "enabled", "status", "pool_created_at"
    )
    for pk, gone_at, *known in rows.iterator(MANY):
        user = RemoteUser._make(known)
        subs[pk] = user.sub
        if gone_at is None:
            users[user.sub] = user
        else:
            gone_users.add(user.sub)
    # By numbers: joining the names of 300,000 memberships costs more than everything else together.
    members: dict[int, set[str]] = {}
    current = Membership.objects.filter(until=None).order_by().values_list("role_id", "user_id")
    for role_id, user_id in current.iterator(MANY):
        members.setdefault(role_id, set()).add(subs[user_id])
    # Between the two, not merely after the first: a clock that was set back must not make old rows new.
    newer = Membership.objects.filter(Q(since__range=reading) | Q(until__range=reading)) if reading else current.none()
    made = Entry.objects.filter(act=acts.GROUP_CREATED.code)
    made = made.filter(at__range=reading) if reading else made.none()
    return Local(
        groups,
        users,
        {role_names[pk]: frozenset(held) for pk, held in members.items()},
        gone_groups=frozenset(names[Role.Pool.GONE]),
        gone_users=frozenset(gone_users),
        other_roles=frozenset(names[Role.Pool.NONE]),
        newer=frozenset(newer.values_list("role__name", "user__sub")),
        newer_groups=frozenset(made.values_list("target_name", flat=True)),
    )


def apply(plan: Plan, *, now: datetime) -> None:
    """Write a plan. Call it in a transaction. The number of statements grows by batches, not by rows."""
    _apply_groups(plan, now)
    _apply_users(plan, now)
    _apply_absences(now)
    if plan.memberships_added or plan.memberships_removed:
        roles = dict(Role.objects.order_by().values_list("name", "pk"))
        users = dict(User.objects.order_by().values_list("sub", "pk"))
        _close_memberships([(roles[name], users[sub]) for name, sub in plan.memberships_removed], now)
        _open_memberships(((roles[name], users[sub]) for name, sub in plan.memberships_added), now)


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
    columns = ("sub", "username", "email", "name", "enabled", "status", "pool_created_at")
    insert(User, columns, plan.users_added)
    touched = (*plan.users_returned, *(after for _, after in plan.users_changed))
    User.objects.bulk_create(
        [User(**dict(zip(columns, user, strict=True))) for user in touched],
        BATCH,
        update_conflicts=True,
        unique_fields=["sub"],
        update_fields=[*columns[1:], "gone_at"],
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
        rows = [(pk, kind.value, now) for pk in begun.order_by("pk").values_list("pk", flat=True)]
        insert(Absence, ("user_id", "kind", "since"), rows)
        ended.update(until=not_before("since", now))


def not_before(since: str, now: datetime) -> Greatest:
    """Now; but a clock that was set back must not end a thing before it began."""
    return Greatest(F(since), Value(now, DateTimeField()))


def _close_memberships(pairs: Sequence[tuple[int, int]], now: datetime) -> None:
    wanted = set(pairs)
    doomed: list[int] = []
    for roles in _batches(sorted({role for role, _ in pairs})):
        rows = Membership.objects.filter(until=None, role__in=roles).values_list("pk", "role_id", "user_id")
        doomed += [pk for pk, role, user in rows.iterator(MANY) if (role, user) in wanted]
    for ids in _batches(doomed):
        Membership.objects.filter(pk__in=ids).update(until=not_before("since", now))


def _open_memberships(pairs: Iterable[tuple[int, int]], now: datetime) -> None:
    insert(Membership, ("role_id", "user_id", "since"), ((role, user, now) for role, user in pairs))


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert new rows by the fastest way of the database: COPY on PostgreSQL, executemany on SQLite.

    `columns` are names of attributes; the others are left null.
    """
    fields = [next(field for field in model._meta.concrete_fields if field.attname == name) for name in columns]
    quoted = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({quoted}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        moments = [n for n, field in enumerate(fields) if isinstance(field, DateTimeField)]
        adapt = cache(connection.ops.adapt_datetimefield_value)  # most rows have the same moment

        def adapted() -> Iterator[list[Any]]:
            for row in rows:
                values = list(row)
                for n in moments:
                    values[n] = adapt(values[n])
                yield values

        prepared = adapted()
        statement = f"INSERT INTO {table} ({quoted}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608
        while batch := list(islice(prepared, MANY)):
            cursor.executemany(statement, batch)


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
