"""The index out of the database: of now, kept by each process while nothing changes, or of a past moment."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from deployments import draft
from deployments.access.index import Index, Population
from deployments.core.load import Settings, load
from deployments.core.text import parse
from deployments.core.versions import Version
from deployments.releases.models import Release
from dialadmin.history.models import Entry
from dialadmin.history.registry import all_acts
from dialadmin.secrets import decrypt
from roles.models import Absence, Membership, Role, SyncRun, User


class UnansweredError(ValueError):
    """The question cannot be answered. The text says why, and what to do."""


_State = tuple[int, str, int, int]
_kept: tuple[_State, Index] | None = None  # swapped as a whole, never changed


def current() -> Index:
    """The draft and the people of now. Kept until the draft or the pool changes; three queries when nothing has.

    Raises UnansweredError when Core would refuse the draft: then nobody's access can be told from it.
    """
    global _kept
    row = draft.current()
    state = (row.version, row.target_version, _last_sync(), _last_change_of_people())
    kept = _kept
    if kept is not None and kept[0] == state:
        return kept[1]
    settings = _loaded(draft.document(), Version.parse(row.target_version), "The draft")
    index = Index(settings, people_now(), {"settings": f"draft {row.version}", "sync": str(state[2] or "none")})
    _kept = (state, index)
    return index


def at(moment: datetime) -> Index:
    """The release in force at a moment, and the people of then.

    Before the first release the draft of now stands in for it, if it had not changed since the moment. Raises
    UnansweredError for a moment to come, and for one of which no settings are known.
    """
    if moment > timezone.now():
        raise UnansweredError("That moment is still to come. Ask about one that has passed, or leave it out for now.")
    release = Release.objects.in_force(moment).first()
    row = draft.current()
    if release is not None:
        version = Version.parse(release.target_version)
        document = parse(decrypt(release.payload), f"release {release.number}")
        settings, said = _loaded(document, version, f"Release {release.number}"), f"release {release.number}"
    elif row.changed_at <= moment:
        settings = _loaded(draft.document(), Version.parse(row.target_version), "The draft")
        said = f"draft {row.version}"
    else:
        first = Release.objects.order_by("number").values_list("created_at", flat=True).first()
        known = [f"from {first:%Y-%m-%d %H:%M %Z} on, the time of release 1"] if first else []
        known.append(f"from {row.changed_at:%Y-%m-%d %H:%M %Z} on, the last change of the draft")
        raise UnansweredError(
            f"No release was in force at {moment:%Y-%m-%d %H:%M %Z}, and the draft has changed since. "
            f"Moments that can be answered: {'; or '.join(known)}."
        )
    sync = _last_sync(Q(finished_at__lte=moment))
    notes = {"settings": said, "sync": str(sync or "none"), "at": moment.isoformat(timespec="seconds")}
    return Index(settings, people_at(moment), notes)


def forget() -> None:
    """Drop what this process keeps."""
    global _kept
    _kept = None


def _last_sync(when: Q | None = None) -> int:
    found = SyncRun.objects.filter(when or Q(), state=SyncRun.State.APPLIED).aggregate(last=Max("pk"))["last"]
    return found or 0


def _last_change_of_people() -> int:
    """The newest act on people and their groups that was no sync: 0 before the first."""
    codes = [act.code for act in all_acts() if act.code.startswith(("group.", "user."))]
    return Entry.objects.filter(act__in=codes).aggregate(last=Max("pk"))["last"] or 0


def _loaded(document: Mapping[str, Any], version: Version, what: str) -> Settings:
    loaded = load(document, version)
    if loaded.settings is None:
        findings = "; ".join(f"{finding.place}: {finding.message}" for finding in loaded.findings[:3])
        raise UnansweredError(
            f"{what} is nothing that Core {version} would load, so that nobody's access can be told from it. "
            f"{findings}. Mend the errors on the Checks page first."
        )
    return loaded.settings


# --- people -------------------------------------------------------------------------------------------


def people_now() -> Population:
    """Everyone who can sign in now, by user name. Two queries, memberships gathered by the database."""
    return _population(User.objects.filter(enabled=True, gone_at=None), Q(until=None))


def people_at(moment: datetime) -> Population:
    """Everyone who could sign in at a moment: known by then, and neither disabled nor gone."""
    then = Q(since__lte=moment) & (Q(until=None) | Q(until__gt=moment))
    seen = Q(pool_created_at__lte=moment) | Q(pk__in=Membership.objects.filter(since__lte=moment).values("user_id"))
    absent = Absence.objects.filter(then).values("user_id")
    return _population(User.objects.filter(seen).exclude(pk__in=absent), then)


def _population(users: QuerySet[User], memberships: Q) -> Population:
    names, ids = _everyone(users)
    by_name = sorted(range(len(names)), key=names.__getitem__)  # here, in a fifth of the time of the database
    # Where the bit of a person is, by row id, since those lie close together; who is not among the users has none. An
    # array is a tenth of a list with its numbers, so that looking up half a million stays in the processor's cache.
    last = max(ids, default=0)
    byte_of, mask_of = array("q", bytes(8 * (last + 1))), bytearray(last + 1)
    for number, place in enumerate(by_name):
        byte_of[ids[place]] = number >> 3
        mask_of[ids[place]] = 1 << (number & 7)
    role_names = dict(Role.objects.values_list("pk", "name"))
    holding = {}
    for role, held in _gathered(memberships):
        plane = bytearray(len(ids) // 8 + 1)
        for pk in json.loads(f"[{held}]"):
            if pk <= last:
                plane[byte_of[pk]] |= mask_of[pk]
        holding[role_names[role]] = int.from_bytes(plane, "little")
    return Population(array("q", [ids[place] for place in by_name]), [names[place] for place in by_name], holding)


def _everyone(users: QuerySet[User]) -> tuple[list[str], list[int]]:
    """User names and rows, in one order. One query, one row: a tuple for each person would take as long again."""
    some, parameters = users.values_list("username", "id").query.sql_with_params()
    gather = "json_agg" if connection.vendor == "postgresql" else "json_group_array"
    ((names, ids),) = _fetched(
        f"SELECT CAST({gather}(username) AS text), CAST({gather}(id) AS text) FROM ({some}) AS people",  # noqa: S608  # names of columns alone
        parameters,
    )
    return json.loads(names or "[]"), json.loads(ids or "[]")


def _gathered(memberships: Q) -> list[tuple[int, str]]:
    """Row of a role to the rows of its users, joined by commas. One query.

    Gathering in the database spares a Python tuple per membership: it takes a third of the time of the ORM.
    """
    held, parameters = Membership.objects.filter(memberships).values_list("role_id", "user_id").query.sql_with_params()
    gather = "string_agg(user_id::text, ',')" if connection.vendor == "postgresql" else "group_concat(user_id, ',')"
    return _fetched(f"SELECT role_id, {gather} FROM ({held}) AS held GROUP BY role_id", parameters)  # noqa: S608  # names of columns alone


def _fetched(statement: str, parameters: Any) -> list[Any]:
    """The rows of a statement as the driver gives them."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
