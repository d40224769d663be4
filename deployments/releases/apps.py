"""From a draft to what Core really runs: review, release, restore, targets, proof."""

from __future__ import annotations

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    name = "deployments.releases"
    label = "releases"

    def ready(self) -> None:
        from deployments.releases import actions, acts  # noqa: F401  # registers this app's history acts
        from dialadmin.history import redaction

        redaction.register("releases", actions.forget_person)
