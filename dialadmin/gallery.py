"""The gallery: each component once, in all its states, light and dark side by side, on made-up rows."""

from __future__ import annotations

from datetime import UTC, datetime

from django import forms
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from deployments.matrix import LOOKS
from dialadmin import charts
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.models import Entry
from dialadmin.listing import Column, Filter, Listing
from dialadmin.search.find import Answer, Found, Hit
from dialadmin.status import Status
from dialadmin.templatetags.ui import BADGES

WHEN = datetime(2024, 5, 17, 9, 30, tzinfo=UTC)


class SampleForm(forms.Form):
    """A field of each kind; bound to nothing, the first one shows its error."""

    name = forms.CharField(label="Name", help_text="As Core compares it, byte for byte.")
    note = forms.CharField(label="Reason", required=False, widget=forms.Textarea)
    kind = forms.ChoiceField(label="Kind", choices=(("model", "Model"), ("addon", "Addon")))
    access = forms.ChoiceField(
        label="Access", choices=(("open", "Open"), ("closed", "Closed")), widget=forms.RadioSelect, initial="closed"
    )
    sure = forms.BooleanField(label="I have read what changes", required=False)


class SampleListing(Listing[Entry]):
    """The second of six pages of a list, without rows of a database."""

    names = ("gpt-4o", "gpt-4o-mini", "text-embedding-3-large")

    def __init__(self) -> None:
        super().__init__(
            QueryDict("q=gpt&kind=model&page=2&sort=-name&size=25"),
            Entry.objects.none(),
            search=("note",),
            sorts={"name": "note", "people": "id"},
            default_sort="name",
            filters=(Filter("kind", "Kind", (("model", "Model"), ("addon", "Addon")), "act"),),
            columns=(
                Column("name", "Name", str, "name"),
                Column("access", "Access", str),
                Column("people", "People", str, "people", css="number"),
            ),
        )
        self.total = 137


def _answer() -> Answer:
    hits = [Hit("gpt-4o", "Model · GPT-4o", "restricted", "#"), Hit("gpt-4o-mini", "Model", "open", "#")]
    guess = [Hit("Grace Hopper", "grace.hopper@example.com", "disabled", "#")]
    return Answer("gpt", [Found("deployment", "Deployments", hits, 12), Found("user", "Users", guess, 1, guessed=True)])


def _entries() -> list[Entry]:
    return [
        Entry(at=WHEN, act="deployment.role-attached", actor_name="Ada Nwosu", target_name="gpt-4o",
              before={"roles": ["analysts"]}, after={"roles": ["analysts", "legal"], "role": "legal"}),
        Entry(at=WHEN, act="draft.imported", actor_name="Edit Berg", note="aidial.config.json"),
    ]  # fmt: skip


@require_GET
@require(Permission.READ)
def gallery(request: StaffRequest) -> HttpResponse:
    themes = [
        {
            "theme": theme,
            "form": SampleForm({f"{theme}-kind": "addon", f"{theme}-access": "closed"}, prefix=theme),
            "listing": SampleListing(),
            "answer": _answer(),
        }
        for theme in ("light", "dark")
    ]
    bars = [charts.Bar("gpt-4o", 1200, "1,200 people", "#main"), charts.Bar("o1-preview", 40, "40 people")]
    parts = [charts.Part("through a role", 12, "part-role"), charts.Part("open to everyone", 3, "part-open")]
    parts += [charts.Part("denied or failing", 1, "part-denied"), charts.Part("not reached", 20, "part-none")]
    points = [("release 1", 120), ("release 2", 340), ("release 3", 280)]
    drawn = {
        "bars": {"title": "People per deployment", "text": "How many it lists.", "bars": bars, "most": 1200, "more": 7},
        "parts": parts,
        "whole": charts.whole(parts, "What analysts reaches"),
        "points": points,
        "line": charts.steps(points, "Access"),
        "flow": charts.flow("Grace Hopper", [("analysts", "gpt-4o"), ("legal", "gpt-4o"), ("legal", "o1")], "Flow"),
    }
    statuses = [
        Status(read_at=WHEN, sync=7, trouble="failed", release=3, released_at=WHEN, ahead=True),
        Status(read_at=timezone.now(), sync=8),
    ]
    context = {
        "statuses": statuses,
        "drawn": drawn,
        "themes": themes,
        "states": list(BADGES),
        "looks": list(dict.fromkeys(LOOKS.values())),
        "entries": _entries(),
        "moment": WHEN,
    }
    return render(request, "gallery/page.html", context)
