from __future__ import annotations

from django.urls import path

from dialadmin.history import views

app_name = "history"

urlpatterns = [path("", views.entry_list, name="list")]
