"""Which groups are changed from here, and by whom. The calls to the pool and the rows are those of `actions`."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

from dialadmin.accounts.permissions import Level, Permission, groups_of, level_of
from dialadmin.history.models import Entry
from roles import acts
from roles.cognito import provider_prefix
from roles.models import Membership, Role, User
from roles.provision import GROUP

DEFAULT = "default"  # of everyone, for Core (core-semantics 3)


def permission(name: str) -> Permission:
    """What it takes to change this group. One that gives a level of this dashboard is the highest's to change."""
    return Permission.EDIT if level_of([name]) == Level.NONE else Permission.RELEASE


def creation_problem(role: Role) -> str:
    """Why no group is made for this role, for people; "" when it may be."""
    if role.pool == Role.Pool.PRESENT:
        return f"{role.name} is a group of the pool already."
    if role.name == DEFAULT:
        return "default is Core's name for what holds where no other limit does; it is nobody's group."
    if not GROUP.match(role.name):
        return f"Cognito takes no such name: 1 to 128 characters without spaces. “{role.name}” can stay a role."
    return _made_for_provider(role.name)


def change_problem(role: Role) -> str:
    """Why nobody is put into this group, or taken out of it, from here; "" when they may be."""
    if role.pool != Role.Pool.PRESENT:
        return f"{role.name} is no group of the pool."
    return _made_for_provider(role.name)


def _made_for_provider(name: str) -> str:
    prefix = provider_prefix()
    if not name.startswith(prefix):
        return ""
    provider = name.removeprefix(prefix)
    return (
        f"Cognito keeps this group for the identity provider {provider}: whoever signs in through it is put in again. "
        f"Change the person there, or use another group."
    )


def addition_problem(user: User, role: Role, by_id: str) -> str:
    """Why this person is not put into this group by whoever has this id (a sub); "" when they may be."""
    if user.gone_at is not None:
        return f"{user} has gone from the pool."
    if user.sub == by_id and level_of([role.name]) != Level.NONE:
        return f"{role.name} gives a level of this dashboard, and nobody gives one to themselves. Ask another."
    return change_problem(role)


def removal_problem(user: User, role: Role) -> str:
    """Why this person is not taken out of this group; "" when they may be."""
    return f"{user} has gone from the pool." if user.gone_at is not None else change_problem(role)


def is_last_publisher(user: User, role: Role) -> bool:
    """Whether, with this person out of this group, nobody who can sign in is in a publishers' group. One query."""
    publishers = groups_of(Level.PUBLISHER)
    if role.name not in publishers:
        return False
    held = Membership.objects.filter(
        until=None, role__name__in=publishers, role__pool=Role.Pool.PRESENT, user__enabled=True, user__gone_at=None
    )
    return not held.exclude(user=user, role=role).exists()


def changes() -> QuerySet[Entry]:
    """The entries of history on groups that were changed here: what is known of the pool changed, as with a sync."""
    codes = [act.code for act in (acts.GROUP_CREATED, acts.MEMBER_ADDED, acts.MEMBER_REMOVED)]
    return Entry.objects.filter(act__in=codes)


def managed() -> bool:
    """Whether groups are changed from here at all."""
    return bool(settings.MANAGE_GROUPS)
