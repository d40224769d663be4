"""The pages of history."""

from __future__ import annotations

from operator import attrgetter

from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET

from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.models import Entry
from dialadmin.history.registry import all_acts
from dialadmin.listing import Column, Filter, Listing


@require_GET
@require(Permission.READ)
def entry_list(request: StaffRequest) -> HttpResponseBase:
    """All entries, newest first; `?kind=…&target=…` narrows to one thing."""
    entries = Entry.objects.select_related("undone_by")
    kind, target = request.GET.get("kind", ""), request.GET.get("target", "")
    if kind:
        entries = entries.filter(target_kind=kind)
    if target:
        entries = entries.filter(target_id=target)
    listing = Listing.of(
        request,
        entries,
        search=("actor_name__icontains", "target_name__icontains", "note__icontains"),
        sorts={"time": "id"},
        default_sort="-time",
        filters=(Filter("act", "What", [(act.code, act.label) for act in all_acts()], "act"),),
        columns=(
            Column("entry", "Entry", attrgetter("pk")),
            Column("time", "Time", lambda entry: localtime(entry.at).isoformat(timespec="seconds")),
            Column("who", "Who", attrgetter("actor_name")),
            Column("act", "Act", attrgetter("act")),
            Column("sentence", "What", attrgetter("sentence")),
            Column("target", "About", attrgetter("target_name")),
            Column("note", "Note", attrgetter("note")),
        ),
    )
    if listing.wants_csv:
        return listing.csv("history.csv")
    return render(request, "history/list.html", {"listing": listing})
