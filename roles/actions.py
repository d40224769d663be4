"""The writers of roles, besides the sync."""

from __future__ import annotations

from django.db import transaction

from dialadmin.history.recorder import Actor, Target, record
from roles import acts
from roles.models import Role


def create_role(*, name: str, by: Actor) -> Role:
    """Make a role known that no group backs, for API keys or in advance of a group. It starts in the settings,
    with no limits, so that it can be given some."""
    with transaction.atomic():
        role = Role.objects.create(name=name, in_settings=True, position=Role.objects.count())
        record(acts.ROLE_CREATED, by=by, target=Target("role", str(role.pk), name))
        return role
