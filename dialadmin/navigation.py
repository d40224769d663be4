"""The menu: which pages, in which order, for whom."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Permission


@dataclass(frozen=True)
class Page:
    label: str
    url_name: str
    permission: Permission = Permission.READ


@dataclass(frozen=True)
class Item:
    label: str
    url: str
    current: bool


@dataclass(frozen=True)
class Group:
    label: str
    items: list[Item]


MENU: tuple[tuple[str, tuple[Page, ...]], ...] = (
    ("", (Page("Home", "home"),)),
    ("Who", (Page("Roles", "roles:list"), Page("Users", "roles:users"), Page("Syncs", "roles:syncs"))),
    ("What", (Page("Deployments", "deployments:list"), Page("API keys", "deployments:keys"))),
    (
        "Settings",
        (
            Page("Checks", "deployments:checks"),
            Page("Import", "deployments:import", Permission.EDIT),
            Page("Export", "deployments:export"),
            Page("Review", "releases:review"),
            Page("Releases", "releases:list"),
        ),
    ),
    ("Audit", (Page("History", "history:list"),)),
)


def menu(staff: Staff, path: str) -> list[Group]:
    """The menu of this member of staff; the longest URL that `path` begins with is marked as current."""
    groups = [
        (label, [(page.label, reverse(page.url_name)) for page in pages if staff.may(page.permission)])
        for label, pages in MENU
    ]
    current = max((url for _, items in groups for _, url in items if path.startswith(url)), key=len, default="")
    return [Group(label, [Item(text, url, url == current) for text, url in items]) for label, items in groups if items]
