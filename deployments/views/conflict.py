"""The page for an edit that somebody else's came before: both are shown, and neither is lost."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render

from deployments.seen import Seen
from dialadmin.accounts.guards import StaffRequest
from dialadmin.history.models import Entry

SHOWN = 10
Row = tuple[str, object, object]  # what it is about, what you wanted, what it says now


def conflict(
    request: StaffRequest, *, title: str, rows: Sequence[Row], now: Seen, entries: QuerySet[Entry], back: str
) -> HttpResponse:
    """Answer 409 with yours beside theirs, and a button that sends yours again over what is known now."""
    seen = Seen.parse(request.POST.get("seen", ""))
    return render(
        request,
        "deployments/conflict.html",
        {
            "title": title,
            "rows": rows,
            "entries": entries.filter(pk__gt=seen.entry if seen else now.entry)[:SHOWN],
            "action": request.get_full_path(),
            "sent": [
                (name, value)
                for name in request.POST
                if name not in ("csrfmiddlewaretoken", "seen")
                for value in request.POST.getlist(name)
            ],
            "seen": now,
            "back": back,
        },
        status=409,
    )
