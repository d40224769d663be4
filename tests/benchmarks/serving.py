"""What the benchmark of the download serves: the product's own file, without the sign-in around it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "dialadmin.settings"

import django

import tests.environment  # noqa: F401

django.setup()

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from deployments.access import asking, rows, source  # noqa: E402


def pid(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(os.getpid()))


def warm(request: HttpRequest) -> HttpResponse:
    """Build the index, which every question shares."""
    return HttpResponse(str(len(source.current().people.role_sets[0])))


def matrix(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(asking.understand(asking.Ask()).file(rows.CSV), content_type=rows.CSV.content_type)


urlpatterns = [path("pid", pid), path("warm", warm), path("matrix", matrix)]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application

    global _wsgi
    if _wsgi is None:
        settings.ROOT_URLCONF = __name__
        settings.MIDDLEWARE = []
        settings.ALLOWED_HOSTS = ["127.0.0.1"]
        _wsgi = get_wsgi_application()
    found: Iterable[bytes] = _wsgi(environ, start_response)
    return found


_wsgi: Any = None
