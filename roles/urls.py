from __future__ import annotations

from django.urls import path

from roles import setup_views, views

app_name = "roles"

roles = [
    path("", views.role_list, name="list"),
    path("new/", views.role_create, name="create"),
    path("<int:pk>/", views.role_detail, name="detail"),
]

users = [
    path("users/", views.user_list, name="users"),
    path("users/<int:pk>/", views.user_detail, name="user"),
    path("users/<int:pk>/erase/", views.user_erase, name="erase"),
]

syncs = [
    path("syncs/", views.sync_list, name="syncs"),
    path("syncs/start/", views.sync_start, name="sync-start"),
    path("syncs/<int:pk>/", views.sync_detail, name="sync"),
]

pool = [
    path("setup/", setup_views.setup_page, name="setup"),
    path("setup/again/", setup_views.setup_again, name="setup-again"),
    path("setup/secret/", setup_views.setup_secret, name="setup-secret"),
]

urlpatterns = [*roles, *users, *syncs, *pool]
