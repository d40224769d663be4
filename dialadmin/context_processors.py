"""What every page shows around its own content."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Permission
from dialadmin.navigation import menu
from dialadmin.status import status

THEMES = ("system", "light", "dark")
THEME_COOKIE = "dialadmin_theme"


def page(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get(THEME_COOKIE, THEMES[0])
    staff = getattr(request, "user", None)
    return {
        "theme": theme if theme in THEMES else THEMES[0],
        "navigation": menu(staff, request.path) if isinstance(staff, Staff) and staff.may(Permission.READ) else [],
        "page_status": status,  # called by the pages that show it
        "may_edit": isinstance(staff, Staff) and staff.may(Permission.EDIT),
        "may_release": isinstance(staff, Staff) and staff.may(Permission.RELEASE),
    }
