"""How a pipeline proves who it is: the guard of every URL below /api/."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from dialadmin.accounts import actions
from dialadmin.accounts.models import ApiToken
from dialadmin.accounts.permissions import Scope

P = ParamSpec("P")


class ApiRequest(HttpRequest):
    """A request behind `bearer`."""

    token: ApiToken


def problem(status: int, error: str, mend: str, **headers: str) -> JsonResponse:
    """An error as the API says it: what is wrong, and what to do."""
    return JsonResponse({"error": error, "mend": mend}, status=status, headers=headers)


def bearer(
    scope: Scope,
) -> Callable[
    [Callable[Concatenate[ApiRequest, P], HttpResponseBase]], Callable[Concatenate[HttpRequest, P], HttpResponseBase]
]:
    """Let a view answer GET to those whose token has the scope: 401 without a valid token, 403 without the scope.

    It asks for no sign-in, and looks at no cookie, so that no session gets in. Each answer that hands something
    out is noted in history; one that says that nothing is new is not.
    """

    def decorate(
        view: Callable[Concatenate[ApiRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def guarded(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            found = _token(request)
            if isinstance(found, HttpResponse):
                return found
            if scope not in found.scopes:
                actions.token_refused(token=found, what=request.path, why="it lacks the scope")
                return problem(
                    403,
                    f"The token {found.name} may not {scope.label}.",
                    f"Make a token that may: My account, API tokens. It needs the scope {scope.value}.",
                    **{"WWW-Authenticate": f'Bearer realm="dialadmin", error="insufficient_scope", scope="{scope}"'},
                )
            if request.method not in ("GET", "HEAD"):
                return problem(405, f"{request.method} is not allowed here.", "Use GET.", Allow="GET, HEAD")
            request.token = found
            response = view(request, *args, **kwargs)
            if response.status_code in (200, 304):
                actions.token_used(
                    token=found, what=request.get_full_path()[:500], delivered=response.status_code == 200
                )
            return response

        guarded.scope = scope  # type: ignore[attr-defined]  # read by the test of the URL map
        return csrf_exempt(login_not_required(guarded))

    return decorate


def _token(request: HttpRequest) -> ApiToken | HttpResponse:
    """The valid token of a request, or the answer that says why there is none."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        return _unauthorized(
            "This address takes a token.",
            "Send the header “Authorization: Bearer TOKEN”. A publisher makes tokens under My account, API tokens.",
        )
    token = ApiToken.objects.filter(digest=actions.token_digest(text.strip())).first()
    if token is None:
        return _unauthorized(
            "The token is not known.", "Check that it was copied whole, or make another.", "invalid_token"
        )
    if token.state != "valid":
        actions.token_refused(token=token, what=request.path, why=f"it is {token.state}")
        return _unauthorized(f"The token {token.name} is {token.state}.", "A publisher makes another.", "invalid_token")
    return token


def _unauthorized(error: str, mend: str, code: str = "") -> HttpResponse:
    detail = f', error="{code}"' if code else ""
    return problem(401, error, mend, **{"WWW-Authenticate": f'Bearer realm="dialadmin"{detail}'})
