"""Taking back what entries of history did to access and limits: whether it still stands, and what undoing makes of it.

Reads alone; `actions.undo` writes. Whether an act can be undone at all is for the registry to say (`Act.undo`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.timezone import localtime

from deployments import acts, bulk, draft, seen
from deployments.document import Parts
from deployments.models import Attachment, Deployment, Limit
from dialadmin.history.models import Entry
from dialadmin.history.registry import all_acts

# What an entry is about: {"access", "roles"} of a deployment, {"role", "deployment", "limit"} of a limit.
State = Mapping[str, Any]
Place = tuple[str, ...]


@dataclass(frozen=True)
class Obstacle:
    """Why an entry cannot be undone, for people, and what was done since to what it is about, newest first.

    `undone`: it has been undone already.
    """

    entry: Entry
    text: str
    since: Sequence[Entry] = ()
    undone: bool = False


def undoable() -> list[str]:
    return [act.code for act in all_acts() if act.undo == acts.UNDO]


def fresh(entries: Iterable[Entry]) -> list[Entry]:
    """These entries as they are now, newest first. One query."""
    found = Entry.objects.filter(pk__in=[entry.pk for entry in entries], act__in=undoable())
    return list(found.select_related("undone_by").order_by("-pk"))


def together(entry: Entry) -> list[Entry]:
    """What was done at once with an entry and is not undone yet, newest first, itself among it. One query."""
    if len(entry.request_id) < 2:  # a command, which has no request
        return [entry]
    same = Entry.objects.filter(request_id=entry.request_id, actor_id=entry.actor_id, act__in=undoable())
    found = list(same.filter(undone_by=None).order_by("-pk"))
    return found if entry in found else [entry]


def before(entry: Entry) -> dict[str, Any]:
    """The state that undoing an entry brings back."""
    return _state(entry, entry.before or {})


def after(entry: Entry) -> dict[str, Any]:
    """The state that an entry left."""
    return _state(entry, entry.after or {})


def _state(entry: Entry, value: Mapping[str, Any]) -> dict[str, Any]:
    names = ("role", "deployment", "limit") if entry.target_kind == "limit" else ("access", "roles")
    return {name: value[name] for name in names}


def what(entry: Entry) -> str:
    """What was done, in words; of what undid or redid something, what that was."""
    return entry.note if entry.act in (acts.UNDONE.code, acts.REDONE.code) else entry.sentence


def restore_of(entry: Entry) -> Mapping[str, Any]:
    """What was there to the letter; entries of before it was kept have no more than the values."""
    limit = before(entry)["limit"]
    kept: Mapping[str, Any] | None = entry.restore
    return kept or {"body": None if limit is None else draft.dump_text(limit), "position": None, "entry": True}


def _place(entry: Entry) -> Place:
    if entry.target_kind == "limit":
        state = before(entry)
        return ("limit", state["role"], state["deployment"])
    return ("deployment", entry.target_id)


def present(entries: Sequence[Entry]) -> dict[Place, State]:
    """How what the entries are about stands now; a deployment that has gone is missing. Three queries."""
    states: dict[Place, State] = {}
    ids = {entry.target_id for entry in entries if entry.target_kind == "deployment"}
    attached: defaultdict[int, list[str]] = defaultdict(list)
    for pk, name in (
        Attachment.objects.filter(deployment_id__in=ids).order_by("pk").values_list("deployment_id", "role__name")
    ):
        attached[pk].append(name)
    for pk, access in Deployment.objects.filter(pk__in=ids).values_list("pk", "access"):
        states["deployment", str(pk)] = {"access": access, "roles": attached[pk]}
    limits = {_place(entry): after(entry) for entry in entries if entry.target_kind == "limit"}
    rows = Limit.objects.filter(
        role__name__in={role for _, role, _ in limits}, deployment_name__in={name for *_, name in limits}
    )
    bodies = {(role, name): body for role, name, body in rows.values_list("role__name", "deployment_name", "body")}
    for place in limits:
        _, role, name = place
        body = bodies.get((role, name))
        states[place] = {"role": role, "deployment": name, "limit": None if body is None else draft.load_text(body)}
    return states


def _same(one: State, other: State) -> bool:
    """The order in which roles stand means nothing to Core."""
    return {**one, "roles": sorted(one.get("roles", ()))} == {**other, "roles": sorted(other.get("roles", ()))}


def obstacle(newest_first: Sequence[Entry]) -> Obstacle | None:
    """Why these entries cannot be undone one after the other; None where they can."""
    states = present(newest_first)
    for entry in newest_first:
        undone: Entry | None = getattr(entry, "undone_by", None)
        if undone is not None:
            return Obstacle(entry, f"{undone.actor_name} has undone it already, {_at(undone)}.", [undone], undone=True)
        now = states.get(_place(entry))
        if now is None or not _same(now, after(entry)):
            return _changed_since(entry, gone=now is None)
        states[_place(entry)] = before(entry)
    return None


def _changed_since(entry: Entry, *, gone: bool) -> Obstacle:
    what = f"{entry.target_name} is in the draft no longer" if gone else f"{entry.target_name} has changed since"
    since = list(_about(entry).filter(pk__gt=entry.pk).select_related("undone_by")[:10])
    if not since:
        return Obstacle(entry, f"{what}.")
    return Obstacle(entry, f"{what}: {since[0].actor_name} {since[0].sentence}, {_at(since[0])}.", since)


def _about(entry: Entry) -> QuerySet[Entry]:
    """Entries that may have changed what an entry is about."""
    place = _place(entry)
    found = seen.about_limit(*place[1:]) if place[0] == "limit" else seen.about_deployment(int(place[1]))
    return found.exclude(act=acts.DEPLOYMENT_CHANGED.code)


def _at(entry: Entry) -> str:
    return f"{localtime(entry.at):%Y-%m-%d %H:%M}"


def undone(parts: Parts, newest_first: Sequence[Entry]) -> Parts:
    """The document once these entries are undone."""
    states = {_place(entry): before(entry) for entry in newest_first}
    ids = [place[1] for place in states if place[0] == "deployment"]
    access = {
        (kind, name): roles_of(states["deployment", str(pk)])
        for pk, kind, name in Deployment.objects.filter(pk__in=ids).values_list("pk", "kind", "name")
    }
    limits = {place[1:]: state["limit"] for place, state in states.items() if place[0] == "limit"}
    return bulk.changed(parts, access, {(role, name): limit for (role, name), limit in limits.items()})


def roles_of(state: State) -> tuple[str, ...] | None:
    """`userRoles` in a state of a deployment."""
    return draft.roles_of(state["access"], state["roles"])
