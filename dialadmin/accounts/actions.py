"""The writers of staff: what a sign-in changes, and what history keeps of it."""

from __future__ import annotations

from django.core.cache import cache
from django.db import transaction

from dialadmin.accounts import acts
from dialadmin.accounts.claims import Identity
from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import level_of
from dialadmin.history.recorder import Actor, Target, record

FAILURES_KEPT = 30  # entries a minute: strangers can fail to sign in as often as they like


def target(staff: Staff) -> Target:
    return Target("staff", staff.sub, str(staff))


def sign_in(*, person: Identity) -> Staff:
    """The member of staff of this `sub`, with the names and the level that the token gives today."""
    with transaction.atomic():
        staff, _ = Staff.objects.select_for_update().get_or_create(sub=person.sub)
        before = {"level": staff.level, "groups": staff.groups}
        staff.username, staff.email, staff.name = person.username, person.email, person.name
        staff.groups, staff.level = list(person.groups), level_of(person.groups)
        staff.set_unusable_password()
        staff.save()
        if staff.is_active:
            after = {"level": str(staff.level), "groups": staff.groups}
            record(acts.SIGNED_IN, by=Actor.staff(staff), target=target(staff), before=before, after=after)
        return staff


def sign_in_failed(*, reason: str, text: str) -> None:
    """Note a failure, up to so many a minute; the rest goes to the log alone."""
    cache.add("sign-in-failures", 0, timeout=60)
    if cache.incr("sign-in-failures") <= FAILURES_KEPT:
        record(acts.SIGN_IN_FAILED, by=Actor(id="anonymous", name="Somebody"), after={"reason": reason}, note=text)


def sign_out(*, staff: Staff) -> None:
    record(acts.SIGNED_OUT, by=Actor.staff(staff), target=target(staff))
