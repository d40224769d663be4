"""What pipelines ask, by token (docs/pipelines.md)."""

from __future__ import annotations

from django.urls import path

from deployments.releases import api

app_name = "api"

urlpatterns = [
    path("releases/latest", api.latest, name="release-latest"),
    path("releases/<int:number>", api.by_number, name="release"),
]
