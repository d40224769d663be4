"""The menu: which pages, in which order, for whom."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

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
    (
        "Who",
        (
            Page("Roles", "roles:list"),
            Page("Users", "roles:users"),
            Page("Syncs", "roles:syncs"),
            Page("Setup", "roles:setup"),
        ),
    ),
    (
        "What",
        (
            Page("Deployments", "deployments:list"),
            Page("Matrix", "deployments:matrix"),
            Page("API keys", "deployments:keys"),
        ),
    ),
    (
        "Settings",
        (
            Page("Checks", "deployments:checks"),
            Page("Import", "deployments:import", Permission.EDIT),
            Page("Export", "deployments:export"),
            Page("Review", "releases:review"),
            Page("Releases", "releases:list"),
            Page("Targets", "releases:targets"),
        ),
    ),
    (
        "Audit",
        (
            Page("Access", "access:overview"),
            Page("Why", "access:why"),
            Page("Reviews", "access:reviews"),
            Page("History", "history:list"),
        ),
    ),
)

# Pages that the search finds besides those of the menu.
FOUND: tuple[Page, ...] = (
    Page("Pictures", "access:pictures"),
    Page("New deployment", "deployments:create", Permission.EDIT),
    Page("New role", "roles:create", Permission.EDIT),
    Page("My account", "accounts:me"),
    Page("Gallery", "gallery"),
)

# Other words under which the search finds a page, by the name of its URL.
KEYWORDS: dict[str, tuple[str, ...]] = {
    "home": ("overview", "dashboard", "start"),
    "roles:list": ("groups", "cognito groups"),
    "roles:users": ("people", "persons", "members"),
    "roles:syncs": ("sync now", "synchronise", "read the pool", "cognito", "refresh"),
    "roles:setup": ("check cognito", "user pool", "app client", "callback", "issuer"),
    "roles:create": ("create role", "add role"),
    "deployments:list": ("models", "applications", "addons", "assistants", "catalogue"),
    "deployments:create": ("create deployment", "add model", "new model"),
    "deployments:matrix": ("roles by deployments", "grid", "attach", "limits", "bulk"),
    "deployments:keys": ("projects", "programs"),
    "access:pictures": ("charts", "statistics", "tokens per day", "graphs"),
    "deployments:checks": ("findings", "validate", "errors", "warnings", "problems"),
    "deployments:import": ("upload", "import settings", "merge"),
    "deployments:export": ("download", "export settings", "target version", "core version"),
    "releases:list": ("versions", "restore", "published"),
    "releases:review": ("what changes", "release the draft", "publish", "diff"),
    "releases:targets": ("publish", "published", "drift", "prove", "s3", "secrets manager", "running"),
    "access:overview": ("who reaches what", "audit", "matrix", "open to everyone"),
    "access:why": ("why not", "explain", "token", "permission denied", "403"),
    "access:reviews": ("access review", "recertification", "attestation", "sign off"),
    "history:list": ("audit log", "changes", "who did what", "log"),
    "gallery": ("components", "design system", "styles"),
    "accounts:me": ("level", "permissions", "session", "sign out"),
}


def pages() -> list[Page]:
    """Every page that the search finds by name."""
    return [*(page for _, group in MENU for page in group), *FOUND]


def menu(staff: Staff, path: str) -> list[Group]:
    """The menu of this member of staff; the longest URL that `path` is at or below is marked as current."""
    groups = [
        (label, [(page.label, reverse(page.url_name)) for page in pages if staff.may(page.permission)])
        for label, pages in MENU
    ]
    home = reverse("home")  # begins every path, so it is current on itself alone
    below = [url for _, items in groups for _, url in items if path.startswith(url) and url != home]
    current = max(below, key=len, default=home if path == home else "")
    return [Group(label, [Item(text, url, url == current) for text, url in items]) for label, items in groups if items]


def safe_next(asked: str, longest: int = 4000) -> str:
    """The path that was asked for when it is one of ours, else ""."""
    ours = asked.startswith("/") and len(asked) <= longest
    return asked if ours and url_has_allowed_host_and_scheme(asked, allowed_hosts=None) else ""
