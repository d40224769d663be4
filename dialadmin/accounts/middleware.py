"""How long a session lives, how one is asked to sign in, and that nobody without a level sees anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Level, groups_of

GetResponse = Callable[[HttpRequest], HttpResponse]

SIGNED_IN_AT = "signed_in_at"  # session key: seconds since 1970


def session_lifetime(get_response: GetResponse) -> GetResponse:
    """End a session some hours after sign-in, used or not: levels are read at sign-in alone."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            started = request.session.setdefault(SIGNED_IN_AT, time.time())
            if time.time() - started > settings.SESSION_MAX_HOURS * 3600:
                auth.logout(request)
        return get_response(request)

    return middleware


class SignInRequired(LoginRequiredMiddleware):
    """Django's, which sends people to sign-in and back; and for what cannot be come back to, back to its page.

    A form is not sent again after sign-in, and what htmx asks for is a part of a page, which must not follow a
    redirect to another site.
    """

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseRedirect:
        htmx = request.headers.get("HX-Request") == "true"
        if request.method in ("GET", "HEAD") and not htmx:
            return super().handle_no_permission(request, view_func)
        page = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
        path = page._replace(scheme="", netloc="", fragment="").geturl() if page.netloc == request.get_host() else "/"
        address = f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': path})}"
        if htmx:
            return HttpResponseClientRedirect(address)  # type: ignore[return-value]  # a redirect that htmx makes
        return redirect(address)


class LevelRequired:
    """Somebody who is signed in and in none of the groups gets the page that names the groups, and nothing else."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: object, kwargs: object
    ) -> HttpResponse | None:
        if not getattr(view, "login_required", True):  # the pages for everybody: sign-in, sign-out, health
            return None
        staff = request.user
        if not isinstance(staff, Staff) or staff.level != Level.NONE:
            return None
        levels = [(level.label, groups_of(level)) for level in (Level.AUDITOR, Level.EDITOR, Level.PUBLISHER)]
        response = render(request, "accounts/no_level.html", {"staff": staff, "levels": levels}, status=403)
        response.headers["HX-Refresh"] = "true"  # a part of a page that was open is not replaced by this one
        return response


sign_in_required = SignInRequired
level_required = LevelRequired
