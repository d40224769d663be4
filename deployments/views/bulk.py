"""One change of many deployments: chosen in the list or the matrix, seen on a page, made in one transaction."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from deployments import actions, bulk, draft
from deployments.changes import compare
from deployments.core.versions import Version, shape
from deployments.forms import BulkForm, LimitForm
from deployments.models import Deployment, Limit
from deployments.releases import drafts
from deployments.releases.presentation import told_context
from deployments.views.catalog import catalogue_listing
from deployments.views.undo import undo_message
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from dialadmin.navigation import safe_next
from roles.models import Role

SKIPPED = 50  # names of deployments that stay as they are, shown


class NotChosenError(ValueError):
    """It cannot be told which deployments are meant. The text says why, for people."""


@require_POST
@require(Permission.EDIT)
def change(request: StaffRequest) -> HttpResponse:
    """Ask what is still to be said of a change of the chosen deployments, show it, and with `confirmed` do it."""
    form = BulkForm(request.POST)
    if not form.is_valid():
        return _back(request, " ".join(str(problem) for found in form.errors.values() for problem in found))
    verb = form.cleaned_data["verb"]
    limit = _limit_form(request.POST if "state" in request.POST else None) if verb == "limit" else None
    if (verb == "copy" and not form.cleaned_data["source"]) or (limit is not None and not limit.is_valid()):
        return _ask(request, form, limit)
    wish = form.wish(limit.limit() if limit else None)
    try:
        chosen = _chosen(request.POST, wish)
    except NotChosenError as error:
        return _back(request, str(error))
    if request.POST.get("confirmed"):
        version = request.POST.get("version", "")
        try:
            entries, done, skipped = actions.bulk_change(
                deployments=chosen, wish=wish, by=Actor.staff(request.user),
                version=int(version) if version.isdecimal() and len(version) < 19 else -1,
            )  # fmt: skip
        except actions.ConflictError:
            messages.warning(
                request, "The draft was changed meanwhile, so nothing was done. This is what it would do now."
            )
        else:
            text, back = f"{done:,} changed, {skipped:,} stayed as they were.", _origin(request.POST)
            messages.success(request, undo_message(request, text, entries, back) if entries else text)
            return redirect(back)
    return _preview(request, chosen, wish)


@require_GET
@require(Permission.EDIT)
def copy(request: StaffRequest) -> HttpResponse:
    """Ask which role is to get the access of `?source=`."""
    sent = QueryDict(mutable=True)
    sent.update({"verb": "copy", "source": request.GET.get("source", ""), "limits_too": "on"})
    return _ask(request, BulkForm(sent), None)


def _limit_form(sent: QueryDict | None) -> LimitForm:
    version = Version.parse(draft.current().target_version)
    return LimitForm(sent, windows=tuple(shape("Limit", version).fields), initial={"state": "explicit"})


def _ask(request: StaffRequest, form: BulkForm, limit: LimitForm | None) -> HttpResponse:
    """The page for what the lists have no room to ask: the numbers of a limit, or whose access is copied."""
    context = {
        "form": form,
        "limit": limit,
        "roles": form["roles"].value() or (),
        "role_names": Role.objects.values_list("name", flat=True)[:1000],
        "sent": _sent(request.POST, {*form.fields, *(limit.fields if limit else ())} - {"verb"}),
        "verb": form.data.get("verb", ""),
        "back": _origin(request.POST),
    }
    return render(request, "deployments/bulk_ask.html", context, status=400 if limit and limit.errors else 200)


def _preview(request: StaffRequest, chosen: list[Deployment], wish: bulk.Wish) -> HttpResponse:
    version = draft.current().version
    parts = draft.read()
    wanted = {(row.kind, row.name) for row in chosen}
    entries = [entry for entry in parts.deployments if (entry.kind, entry.name) in wanted]
    steps = bulk.plan(wish, entries, bulk.limits_of(parts))
    after = bulk.applied(parts, steps)
    acting = [step for step in steps if not step.skipped]
    staying = [step for step in steps if step.skipped]
    known = set(Role.objects.filter(name__in=wish.roles).values_list("name", flat=True))
    context = {
        "verb": wish.verb,
        "title": bulk.title(wish, len(acting)),
        "unknown": [role for role in wish.roles if role not in known] if wish.verb != "detach" else [],
        "acting": acting,
        "staying": staying[:SKIPPED],
        "more_staying": max(0, len(staying) - SKIPPED),
        "sent": [
            *_sent(request.POST, {"scope", "ids", "version", "confirmed"}),
            ("ids", ",".join(str(row.pk) for row in chosen)),
            ("version", str(version)),
        ],
        "back": _origin(request.POST),
        **told_context(drafts.of_parts(after) if acting else None, tuple(compare(parts, after))),
    }
    return render(request, "deployments/bulk.html", context)


def _sent(sent: QueryDict, without: set[str]) -> list[tuple[str, str]]:
    """What a form carries on to the next page."""
    gone = {*without, "csrfmiddlewaretoken"}
    return [(name, value) for name, values in sent.lists() if name not in gone for value in values]


def _chosen(sent: QueryDict, wish: bulk.Wish) -> list[Deployment]:
    """The deployments that are meant: those ticked, or all that the list's query finds, counted once more.

    To copy the access of a role none need be ticked: then it is all that the role has. Raises NotChosenError.
    """
    ids = [text for value in sent.getlist("ids") for text in value.split(",") if text]
    if sent.get("scope") == "matching":
        listing = catalogue_listing(QueryDict(_query(sent).removeprefix("?")))
        if str(listing.total) != sent.get("expected"):
            raise NotChosenError(
                f"The list has {listing.total:,} deployments now, which is another number than you saw. Nothing was "
                "done: look at the list, and choose again."
            )
        rows = list(listing.queryset[: bulk.MOST + 1])
    elif wish.verb == "copy" and not ids:
        limited = Limit.objects.filter(role__name=wish.source).values("deployment_name")
        reached = Q(roles__name=wish.source) | Q(name__in=limited)
        rows = list(Deployment.objects.filter(reached).distinct().order_by("name")[: bulk.MOST + 1])
        if not rows:
            raise NotChosenError(f"{wish.source} is attached to nothing, so there is nothing to copy.")
    else:
        numbers = {int(text) for text in ids if text.isdecimal() and len(text) < 19}
        rows = list(Deployment.objects.filter(pk__in=numbers).order_by("name")[: bulk.MOST + 1])
    if not rows:
        raise NotChosenError("No deployment is ticked. Tick some, or choose all that match.")
    if len(rows) > bulk.MOST:
        raise NotChosenError(f"More than {bulk.MOST:,} at once is too much to look at. Narrow the list.")
    return rows


def _query(sent: QueryDict) -> str:
    query = sent.get("query", "")
    return query if query.startswith("?") else ""


def _origin(sent: QueryDict) -> str:
    """The page that the form came from."""
    return safe_next(sent.get("next", "")) or f"{reverse('deployments:list')}{_query(sent)}"


def _back(request: StaffRequest, problem: str) -> HttpResponseRedirect:
    messages.error(request, problem)
    return redirect(_origin(request.POST))
