"""The pages that change groups of the pool. They stand among those of roles, which may not know of deployments."""

from __future__ import annotations

from django.urls import URLPattern, path

from deployments.access.views import membership

app_name = "groups"

urlpatterns: list[URLPattern] = [
    path("<int:pk>/create-group/", membership.create, name="create"),
    path("members/add/", membership.add, name="add"),
    path("members/remove/", membership.remove, name="remove"),
]
