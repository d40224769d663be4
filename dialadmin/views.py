"""The pages that belong to no app: home, errors, health, the choice of theme."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import connection
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from deployments import draft
from deployments.checks import draft_findings
from deployments.models import Deployment
from deployments.releases import proof
from dialadmin.accounts.guards import Refused, StaffRequest, require
from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import PERMISSIONS, Level, Permission, groups_of
from dialadmin.context_processors import THEME_COOKIE, THEMES
from dialadmin.history.models import Entry
from dialadmin.navigation import safe_next
from roles.models import ApiKey, Role, SyncRun, User

# Acts by which a release came into somebody's hands; an export of the draft is none.
DELIVERED = ("publication.published", "publication.unchanged", "release.downloaded")
GOOD_SYNCS = (SyncRun.State.APPLIED, SyncRun.State.UNCHANGED)


@require_GET
@require(Permission.READ)
def home(request: StaffRequest) -> HttpResponse:
    """Where things stand, and what to do next."""
    row = draft.current()
    findings = draft_findings()
    syncs = SyncRun.objects.filter(dry_run=False)
    last_good = syncs.filter(state__in=GOOD_SYNCS).first()
    access = dict(Deployment.objects.values_list("access").annotate(n=Count("pk")).order_by())
    people = User.objects.filter(gone_at=None)
    total = sum(access.values())
    errors = sum(1 for finding in findings if finding.severity == "error")
    tiles = [
        ("Deployments", total, reverse("deployments:list"), f"{access.get('open', 0)} open to everyone"),
        ("Groups", Role.objects.filter(pool=Role.Pool.PRESENT).count(), reverse("roles:list"), "in the pool"),
        ("People", people.count(), reverse("roles:users"), f"{people.filter(enabled=False).count()} disabled"),
        ("API keys", ApiKey.objects.count(), reverse("deployments:keys"), "programs that call DIAL"),
    ]
    steps = [
        (last_good is not None, "Read the pool", "Groups and people come from Cognito.", reverse("roles:syncs")),
        (total > 0, "Import the settings", "The file that DIAL Core uses today.", reverse("deployments:import")),
        (errors == 0 and total > 0, "Mend the errors", "What Core would refuse.", reverse("deployments:checks")),
        (
            Entry.objects.filter(act__in=DELIVERED).exists(),
            "Review and release",
            "Review what changes for people; then bring it to DIAL Core.",
            reverse("releases:review"),
        ),
    ]
    return render(
        request,
        "home.html",
        {
            "tiles": tiles,
            "last_sync": syncs.first(),
            "last_good_sync": last_good,
            "sync_is_old": _is_old(last_good),
            "draft": row,
            "standing": proof.standing(),
            "errors": errors,
            "warnings": sum(1 for finding in findings if finding.severity == "warning"),
            "steps": [] if all(done for done, *_ in steps) else steps,
            "recent": Entry.objects.exclude(act__startswith="staff.").select_related("undone_by")[:8],
        },
    )


def _is_old(last_good: SyncRun | None) -> bool:
    """Whether the last good sync is older than it should be. One that never was is a step to do, not a warning."""
    since = last_good.finished_at if last_good else None
    return since is not None and timezone.now() - since > timedelta(hours=settings.SYNC_MAX_AGE)


@require_POST
@login_not_required
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or the system's choice in a cookie, and go back to the page."""
    response = redirect(safe_next(request.POST.get("next", "")) or "/")
    chosen = request.POST.get("theme", "")
    response.set_cookie(
        THEME_COOKIE,
        chosen if chosen in THEMES else THEMES[0],
        max_age=365 * 24 * 3600,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )
    return response


@require_GET
@login_not_required
def health(request: HttpRequest) -> JsonResponse:
    """For load balancers: 200 when the process and its database answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was open for too long, or came from elsewhere."""
    return render(request, "403_csrf.html", {"reason": reason}, status=403)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Signed in, with too low a level: say what is lacking and which groups have it."""
    permission = exception.permission if isinstance(exception, Refused) else Permission.READ
    levels = [(Level(level).label, groups_of(level)) for level, granted in PERMISSIONS.items() if permission in granted]
    return render(request, "403.html", {"permission": permission.value, "levels": levels}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Nothing is here. Somebody who is signed out learns no more than that."""
    staff = getattr(request, "user", None)
    known = isinstance(staff, Staff) and staff.may(Permission.READ)
    return render(request, "404.html" if known else "404_bare.html", status=404)
