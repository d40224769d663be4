"""What one role or one user reaches, by the draft."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from deployments import draft
from deployments.core.access import admitting_roles, is_allowed
from deployments.core.limits import effective
from deployments.core.load import Settings, load
from deployments.core.versions import Version
from deployments.document import SECTIONS
from deployments.limits import WINDOWS, Window, state
from deployments.models import Deployment
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from roles.models import Role, User

KINDS = {path[-1]: kind for kind, path in SECTIONS.items()}


@dataclass(frozen=True)
class Row:
    """One deployment that somebody reaches. `via` is empty when it is open to everyone."""

    pk: int | None  # None for the base assistant, which Core adds by itself
    kind: str
    name: str
    via: list[str]
    state: str  # "unlimited", "limited", "denied", or "failed" where Core answers 500
    values: list[tuple[Window, int]]


def reached(settings: Settings, roles: AbstractSet[str], ids: dict[tuple[str, str], int]) -> list[Row]:
    """Everything that Core lets in somebody with exactly these roles, with the limit in effect."""
    rows = []
    for deployment in settings.deployments:
        if not is_allowed(deployment, roles):
            continue
        kind = KINDS[deployment.section]
        result = effective(settings, deployment, roles)
        numbers = result.as_dict()
        rows.append(
            Row(
                pk=ids.get((kind, deployment.name)),
                kind=kind,
                name=deployment.name,
                via=sorted(admitting_roles(deployment, roles)),
                state="failed" if result.failing else state(numbers),
                values=[(window, numbers[window.field]) for window in WINDOWS if window.field in numbers],
            )
        )
    return rows


def _page(
    request: StaffRequest, *, subject: str, kind: str, url: str, roles: list[str], gone: str = ""
) -> HttpResponse:
    settings = load(draft.document(), Version.parse(draft.current().target_version)).settings
    rows: list[Row] = []
    hidden = 0
    if settings is None:
        gone = "Core would refuse the draft as it is, so nothing can be said. Look at the checks."
    elif not gone:
        ids = {(kind, name): pk for pk, kind, name in Deployment.objects.values_list("pk", "kind", "name")}
        rows = reached(settings, frozenset(roles), ids)
        hidden = len(settings.deployments) - len(rows)
    return render(
        request,
        "deployments/reach.html",
        {
            "subject": subject,
            "subject_kind": kind,
            "subject_url": url,
            "roles": roles,
            "rows": rows,
            "hidden": hidden,
            "gone": gone,
        },
    )


@require_GET
@require(Permission.READ)
def of_role(request: StaffRequest, pk: int) -> HttpResponse:
    role = get_object_or_404(Role, pk=pk)
    return _page(request, subject=role.name, kind="role", url=reverse("roles:detail", args=[pk]), roles=[role.name])


@require_GET
@require(Permission.READ)
def of_user(request: StaffRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    names = user.memberships.filter(until=None).order_by("role__name").values_list("role__name", flat=True)
    gone = ""
    if user.gone_at is not None:
        gone = f"{user} has gone from the pool and reaches nothing."
    elif not user.enabled:
        gone = f"{user} is disabled in the pool: they get no token, so they reach nothing."
    return _page(
        request, subject=str(user), kind="user", url=reverse("roles:user", args=[pk]), roles=list(names), gone=gone
    )
