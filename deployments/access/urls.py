from __future__ import annotations

from django.urls import URLPattern, path

from deployments.access.views import downloads

app_name = "access"

answers = [
    path("download/", downloads.download, name="download"),
]

urlpatterns: list[URLPattern] = [*answers]
