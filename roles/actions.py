"""The writers of roles, besides the sync."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from dialadmin.history.recorder import Actor, Target, record
from roles import acts
from roles.models import Role


class NameRefusedError(ValueError):
    """A role may not be called that. The text says why, and stands beside the field."""


def name_problem(name: str, known: Iterable[str]) -> str:
    """Why a role should not be called that, for people; "" when it may.

    `known`: the names there are. Core compares names byte for byte; 0.38 and later drop a role with `/` in its
    name from `roles` (core-semantics 4.6).
    """
    if not name.strip():
        return "Give the role a name."
    if name != name.strip():
        return (
            "The name begins or ends with a space. Core compares names byte for byte, so it would match no group "
            "and no API key that is written without it."
        )
    if "/" in name:
        return (
            "Core 0.38 and later drop a role with “/” in its name, and with it its limits: its holders would fall "
            "back to default, or be unlimited. Choose another name."
        )
    for other in known:
        if other == name:
            return "There is a role of this name."
        if other.casefold() == name.casefold():
            return f"{other} differs in case alone. Core would take them for two roles."
    return ""


def create_role(*, name: str, by: Actor) -> Role:
    """Make a role known that no group backs, for API keys or in advance of a group.

    It is merely known: its first limit or attachment brings it into the settings. Raises NameRefusedError.
    """
    if problem := name_problem(name, Role.objects.values_list("name", flat=True)):
        raise NameRefusedError(problem)
    try:
        with transaction.atomic():
            role = Role.objects.create(name=name)
            record(acts.ROLE_CREATED, by=by, target=Target("role", str(role.pk), name))
            return role
    except IntegrityError as error:  # somebody else made it at the same moment
        raise NameRefusedError("There is a role of this name.") from error
