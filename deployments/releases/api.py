"""Releases for pipelines: the exact bytes, by token."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

from deployments.releases import reading
from deployments.releases.models import Release
from dialadmin.accounts.permissions import Scope
from dialadmin.accounts.tokens import ApiRequest, bearer, problem
from dialadmin.secrets import UndecryptableError


@bearer(Scope.READ_RELEASE)
def latest(request: ApiRequest) -> HttpResponse:
    made = reading.latest()
    if made is None:
        return problem(404, "Nothing has been released yet.", "Make the first release on the page Review.")
    return _answer(request, made)


@bearer(Scope.READ_RELEASE)
def by_number(request: ApiRequest, number: int) -> HttpResponse:
    made = reading.by_number(number)
    if made is None:
        last = reading.latest()
        known = f"The last is {last.number}." if last else "Nothing has been released yet."
        return problem(404, f"There is no release {number}.", known)
    return _answer(request, made)


def _answer(request: HttpRequest, made: Release) -> HttpResponse:
    """The bytes with their digest as ETag; 304 where the pipeline has them already."""
    etag = f'"{made.digest}"'
    headers = {"ETag": etag, "X-Release": str(made.number)}
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or etag in [tag.removeprefix("W/") for tag in known]:
        return HttpResponseNotModified(headers=headers)
    try:
        data = reading.data(made)
    except (UndecryptableError, reading.DamagedError) as error:
        return problem(500, f"Release {made.number} cannot be read.", str(error))
    return HttpResponse(data, content_type="application/json", headers=headers)
