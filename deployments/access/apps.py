from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "deployments.access"
    label = "access"

    def ready(self) -> None:
        from deployments.access import acts  # noqa: F401  # registers this app's history acts
