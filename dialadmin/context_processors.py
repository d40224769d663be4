"""What every page shows around its own content."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def page(request: HttpRequest) -> dict[str, Any]:
    return {"theme": request.COOKIES.get("dialadmin_theme", "system")}
