"""The writers of roles, besides the sync."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.db.models import Q

from dialadmin.accounts.models import Staff
from dialadmin.history import redaction
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.redaction import Redaction
from roles import acts
from roles.models import Role, SyncRun, User


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


# --- When people leave for good ----------------------------------------------------------------------


class EraseRefusedError(ValueError):
    """This person cannot be erased. The text says why and what to do first."""


ERASED = "erased-"  # and the number of the person's row: the token that takes their place


def erase_problem(user: User) -> str:
    """Why this person cannot be erased, for people; "" when they can."""
    if user.sub.startswith(ERASED):
        return "This person was erased already."
    if user.gone_at is None:
        return (
            "This person is in the pool, and the next sync would bring back what was erased. Delete them in Cognito "
            "first, then sync."
        )
    return ""


def erase_user(*, user: User, reason: str, by: Actor) -> dict[str, int]:
    """Replace the personal data of somebody who has gone by a token: in users, staff, syncs, history, and wherever
    else an app says that it copied names (`history.redaction`). No row goes, so every count stays.

    It cannot be undone. Returns how many rows were changed, by place: `{"history": 12}`. Raises EraseRefusedError.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        if problem := erase_problem(user):
            raise EraseRefusedError(problem)
        person = _redaction_of(user)
        counts = redaction.redact(person)
        User.objects.filter(pk=user.pk).update(sub=person.token, username=person.token, email="", name="")
        note = person.text(reason, about=True, free=True)
        target = Target("user", str(user.pk), person.token)
        record(acts.USER_ERASED, by=by, target=target, after={"rows changed": counts}, note=note)
        return counts


def _redaction_of(user: User) -> Redaction:
    """Every name of this person, told apart by whether it can mean somebody else, or be an ordinary word."""
    names = {user.username, user.email, user.name} | redaction.names_in_history(user.sub, str(user.pk))
    for staff in Staff.objects.filter(sub=user.sub):
        names |= {staff.username, staff.email, staff.name}
    for changes in SyncRun.objects.exclude(changes=[]).values_list("changes", flat=True).iterator():
        for change in changes:
            if change["key"] == user.sub and change["kind"] != "group":
                names |= {change["name"], *_names_in(change["detail"])}
    names -= {"", "(none)", user.sub}
    common = {name for name in names if not _distinctive(name) or _borne_by_another(name, user)}
    token = f"{ERASED}{user.pk}"
    return Redaction(user.sub, str(user.pk), token, frozenset(names - common), frozenset(common))


def _names_in(detail: str) -> set[str]:
    """The names in a sync's words: `email g@old.example → g@new.example, name Grace → (none)`."""
    found = re.findall(r"(?:username|email|name) (.+?) → (.+?)(?=, (?:username|email|name|status) |$)", detail)
    return {name for pair in found for name in pair}


def _distinctive(name: str) -> bool:
    """Whether a name is no ordinary word: `max` is one, `Max Power` and `max.power` are not."""
    return len(name) > 4 and re.search(r"[\s@._+\-\d]", name) is not None


def _borne_by_another(name: str, user: User) -> bool:
    borne = Q(username__iexact=name) | Q(email__iexact=name) | Q(name__iexact=name)
    another = User.objects.filter(borne).exclude(pk=user.pk), Staff.objects.filter(borne).exclude(sub=user.sub)
    return any(people.exists() for people in another)


def forget_person(person: Redaction) -> int:
    """Take somebody out of the records of syncs: as the one who started them, and out of what they changed."""
    started = person.rows(SyncRun, "by", "order", about=lambda row: row["order"].get("by") == person.sub)
    return len(started | person.rows(SyncRun, "changes", "error", about=lambda row: False))


def note_secret_shown(*, client_id: str, by: Actor) -> None:
    """Note that somebody had the secret of an app client shown; never the secret."""
    record(acts.SECRET_SHOWN, by=by, target=Target("app-client", client_id, client_id))
