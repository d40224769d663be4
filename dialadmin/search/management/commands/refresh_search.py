from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from dialadmin.search.index import refresh


class Command(BaseCommand):
    help = "Bring the index of the search up to date. It follows each change by itself; this is for what others wrote."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{refresh():,} entries of the index were written or removed.")
