"""One change of many deployments: chosen in the list, seen on a page, made in one transaction."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from deployments import actions, bulk, draft
from deployments.changes import compare
from deployments.forms import BulkForm
from deployments.models import Deployment
from deployments.releases import drafts
from deployments.releases.presentation import told_context
from deployments.views.catalog import catalogue_listing
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from roles.models import Role

SKIPPED = 50  # names of deployments that stay as they are, shown


class NotChosenError(ValueError):
    """It cannot be told which deployments are meant. The text says why, for people."""


@require_POST
@require(Permission.EDIT)
def change(request: StaffRequest) -> HttpResponse:
    """Show what a change of the chosen deployments would do; with `confirmed`, do it."""
    query = request.POST.get("query", "")
    query = query if query.startswith("?") else ""
    form = BulkForm(request.POST)
    try:
        chosen = _chosen(request.POST, query)
    except NotChosenError as error:
        return _back(request, query, str(error))
    if not form.is_valid():
        return _back(request, query, " ".join(str(problem) for found in form.errors.values() for problem in found))
    verb, role = form.cleaned_data["verb"], form.cleaned_data["role"]
    if request.POST.get("confirmed"):
        version = request.POST.get("version", "")
        try:
            done, skipped = actions.bulk_change(
                deployments=chosen, verb=verb, role_name=role, by=Actor.staff(request.user),
                version=int(version) if version.isdecimal() and len(version) < 19 else -1,
            )  # fmt: skip
        except actions.ConflictError:
            messages.warning(
                request, "The draft was changed meanwhile, so nothing was done. This is what it would do now."
            )
        else:
            messages.success(request, f"{done:,} changed, {skipped:,} stayed as they were.")
            return redirect(f"{reverse('deployments:list')}{query}")
    return _preview(request, chosen, verb, role, query)


def _preview(request: StaffRequest, chosen: list[Deployment], verb: str, role: str, query: str) -> HttpResponse:
    version = draft.current().version
    parts = draft.read()
    wanted = {(row.kind, row.name) for row in chosen}
    steps = bulk.plan(verb, role, [entry for entry in parts.deployments if (entry.kind, entry.name) in wanted])
    after = bulk.applied(parts, steps)
    acting = [step for step in steps if not step.skipped]
    staying = [step for step in steps if step.skipped]
    context = {
        "verb": verb,
        "words": bulk.VERBS[verb],
        "role": role,
        "unknown": verb == "attach" and not Role.objects.filter(name=role).exists(),
        "acting": acting,
        "staying": staying[:SKIPPED],
        "more_staying": max(0, len(staying) - SKIPPED),
        "ids": ",".join(str(row.pk) for row in chosen),
        "version": version,
        "query": query,
        **told_context(drafts.of_parts(after) if acting else None, tuple(compare(parts, after))),
    }
    return render(request, "deployments/bulk.html", context)


def _chosen(sent: QueryDict, query: str) -> list[Deployment]:
    """The deployments that are meant: those ticked, or all that the list's query finds, counted once more.

    Raises NotChosenError.
    """
    if sent.get("scope") == "matching":
        listing = catalogue_listing(QueryDict(query.removeprefix("?")))
        if str(listing.total) != sent.get("expected"):
            raise NotChosenError(
                f"The list has {listing.total:,} deployments now, which is another number than you saw. Nothing was "
                "done: look at the list, and choose again."
            )
        rows = list(listing.queryset[: bulk.MOST + 1])
    else:
        ids = [text for value in sent.getlist("ids") for text in value.split(",")]
        numbers = {int(text) for text in ids if text.isdecimal() and len(text) < 19}
        rows = list(Deployment.objects.filter(pk__in=numbers).order_by("name")[: bulk.MOST + 1])
    if not rows:
        raise NotChosenError("Nothing is ticked. Tick some deployments, or choose all that match.")
    if len(rows) > bulk.MOST:
        raise NotChosenError(f"More than {bulk.MOST:,} at once is too much to look at. Narrow the list.")
    return rows


def _back(request: StaffRequest, query: str, problem: str) -> HttpResponseRedirect:
    messages.error(request, problem)
    return redirect(f"{reverse('deployments:list')}{query}")
