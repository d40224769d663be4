"""The writers of staff: what a sign-in changes, what the pool takes away, and what history keeps of it."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from dialadmin.accounts import acts
from dialadmin.accounts.claims import Identity
from dialadmin.accounts.models import ApiToken, Staff
from dialadmin.accounts.permissions import Level, Scope, level_of
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.redaction import Redaction

# Strangers can fail to sign in as often as they like. History keeps so many entries of one kind an hour, in
# all processes together; the log has every one.
KEPT_AN_HOUR = 20
TOKEN_PREFIX = "dialadmin_"  # noqa: S105  # so that scanners of leaked secrets can tell what it is
TOKEN_BYTES = 32
TOKEN_SHOWN = len(TOKEN_PREFIX) + 6  # characters that are kept to recognise a token by
STRANGER = Actor(id="anonymous", name="Somebody")
PROFILE = ("username", "email", "name", "groups")


def sign_in(*, person: Identity) -> Staff:
    """The member of staff of this `sub`, with the names, the groups and the level that the token gives today.

    Somebody who was switched off (`is_active`) keeps what is known of them, and no entry says they signed in.
    """
    with transaction.atomic():
        staff, is_new = Staff.objects.select_for_update().get_or_create(
            sub=person.sub, defaults={"password": make_password(None)}
        )
        if not staff.is_active:
            return staff
        was = _profile(staff)
        staff.username, staff.email, staff.name = person.username, person.email, person.name
        staff.groups, staff.level = list(person.groups), level_of(person.groups)
        staff.save()
        now = _profile(staff)
        changed = {key for key in now if is_new or now[key] != was[key]} | {"level"}
        before = None if is_new else {key: was[key] for key in now if key in changed}
        after = {key: now[key] for key in now if key in changed}
        act = acts.SIGNED_IN if staff.level != Level.NONE else acts.SIGNED_IN_WITHOUT_LEVEL
        same = Entry.objects.filter(act=act.code, actor_id=staff.sub)
        if act is acts.SIGNED_IN or before != after or _few(same):
            record(act, by=Actor.staff(staff), target=_target(staff), before=before, after=after)
        return staff


def sign_in_failed(*, reason: str, text: str, staff: Staff | None = None) -> None:
    """Note a failed sign-in. `text` holds nothing that a stranger wrote, and no token or code."""
    failures = Entry.objects.filter(act=acts.SIGN_IN_FAILED.code, after__reason=reason)
    if _few(failures):
        by = Actor.staff(staff) if staff else STRANGER
        record(acts.SIGN_IN_FAILED, by=by, after={"reason": reason}, note=text)


def sign_out(*, staff: Staff) -> None:
    record(acts.SIGNED_OUT, by=Actor.staff(staff), target=_target(staff))


def lose_groups(*, lost: Mapping[str, Collection[str]], by: Actor) -> None:
    """Take the levels of those who left groups of the pool, before their sessions end. It raises nobody's level.

    `lost`: the groups that each person left, by `sub`; of somebody who is gone or disabled, all. A sync calls
    this inside its transaction: what it found to be over, the next request of that person feels.
    """
    with transaction.atomic():
        for staff in Staff.objects.select_for_update().exclude(level=Level.NONE):  # few, however large the pool
            kept = [name for name in staff.groups if name not in lost.get(staff.sub, ())]
            if kept == staff.groups:
                continue
            before = {"level": str(staff.level), "groups": staff.groups}
            staff.groups, staff.level = kept, level_of(kept)
            staff.save(update_fields=["groups", "level"])
            after = {"level": str(staff.level), "groups": kept}
            record(acts.GROUPS_LOST, by=by, target=_target(staff), before=before, after=after)


def create_token(*, name: str, scopes: Collection[Scope], expires_at: datetime, by: Actor) -> tuple[ApiToken, str]:
    """A new token for a pipeline, and its text, which is nowhere kept: show it now or never."""
    ends = expires_at.date().isoformat()
    text = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        token = ApiToken.objects.create(
            name=name,
            prefix=text[:TOKEN_SHOWN],
            digest=token_digest(text),
            scopes=sorted(scopes),
            created_by=by.name,
            expires_at=expires_at,
        )
        record(
            acts.TOKEN_CREATED,
            by=by,
            target=token_target(token),
            after={
                "may": "; ".join(token.scope_labels),
                "ends": ends,
                "prefix": token.prefix,
            },
        )
    return token, text


def revoke_token(*, token: ApiToken, by: Actor) -> bool:
    """End a token at once; False when it had ended by being revoked before."""
    with transaction.atomic():
        if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            return False
        record(acts.TOKEN_REVOKED, by=by, target=token_target(token), before={"prefix": token.prefix})
        return True


def token_used(*, token: ApiToken, what: str, delivered: bool) -> None:
    """Note the use of a token; in history when something was handed out, not when nothing was new."""
    with transaction.atomic():
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
        if delivered:
            record(acts.TOKEN_USED, by=token_actor(token), target=token_target(token), after={"what": what})


def token_refused(*, token: ApiToken, what: str, why: str) -> None:
    """Note that a token was shown that may not, or no longer, do this; so many an hour."""
    if _few(Entry.objects.filter(act=acts.TOKEN_REFUSED.code, target_id=str(token.pk))):
        record(acts.TOKEN_REFUSED, by=token_actor(token), target=token_target(token), after={"what": what}, note=why)


def token_digest(text: str) -> str:
    """What is kept of a token. It holds 32 random bytes: nothing slow is needed to protect it from guessing."""
    return hashlib.sha256(text.encode()).hexdigest()


def token_actor(token: ApiToken) -> Actor:
    return Actor(id=f"token:{token.pk}", name=f"API token {token.name}")


def token_target(token: ApiToken) -> Target:
    return Target("token", str(token.pk), token.name)


def forget_person(redaction: Redaction) -> int:
    """Take somebody out of the staff: they can do nothing any more, and are known by the token alone."""
    staff = Staff.objects.filter(sub=redaction.sub).update(
        sub=redaction.token, username=redaction.token, email="", name="", groups=[], level=Level.NONE, is_active=False
    )
    return staff + len(redaction.rows(ApiToken, "name", "created_by"))


def _profile(staff: Staff) -> dict[str, Any]:
    return {"level": str(staff.level), **{name: getattr(staff, name) for name in PROFILE}}


def _target(staff: Staff) -> Target:
    return Target("staff", staff.sub, str(staff))


def _few(entries: QuerySet[Entry]) -> bool:
    return entries.filter(at__gt=timezone.now() - timedelta(hours=1)).count() < KEPT_AN_HOUR
