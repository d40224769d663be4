from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "dialadmin.accounts"
    label = "accounts"

    def ready(self) -> None:
        from dialadmin.accounts import actions, acts  # noqa: F401  # registers this app's history acts
        from dialadmin.history import redaction

        redaction.register("staff", actions.forget_person)
