"""Signing in and out, and the pages around it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_POST
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from dialadmin.accounts import actions, pending
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.middleware import SIGNED_IN_AT
from dialadmin.accounts.models import Staff
from dialadmin.accounts.oidc import SignInError, callback_url, logout_url
from dialadmin.accounts.pending import Pending
from dialadmin.accounts.permissions import DESCRIPTIONS, Permission, groups_of
from dialadmin.navigation import safe_next

log = logging.getLogger(__name__)

NEXT_LENGTH = 400  # of an address to come back to; it travels in a cookie

# What an authorization endpoint may answer instead of a code (RFC 6749, 4.1.2.1, and OpenID Connect Core 3.1.2.6).
CANCELLED = {
    "access_denied",
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
}
REFUSED = {
    "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error",
    "temporarily_unavailable", "invalid_request_object", "invalid_request_uri", "request_not_supported",
}  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """What a person reads when sign-in fails: what happened, what they can do, and what their administrator can."""

    title: str
    text: str
    operator: str = ""


FAILURES = {
    "cancelled": Failure(
        "Sign-in was cancelled",
        "Cognito sent you back without signing you in, and nothing was changed. Sign in again when you are ready.",
    ),
    "refused": Failure(
        "Cognito refused the sign-in",
        "Try again in a minute. If it is refused again, tell whoever runs this dashboard.",
        "The history of this dashboard has Cognito's error code. Usual causes are a callback URL or a scope that the "
        "app client does not allow, and a Lambda trigger of the pool that fails.",
    ),
    "state": Failure(
        "This sign-in is no longer valid",
        "It took longer than ten minutes, was used already, or was begun in another browser. Sign in again from here; "
        "cookies have to be allowed for this site.",
    ),
    "code": Failure(
        "Cognito did not accept the sign-in",
        "The code that it gave you is used up or expired, as after going back or reloading. Sign in again.",
        "If it happens at every sign-in: PUBLIC_URL has to be the very address that is registered as callback URL.",
    ),
    "client": Failure(
        "Cognito does not know this dashboard",
        "You cannot mend this yourself: tell whoever runs this dashboard.",
        "Compare OIDC_CLIENT_ID and OIDC_CLIENT_SECRET with the app client of the pool, and see that it allows the "
        "authorization code grant.",
    ),
    "token": Failure(
        "Your token was not accepted",
        "What Cognito sent is not meant for this dashboard, so nobody was signed in. Try once more; if it fails again, "
        "tell whoever runs this dashboard.",
        "The history of this dashboard says what was wrong with the token. Usual causes are an OIDC_ISSUER of another "
        "pool and an OIDC_CLIENT_ID of another app client.",
    ),
    "clock": Failure(
        "The clocks do not agree",
        "The time of Cognito's token does not fit the time of this dashboard's machine, so nobody was signed in. Tell "
        "whoever runs this dashboard.",
        "Set the clock of the machine (NTP). Up to a minute of difference is accepted.",
    ),
    "unreachable": Failure(
        "Cognito cannot be reached",
        "This dashboard got no usable answer from Cognito. Your account is not the cause: try again in a minute.",
        "See that this machine reaches OIDC_DOMAIN and OIDC_ISSUER over HTTPS, and that both are right.",
    ),
    "inactive": Failure(
        "Your access is switched off",
        "Cognito knows you, but this dashboard was told not to let you in. Ask whoever runs it, or sign in as somebody "
        "else.",
    ),
}
UNKNOWN = Failure("Sign-in failed", "Sign in again. If it fails again, tell whoever runs this dashboard.")


@method_decorator(login_not_required, name="dispatch")
class SignIn(OIDCAuthenticationRequestView):  # type: ignore[misc]  # the library has no types
    """Begin the authorization-code flow, with state, nonce and PKCE. `?next=` is kept with the state."""

    def get(self, request: HttpRequest) -> HttpResponse:
        # The library notes state, nonce and verifier in the session. They leave in a cookie of their own instead,
        # so that a stranger's visit writes nothing into the database.
        session, noted = request.session, dict[str, Any]()
        request.session = noted  # type: ignore[assignment]
        try:
            response: HttpResponse = super().get(request)
        finally:
            request.session = session
        ((state, entry),) = noted["oidc_states"].items()
        begun = Pending(
            state, entry["nonce"], entry["code_verifier"], safe_next(request.GET.get("next", ""), NEXT_LENGTH)
        )
        pending.remember(begun, request=request, response=response)
        return response

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        return {"redirect_uri": callback_url()}


@method_decorator(login_not_required, name="dispatch")
class Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]  # the library has no types
    """Where Cognito sends people back to. Each failure is a page that says what to do, and a history entry.

    A refused sign-in ends the session that this browser had, so that no old level outlives the refusal. A request
    whose state this browser did not begin proves nothing and ends nothing: anybody can make a link.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        begun = pending.find(request.GET.get("state", ""), request=request)
        if begun is None:
            return self.refuse(SignInError("state", "its state is not one that this browser began with"))
        try:
            self.user = self.person(begun)
        except SignInError as error:
            auth.logout(request)
            response = self.refuse(error)
        else:
            self.begin_session()
            response = redirect(begun.next_url or settings.LOGIN_REDIRECT_URL)
        pending.forget(begun.state, response=response)
        return response

    def person(self, begun: Pending) -> Staff:
        """Who came back; raises SignInError."""
        if error := self.request.GET.get("error"):
            # Only words of the standard are repeated: the address may be anybody's writing.
            word = error if error in CANCELLED | REFUSED else "an unknown error"
            reason = "cancelled" if error in CANCELLED else "refused"
            raise SignInError(reason, f"Cognito answered {word} instead of a code")
        staff = auth.authenticate(self.request, nonce=begun.nonce, code_verifier=begun.code_verifier)
        if not isinstance(staff, Staff):
            raise SignInError("code", "Cognito sent neither a code nor an error")
        return staff

    def begin_session(self) -> None:
        # A session that somebody had before, or that was planted, does not live on.
        self.request.session.flush()
        auth.login(self.request, self.user)
        self.request.session[SIGNED_IN_AT] = datetime.now(UTC).timestamp()

    def refuse(self, error: SignInError) -> HttpResponse:
        log.warning("sign-in failed (%s): %s", error.reason, error)
        actions.sign_in_failed(reason=error.reason, text=str(error), staff=error.staff)
        return redirect(f"{reverse('accounts:failed')}?reason={error.reason}")


@require_GET
@login_not_required
def failed(request: HttpRequest) -> HttpResponse:
    """Why nobody was signed in. It leads on only when somebody presses a button, so it never loops."""
    failure = FAILURES.get(request.GET.get("reason", ""), UNKNOWN)
    return render(request, "accounts/failed.html", {"failure": failure}, status=403)


@require_GET
@login_not_required
def signed_out(request: HttpRequest) -> HttpResponse:
    return render(request, "accounts/signed_out.html")


@require_POST
@login_not_required
def sign_out(request: HttpRequest) -> HttpResponse:
    """End our session, then Cognito's, which would otherwise sign the next person in without asking."""
    if isinstance(request.user, Staff):
        actions.sign_out(staff=request.user)
    auth.logout(request)
    return redirect(logout_url(request))


@require_GET
@require(Permission.READ)
def me(request: StaffRequest) -> HttpResponse:
    """Who I am to this dashboard, through which groups, and until when."""
    started = datetime.fromtimestamp(request.session[SIGNED_IN_AT], UTC)
    giving = groups_of(request.user.level)
    return render(
        request,
        "accounts/me.html",
        {
            "staff": request.user,
            "description": DESCRIPTIONS[request.user.level],
            "through": [name for name in request.user.groups if name in giving],
            "started": started,
            "ends": started + timedelta(hours=settings.SESSION_MAX_HOURS),
            "idle_minutes": settings.SESSION_COOKIE_AGE // 60,
        },
    )
