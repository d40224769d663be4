from __future__ import annotations

from django.apps import AppConfig


class RolesConfig(AppConfig):
    name = "roles"

    def ready(self) -> None:
        from dialadmin.history import redaction
        from roles import actions, acts  # noqa: F401  # registers this app's history acts

        redaction.register("syncs", actions.forget_person)
