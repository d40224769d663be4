from __future__ import annotations

from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "dialadmin.search"

    def ready(self) -> None:
        from dialadmin.history import redaction
        from dialadmin.search import index

        redaction.register("search", index.forget_person)
        index.follow(self)
