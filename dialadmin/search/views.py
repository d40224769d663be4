"""The page of the search; the dialog on every page asks it for its results alone."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.search.find import find


@require_GET
@require(Permission.READ)
def search(request: StaffRequest) -> HttpResponse:
    """`?q=` finds everything; `&kind=` one kind, with more of it."""
    text = request.GET.get("q", "").strip()
    answer = find(text, request.user, kind=request.GET.get("kind", ""))
    template = "search/_results.html" if getattr(request, "htmx", False) else "search/page.html"
    response = render(request, template, {"q": text, "answer": answer})
    patch_vary_headers(response, ["HX-Request"])
    return response
