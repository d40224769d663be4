from __future__ import annotations

from django.apps import AppConfig


class DialadminConfig(AppConfig):
    name = "dialadmin"

    def ready(self) -> None:
        from dialadmin import checks  # noqa: F401  # registers the system checks
