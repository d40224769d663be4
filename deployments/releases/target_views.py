"""Targets: what they hold, publishing to them, looking again. Pages read the database alone; posts go out."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments.releases import proof, publishing, reading, targets
from deployments.releases.models import Proof, Publication, Release
from deployments.releases.targets.interface import Target, TargetError
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from dialadmin.secrets import UndecryptableError

TELL = {
    Proof.State.SAME: messages.success,
    Proof.State.DRIFTED: messages.warning,
    Proof.State.UNREACHABLE: messages.error,
    Proof.State.UNKNOWN: messages.info,
}


@require_GET
@require(Permission.READ)
def target_list(request: StaffRequest) -> HttpResponse:
    return render(request, "releases/targets.html", {"standing": proof.standing(), "core_url": settings.CORE_URL})


@require_POST
@require(Permission.EDIT)
def check(request: StaffRequest) -> HttpResponse:
    """Look at one place again (`place`), or at all of them, and go back to the page."""
    back = "home" if request.POST.get("back") == "home" else "releases:targets"
    place = request.POST.get("place", "")
    by = Actor.staff(request.user)
    known = targets.configured()
    wanted = list(known.values()) if not place else [known[place]] if place in known else []
    try:
        found = [proof.check_target(target, by=by) for target in wanted]
        core = proof.check_core(by=by) if place in ("", Proof.CORE) else None
    except (UndecryptableError, reading.DamagedError) as error:
        messages.error(request, str(error))
        return redirect(back)
    if core is not None:
        found.append(core)
    if not found:
        messages.info(request, "There is nothing of this name to look at.")
    for one in found:
        TELL[Proof.State(one.state)](request, proof.told(one)[0])
    return redirect(back)


@require_http_methods(["GET", "POST"])
@require(Permission.RELEASE)
def publish(request: StaffRequest, number: int) -> HttpResponse:
    """Ask where to; the POST publishes, reads back, and asks Core."""
    release = reading.by_number(number)
    if release is None:
        raise Http404(f"There is no release {number}.")
    if request.method == "POST":
        target = targets.configured().get(request.POST.get("target", ""))
        if target is None:
            messages.error(request, "Choose one of the targets.")
            return redirect("releases:publish", number=number)
        _publish(request, release, target)
        return redirect("releases:targets")
    standing = proof.standing()
    asked = request.GET.get("target", "")
    names = [place.target.name for place in standing.places]
    return render(
        request,
        "releases/publish.html",
        {"release": release, "standing": standing, "chosen": asked if asked in names else next(iter(names), "")},
    )


def _publish(request: StaffRequest, release: Release, target: Target) -> None:
    """Publish, and tell in messages what came of it."""
    by, number = Actor.staff(request.user), release.number
    try:
        row = publishing.publish(release=release, target=target, by=by)
        if row.state == Publication.State.FAILED:
            messages.error(request, f"Release {number} was not published to {target.name}. {row.error}")
            return
        if row.state == Publication.State.UNCHANGED:
            messages.info(request, f"{target.name} holds release {number} already; nothing was written.")
        else:
            done = f"Release {number} is published to {target.name}, and read back from there."
            messages.success(request, f"{done} {row.error}".rstrip())
        core = proof.after_publishing(target, by=by)
    except (publishing.AlreadyPublishingError, TargetError, UndecryptableError, reading.DamagedError) as error:
        messages.error(request, str(error))
        return
    if core is not None:
        TELL[Proof.State(core.state)](request, proof.told(core)[0])
