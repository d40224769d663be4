from __future__ import annotations

from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "deployments.access"
    label = "access"

    def ready(self) -> None:
        from deployments.access import actions, acts  # noqa: F401  # registers this app's history acts
        from dialadmin.history import redaction

        redaction.register("access reviews", actions.forget_person)
