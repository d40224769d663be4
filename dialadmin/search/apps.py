from __future__ import annotations

from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "dialadmin.search"

    def ready(self) -> None:
        from dialadmin.search import index

        index.follow(self)
