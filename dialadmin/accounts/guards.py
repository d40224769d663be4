"""The one way to guard a view. A test walks the URL resolver and fails on a view without a guard."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase

from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Permission

P = ParamSpec("P")


class StaffRequest(HttpRequest):
    """A request behind `require`: somebody with a level is signed in."""

    user: Staff


class Refused(PermissionDenied):
    """The person in front of the page may not do this; the 403 page names the permission they lack."""

    def __init__(self, permission: Permission) -> None:
        super().__init__(permission.value)
        self.permission = permission


def require(
    permission: Permission,
) -> Callable[
    [Callable[Concatenate[StaffRequest, P], HttpResponseBase]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]
]:
    """Let a view answer only those whose level holds the permission; raises Refused (403) for others.

    Signing in is asked for earlier, by the login-required middleware.
    """

    def decorate(
        view: Callable[Concatenate[StaffRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.may(permission):
                raise Refused(permission)
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]  # read by the test of the URL map
        return guarded

    return decorate
