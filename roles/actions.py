"""The writers of roles, besides the sync."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from dialadmin.accounts.actions import lose_groups
from dialadmin.accounts.models import Staff
from dialadmin.history import redaction
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.redaction import Redaction
from roles import acts, cognito, groups
from roles.mirror import not_before
from roles.models import Membership, Role, SyncRun, User
from roles.reading import CognitoError, MissingError, PassingError, ThrottledError

logger = logging.getLogger(__name__)
T = TypeVar("T")


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


# --- The groups of the pool ---------------------------------------------------------------------------


class GroupChangeError(Exception):
    """A change of the pool that did not come to its end. The text is for people.

    `in_pool` says what became of it there: True, it was made, but is not written down here; False, nothing happened
    anywhere; None, Cognito gave no proper answer, so that nobody knows.
    """

    def __init__(self, text: str, *, in_pool: bool | None = False) -> None:
        super().__init__(text)
        self.in_pool = in_pool


def create_group(*, role: Role, reason: str, by: Actor) -> None:
    """Make the group of this role in the pool, then mirror it. Raises GroupChangeError."""
    _refuse(groups.creation_problem(role))
    made = _in_pool("create_group", role, GroupName=role.name)["Group"]

    def mirror() -> None:
        Role.objects.filter(pk=role.pk).update(
            pool=Role.Pool.PRESENT,
            description=made.get("Description", ""),
            precedence=made.get("Precedence"),
            pool_created_at=made.get("CreationDate"),
            gone_at=None,
        )
        record(acts.GROUP_CREATED, by=by, target=Target("role", str(role.pk), role.name), note=reason)

    _mirrored(mirror, f"the group {role.name} was created")


def add_member(*, user: User, role: Role, reason: str, by: Actor) -> bool:
    """Put somebody into a group of the pool, then mirror it. False when they were known to be in it already; the
    pool is asked all the same, and history notes it. Raises GroupChangeError."""
    _refuse(groups.addition_problem(user, role, by.id))
    _in_pool("admin_add_user_to_group", role, GroupName=role.name, Username=_username(user))

    def mirror() -> bool:
        _, is_new = Membership.objects.get_or_create(
            user=user, role=role, until=None, defaults={"since": timezone.now()}
        )
        record(acts.MEMBER_ADDED, by=by, target=_person(user), after={"group": role.name}, note=reason)
        return is_new

    return _mirrored(mirror, f"{user} is in {role.name}")


def remove_member(*, user: User, role: Role, reason: str, by: Actor) -> bool:
    """Take somebody out of a group of the pool, then mirror it, and take the level of this dashboard that it gave.

    False when they were known to be out of it already, as with `add_member`. Raises GroupChangeError.
    """
    _refuse(groups.removal_problem(user, role))
    _in_pool("admin_remove_user_from_group", role, GroupName=role.name, Username=_username(user))

    def mirror() -> bool:
        current = Membership.objects.filter(user=user, role=role, until=None)
        ended = current.update(until=not_before("since", timezone.now()))
        lose_groups(lost={user.sub: {role.name}}, by=by)
        record(acts.MEMBER_REMOVED, by=by, target=_person(user), before={"group": role.name}, note=reason)
        return ended > 0

    return _mirrored(mirror, f"{user} is out of {role.name}")


def _refuse(problem: str) -> None:
    if problem:
        raise GroupChangeError(f"{problem} Nothing was changed.")


def _username(user: User) -> str:
    """What the pool calls this person today. Names may be given to somebody else; a sub never is."""
    answer = _in_pool("list_users", None, Filter=f'sub = "{user.sub}"', Limit=1)
    for found in answer.get("Users", ()):
        return str(found["Username"])
    raise GroupChangeError(
        f"{user} is no longer in the pool: deleted since the last sync. Nothing was changed. Sync to see."
    )


def _in_pool(method: str, role: Role | None, **arguments: str | int) -> dict[str, Any]:
    """One call of the pool. Raises GroupChangeError, which says what became of it."""
    nothing, pool = "Nothing was changed.", settings.COGNITO_USER_POOL_ID
    try:
        return cognito.administration()(method, UserPoolId=pool, **arguments)
    except cognito.NoPersonError as error:
        raise GroupChangeError(f"The person is no longer in the pool. {nothing} Sync to see.") from error
    except MissingError as error:
        lacking = f"The pool {pool} has no group {role.name} any more" if role else str(error).removesuffix(".")
        raise GroupChangeError(f"{lacking}. {nothing} Sync to see.") from error
    except cognito.ExistsError as error:
        raise GroupChangeError(
            "The pool has a group of this name already, perhaps with people in it. Sync to bring it in."
        ) from error
    except cognito.DeniedError as error:
        raise GroupChangeError(
            f"The AWS credentials of this dashboard lack the permission {error.action} on the pool {pool}. {nothing} "
            "Add it to their IAM policy (docs/cognito.md, “Managing groups”)."
        ) from error
    except ThrottledError as error:
        raise GroupChangeError(
            f"Cognito throttled the call: its quota is shared by the AWS account. {nothing} Try again in a minute."
        ) from error
    except PassingError as error:
        if method.startswith("list_"):
            raise GroupChangeError(f"{error} {nothing}") from error
        raise GroupChangeError(
            "Cognito gave no proper answer, so that it is not known whether it made the change. Nothing is written "
            "down here. Sync to see, then try again if need be.",
            in_pool=None,
        ) from error
    except CognitoError as error:
        raise GroupChangeError(f"{str(error).rstrip('. ')}. {nothing}") from error


def _mirrored(write: Callable[[], T], done: str) -> T:
    """Write down what the pool has done: the rows and history together, or neither."""
    try:
        with transaction.atomic():
            return write()
    except Exception as error:
        logger.exception("the pool was changed (%s), and it could not be written down", done)
        raise GroupChangeError(
            f"In the pool {done}, but that could not be written down here ({type(error).__name__}). The next sync "
            "brings it in, without your reason.",
            in_pool=True,
        ) from error


def _person(user: User) -> Target:
    return Target("user", str(user.pk), str(user))


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
