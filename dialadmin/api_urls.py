"""What pipelines ask, by token (docs/pipelines.md)."""

from __future__ import annotations

from django.urls import path

from deployments.access import api as audit
from deployments.releases import api as releases

app_name = "api"

urlpatterns = [
    path("releases/latest", releases.latest, name="release-latest"),
    path("releases/<int:number>", releases.by_number, name="release"),
    path("audit/access", audit.access, name="audit"),
]
