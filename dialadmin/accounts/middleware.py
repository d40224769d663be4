"""How long a session lives, and that nobody without a level sees anything."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib import auth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

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
        return render(request, "accounts/no_level.html", {"staff": staff, "levels": levels}, status=403)


level_required = LevelRequired
