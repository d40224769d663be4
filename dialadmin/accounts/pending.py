"""Sign-ins that were begun and not finished: one small signed cookie each.

In the session they would be a database row for each stranger who opens a page, and tabs that a browser
opens together would overwrite one another's. A cookie of its own per sign-in costs nothing here, binds
the sign-in to the browser that began it, and is gone when the browser comes back or after ten minutes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

PREFIX = "dialadmin_sign_in_"
LIVES = 10 * 60  # seconds to sign in at Cognito
AT_ONCE = 8  # sign-ins of one browser; more cookies would outgrow what servers accept as a header
STATE = re.compile(r"[A-Za-z0-9]{16,64}")


@dataclass(frozen=True)
class Pending:
    """What a browser has to know again when it comes back from Cognito."""

    state: str
    nonce: str
    code_verifier: str
    next_url: str  # a path of ours, or ""


def remember(begun: Pending, *, request: HttpRequest, response: HttpResponse) -> None:
    """Give the browser a cookie for this sign-in, and take its oldest ones when it has many."""
    # Browsers send cookies of one path in the order of their creation (RFC 6265, 5.4).
    others = [name.removeprefix(PREFIX) for name in request.COOKIES if name.startswith(PREFIX)]
    for state in others[: max(0, len(others) - AT_ONCE + 1)]:
        forget(state, response=response)
    response.set_cookie(
        PREFIX + begun.state,
        signing.dumps([begun.nonce, begun.code_verifier, begun.next_url], salt=PREFIX + begun.state),
        max_age=LIVES,
        path=_path(),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",  # Strict would keep it from the way back
    )


def find(state: str, *, request: HttpRequest) -> Pending | None:
    """The sign-in that this browser began with this state, if it did so within the last ten minutes."""
    if not STATE.fullmatch(state):
        return None
    try:
        values = signing.loads(request.COOKIES.get(PREFIX + state, ""), salt=PREFIX + state, max_age=LIVES)
    except signing.BadSignature:
        return None
    return Pending(state, *values)


def forget(state: str, *, response: HttpResponse) -> None:
    response.delete_cookie(PREFIX + state, path=_path(), samesite="Lax")


def _path() -> str:
    """Below which both the start and the way back lie."""
    return reverse("accounts:sign-in").rsplit("/", 2)[0] + "/"
