"""Signing in and out, and the pages around it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from dialadmin.accounts import actions
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.middleware import SIGNED_IN_AT
from dialadmin.accounts.models import Staff
from dialadmin.accounts.oidc import SignInError, callback_url, logout_url
from dialadmin.accounts.permissions import DESCRIPTIONS, Permission

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """What a person reads when sign-in fails."""

    title: str
    text: str


FAILURES = {
    "cancelled": Failure("Sign-in was cancelled", "Cognito sent you back without signing you in. Try again."),
    "state": Failure(
        "This sign-in is too old",
        "It was begun in another browser, too long ago, or used already. Begin again, and keep cookies allowed.",
    ),
    "code": Failure(
        "Cognito did not accept the sign-in",
        "The code it gave is used up, or the app client's secret is wrong. Try again; if it fails again, "
        "whoever runs this dashboard should look at OIDC_CLIENT_ID and OIDC_CLIENT_SECRET.",
    ),
    "token": Failure(
        "Your token was not accepted",
        "What Cognito sent does not fit this dashboard: another pool, another app client, or a wrong clock. "
        "Whoever runs this dashboard finds the reason in its history.",
    ),
    "unreachable": Failure(
        "Cognito cannot be reached",
        "This dashboard got no usable answer from Cognito. Try again in a minute.",
    ),
    "inactive": Failure("Your access is switched off", "Ask whoever runs this dashboard."),
}
UNKNOWN = Failure("Sign-in failed", "Try again. If it fails again, ask whoever runs this dashboard.")


@method_decorator(login_not_required, name="dispatch")
class SignIn(OIDCAuthenticationRequestView):  # type: ignore[misc]  # the library has no types
    """Begin the authorization-code flow. `?next=` is kept with the state, so that two tabs do not mix."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not settings.OIDC_DOMAIN:
            return render(request, "accounts/failed.html", {"failure": UNKNOWN}, status=500)
        response: HttpResponseRedirect = super().get(request)
        states = request.session["oidc_states"]
        newest = list(states)[-1]
        asked = request.GET.get("next", "")
        safe = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
        states[newest]["next"] = asked if safe else ""
        request.session.pop("oidc_login_next", None)
        request.session.modified = True
        return response

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        return {"redirect_uri": callback_url()}


@method_decorator(login_not_required, name="dispatch")
class Callback(OIDCAuthenticationCallbackView):  # type: ignore[misc]  # the library has no types
    """Where Cognito sends people back to. Each failure is a page that says what to do, and a history entry."""

    def get(self, request: HttpRequest) -> HttpResponse:
        states = request.session.get("oidc_states", {})
        state = states.get(request.GET.get("state", ""))
        self.next_url = (state or {}).get("next", "")
        try:
            if request.GET.get("error"):
                if state:
                    del states[request.GET["state"]]
                    request.session.modified = True
                raise SignInError("cancelled", "Cognito reported an error instead of a code")
            if state is None or not request.GET.get("code"):
                raise SignInError("state", "the state is not one that this browser's session began with")
            response: HttpResponse = super().get(request)
        except SignInError as error:
            return self.failed(error)
        return response

    def failed(self, error: SignInError) -> HttpResponse:
        """End whatever session there was, note the failure, and go to the page that explains it."""
        log.warning("sign-in failed: %s", error)
        if self.request.user.is_authenticated:
            auth.logout(self.request)
        actions.sign_in_failed(reason=error.reason, text=str(error))
        return redirect(f"{reverse('accounts:failed')}?reason={error.reason}")

    def login_failure(self) -> HttpResponse:
        return self.failed(SignInError("state", "the sign-in could not be completed"))

    def login_success(self) -> HttpResponse:
        # A session that somebody had before, or that was planted, does not live on.
        self.request.session.flush()
        auth.login(self.request, self.user)
        self.request.session[SIGNED_IN_AT] = datetime.now(UTC).timestamp()
        return redirect(self.next_url or settings.LOGIN_REDIRECT_URL)


@require_GET
@login_not_required
def failed(request: HttpRequest) -> HttpResponse:
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
    """Who I am to this dashboard, and until when."""
    started = datetime.fromtimestamp(request.session[SIGNED_IN_AT], UTC)
    return render(
        request,
        "accounts/me.html",
        {
            "staff": request.user,
            "description": DESCRIPTIONS[request.user.level],
            "started": started,
            "ends": started + timedelta(hours=settings.SESSION_MAX_HOURS),
            "idle_minutes": settings.SESSION_COOKIE_AGE // 60,
        },
    )
