"""The JSON view of a deployment, a role or an API key: read, edited, compared, saved."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from deployments import actions, draft, entries
from deployments.changes import compare
from deployments.core.versions import Version
from deployments.document import split
from deployments.entries import NotSavedError, Place
from deployments.models import Deployment
from deployments.releases import drafts
from deployments.releases.presentation import told_context
from dialadmin.accounts.guards import Refused, StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from dialadmin.secrets import UndecryptableError
from roles.models import ApiKey, Role


@require_http_methods(["GET", "POST"])
@require(Permission.READ)
def of_deployment(request: StaffRequest, pk: int) -> HttpResponse:
    place = entries.of_deployment(get_object_or_404(Deployment, pk=pk))
    return _page(request, place, back=reverse("deployments:detail", args=[pk]))


@require_http_methods(["GET", "POST"])
@require(Permission.READ)
def of_role(request: StaffRequest, pk: int) -> HttpResponse:
    place = entries.of_role(get_object_or_404(Role, pk=pk))
    return _page(request, place, back=reverse("roles:detail", args=[pk]))


@require_http_methods(["GET", "POST"])
@require(Permission.READ)
def of_key(request: StaffRequest, pk: int) -> HttpResponse:
    place = entries.of_key(get_object_or_404(ApiKey, pk=pk))
    return _page(request, place, back=reverse("deployments:keys"))


def _page(request: StaffRequest, place: Place, *, back: str) -> HttpResponse:
    """The entry; a POST shows what its text would change, and with `save` changes it."""
    if request.method == "POST" and not request.user.may(Permission.EDIT):
        raise Refused(Permission.EDIT)
    document = draft.document()
    now = place.value(document)
    if place.kind == "role" and not now:
        now = {"limits": {}}
    text, secrets = entries.masked(place, now)
    context: dict[str, object] = {
        "place": place,
        "back": back,
        "text": text,
        "rows": min(40, text.count("\n") + 3),
        "secrets": len(secrets),
        "seen": entries.fingerprint(place.value(document)),
    }
    if request.method != "POST":
        return render(request, "deployments/json.html", context)
    text = request.POST.get("text", "").replace("\r\n", "\n")
    seen = request.POST.get("seen", "")
    context |= {"text": text, "seen": seen}
    if not entries.is_fingerprint(seen, place.value(document)):
        context["conflict"] = True
        return render(request, "deployments/json.html", context, status=409)
    try:
        known = entries.unseal(request.POST["sealed"]) if request.POST.get("sealed") else secrets
        value = entries.read(place, text, known)
        judged = entries.judge(place, text, value, document, Version.parse(draft.current().target_version))
        if errors := [problem for problem, finding in judged if finding.severity == "error"]:
            raise NotSavedError(errors)
    except NotSavedError as error:
        return render(request, "deployments/json.html", {**context, "problems": error.problems}, status=400)
    except UndecryptableError:
        return render(request, "deployments/json.html", {**context, "conflict": True}, status=400)
    if "save" in request.POST:
        try:
            saved = actions.change_entry(place=place, value=value, seen=seen, by=Actor.staff(request.user))
        except actions.ConflictError:
            return render(request, "deployments/json.html", {**context, "conflict": True}, status=409)
        messages.success(request, f"{place.title} was changed." if saved else "Nothing was different.")
        return redirect(back)
    # What was typed anew is a secret from now on: the text goes on with masks, their values sealed.
    text, secrets = entries.masked(place, value)
    changes = compare(split(place.alone(now)), split(place.alone(value)))
    context |= {
        "text": text,
        "sealed": entries.seal(secrets),
        **told_context(drafts.of_parts(split(place.replaced(document, value))), tuple(changes)),
        "findings": [finding for _, finding in judged if finding.severity == "warning"],
        "previewed": True,
    }
    return render(request, "deployments/json.html", context)
