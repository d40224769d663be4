"""The setup page: the pool against what DIAL needs of it, and the values to paste."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from roles import actions, inspection, setup
from roles.reading import CognitoError

KEPT = 60  # seconds for which a look at the pool is believed; the button looks again


@require_GET
@require(Permission.READ)
def setup_page(request: StaffRequest) -> HttpResponse:
    """Reads the pool when nobody has within the last minute, and changes nothing."""
    return _page(request)


@require_POST
@require(Permission.READ)
def setup_again(request: StaffRequest) -> HttpResponse:
    """Forget the last look, and look anew."""
    cache.delete(_key())
    return redirect("roles:setup")


@require_POST
@never_cache
@require(Permission.RELEASE)
def setup_secret(request: StaffRequest) -> HttpResponse:
    """Show the secret of Chat's app client, this once. It is noted in history that it was shown, never what it is."""
    asked = inspection.wanted()
    try:
        secret = inspection.client_secret(asked)
    except CognitoError as error:
        messages.error(request, str(error))
        return redirect("roles:setup")
    actions.note_secret_shown(client_id=asked.client_of_chat, by=Actor.staff(request.user))
    return _page(request, secret=secret, secret_asked=True)


def _key() -> str:
    return f"setup:{settings.COGNITO_USER_POOL_ID}:{settings.OIDC_RP_CLIENT_ID}"


def _page(request: StaffRequest, **more: Any) -> HttpResponse:
    asked = inspection.wanted()
    context: dict[str, Any] = {"wanted": asked, **more}
    known = cache.get(_key())
    try:
        facts, looked_at = known or (inspection.inspect(asked), timezone.now())
    except CognitoError as error:
        return render(request, "roles/setup.html", {**context, "trouble": str(error)}, status=503)
    if known is None:
        cache.set(_key(), (facts, looked_at), KEPT)
    points = setup.points(facts, asked)
    context |= {
        "looked_at": looked_at,
        "points": points,
        "faults": sum(point.state == "fault" for point in points),
        "unknown": sum(point.state == "unknown" for point in points),
    }
    issuer = facts.issuer or asked.issuer
    if issuer:
        chat = setup.chat_values(issuer, asked.client_of_chat)
        core = setup.core_values(issuer, secrets.token_urlsafe(24), settings.PUBLISHER_GROUPS)
        context |= {
            "issuer": issuer,
            "pattern": setup.issuer_pattern(issuer),
            "chat_environment": setup.as_environment(chat),
            "core_environment": setup.as_environment(core, "aidial."),
            "helm": setup.as_helm(chat, core),
            "core_json": setup.as_json(core),
        }
    return render(request, "roles/setup.html", context)
