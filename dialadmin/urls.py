"""The site map."""

from __future__ import annotations

from django.urls import include, path

from dialadmin import views
from dialadmin.gallery import gallery
from dialadmin.search.views import search

urlpatterns = [
    path("", views.home, name="home"),
    path("theme/", views.theme, name="theme"),
    path("health/", views.health, name="health"),
    path("gallery/", gallery, name="gallery"),
    path("search/", search, name="search"),
    path("accounts/", include("dialadmin.accounts.urls")),
    path("roles/", include("roles.urls")),
    path("roles/", include("deployments.access.group_urls")),
    path("deployments/", include("deployments.urls")),
    path("access/", include("deployments.access.urls")),
    path("releases/", include("deployments.releases.urls")),
    path("api/v1/", include("dialadmin.api_urls")),
    path("history/", include("dialadmin.history.urls")),
]

handler403 = "dialadmin.views.forbidden"
handler404 = "dialadmin.views.not_found"
