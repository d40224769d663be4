"""Undo: a button in the message after an act, and a page from history that says first what undoing changes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from deployments import actions, acts, draft, undoing
from deployments.changes import compare
from deployments.limits import words as limit_words
from deployments.models import Deployment
from deployments.releases import drafts
from deployments.releases.presentation import told_context
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from dialadmin.navigation import safe_next

MANY = 10  # people who lose something at once: from here on it is asked first, below it can be undone
WORDS = {"open": "open to everyone", "restricted": "restricted to its roles", "closed": "closed"}


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def undo(request: StaffRequest, pk: int) -> HttpResponse:
    """Show what undoing an entry of history changes, and do it; with `together`, all that was done at once with it.

    What only brings back what was before is done without asking, unless many people lose something by it.
    """
    entry = get_object_or_404(Entry.objects.select_related("undone_by"), pk=pk)
    if not entry.undo_url:
        raise Http404("This act cannot be undone.")
    sent = request.POST if request.method == "POST" else request.GET
    same = undoing.together(entry)
    chosen = same if sent.get("together") else [entry]
    back = safe_next(sent.get("next", "")) or _about(entry)
    context: dict[str, Any] = {
        "entry": entry,
        "what": f"{len(chosen):,} changes made at once" if len(chosen) > 1 else undoing.what(entry),
        "redo": entry.act == acts.UNDONE.code,
        "chosen": chosen,
        "same": same,
        "back": back,
    }
    if obstacle := undoing.obstacle(chosen):
        return _refused(request, context, obstacle.text, obstacle)
    effect = _effect(chosen)
    if request.method != "POST" or (effect["losing"] >= MANY and not sent.get("confirmed")):
        return render(request, "deployments/undo.html", {**context, **effect})
    try:
        made = actions.undo(entries=chosen, by=Actor.staff(request.user))
    except actions.ConflictError as conflict:  # between the look above and now
        return _refused(request, context, str(conflict), undoing.obstacle(undoing.fresh(chosen)))
    done = "Redone" if context["redo"] else "Undone"
    messages.success(request, undo_message(request, f"{done}: {context['what']}.", made, back))
    return redirect(back)


def undo_message(request: StaffRequest, text: str, entries: list[Entry], back: str) -> SafeString:
    """What was done, with a button that undoes it. `entries` are those of one act, or of several done at once."""
    return render_to_string(
        "deployments/_undo.html",
        {
            "text": text,
            "entry": entries[-1],
            "together": len(entries) > 1,
            "redo": entries[-1].act == acts.UNDONE.code,
            "back": back,
        },
        request,
    )


def _refused(
    request: StaffRequest, context: dict[str, Any], problem: str, obstacle: undoing.Obstacle | None
) -> HttpResponse:
    about = obstacle.entry if obstacle else context["entry"]
    now = next(iter(undoing.present([about]).values()), None)
    context |= {
        "problem": problem,
        "undone": obstacle is not None and obstacle.undone,
        "since": obstacle.since if obstacle else (),
        "rows": [(about.target_name, _words(undoing.after(about)), _words(now) if now else "gone")],
        "mend": _about(about),
    }
    return render(request, "deployments/undo_refused.html", context, status=409)


def _effect(newest_first: list[Entry]) -> dict[str, Any]:
    """What changes, and for whom: `losing` people lose something."""
    entry = newest_first[0]
    rows = [(entry.target_name, _words(undoing.after(entry)), _words(undoing.before(entry)))]
    if len(newest_first) == 1 and entry.target_kind == "deployment":
        deployment = Deployment.objects.get(pk=entry.target_id)
        line = drafts.of_access(deployment, undoing.roles_of(undoing.before(entry)))
        return {"rows": rows, "line": line, "losing": line.loses.bit_count() if line else 0}
    parts = draft.read()
    after = undoing.undone(parts, newest_first)
    told = drafts.of_parts(after)
    return {
        "rows": rows if len(newest_first) == 1 else [],
        "losing": told.losing.bit_count() if told else 0,
        "many": True,
        **told_context(told, tuple(compare(parts, after))),
    }


def _words(state: undoing.State) -> str:
    """How a state reads; the roles that an open or closed deployment keeps in mind are no part of it."""
    if "limit" in state:
        return limit_words(state["limit"])
    roles = f": {', '.join(sorted(state['roles']))}" if state["access"] == Deployment.Access.RESTRICTED else ""
    return WORDS[state["access"]] + roles


def _about(entry: Entry) -> str:
    """The page of what an entry is about."""
    if entry.target_kind == "deployment":
        found = Deployment.objects.filter(pk=entry.target_id)
    else:
        found = Deployment.objects.filter(name=undoing.before(entry)["deployment"])
    pk = found.values_list("pk", flat=True).first()
    return reverse("deployments:detail", args=[pk]) if pk else reverse("history:list")
