"""Three levels, by Cognito group, and what each may do. Levels are code; who holds one is the pool's."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from django.conf import settings
from django.db import models


class Permission(StrEnum):
    """What a page or command may ask of the person in front of it."""

    READ = "read"  # see everything but secrets
    EDIT = "edit"  # change the draft, start a sync
    RELEASE = "release"  # see the export, secrets included


class Level(models.TextChoices):
    NONE = "none", "No access"
    AUDITOR = "auditor", "Auditor"
    EDITOR = "editor", "Editor"
    PUBLISHER = "publisher", "Publisher"


class Scope(models.TextChoices):
    """What a pipeline's token may ask for."""

    READ_RELEASE = "release:read", "read releases, secrets included"
    READ_AUDIT = "audit:read", "read the audit: who reaches what"


PERMISSIONS: dict[str, frozenset[Permission]] = {
    Level.NONE: frozenset(),
    Level.AUDITOR: frozenset({Permission.READ}),
    Level.EDITOR: frozenset({Permission.READ, Permission.EDIT}),
    Level.PUBLISHER: frozenset({Permission.READ, Permission.EDIT, Permission.RELEASE}),
}

DESCRIPTIONS: dict[str, str] = {
    Level.NONE: "Signed in, but in none of the groups that open this dashboard.",
    Level.AUDITOR: "Reads everything but secrets.",
    Level.EDITOR: "Reads, changes the draft, and starts a sync.",
    Level.PUBLISHER: "Does what an editor does, and exports the settings with their secrets.",
}


def groups_of(level: str) -> list[str]:
    """The Cognito groups that give this level, as configured."""
    return {
        Level.AUDITOR.value: settings.AUDITOR_GROUPS,
        Level.EDITOR.value: settings.EDITOR_GROUPS,
        Level.PUBLISHER.value: settings.PUBLISHER_GROUPS,
    }.get(str(level), [])


def level_of(groups: Iterable[str]) -> Level:
    """The highest level that any of these Cognito groups gives; names compare exactly, as in Core."""
    held = set(groups)
    for level in (Level.PUBLISHER, Level.EDITOR, Level.AUDITOR):
        if held.intersection(groups_of(level)):
            return level
    return Level.NONE
