"""The site map."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("dialadmin.accounts.urls")),
    path("roles/", include("roles.urls")),
    path("deployments/", include("deployments.urls")),
    path("history/", include("dialadmin.history.urls")),
]
