"""What can be found, read from the tables that know it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from deployments.models import Deployment
from deployments.releases.models import Release
from dialadmin.search.words import fold
from roles.models import ApiKey, Role, User


class Source(NamedTuple):
    """One thing that can be found, as the index keeps it."""

    object_id: int
    title: str
    subtitle: str
    state: str
    text: str


def _source(pk: int, title: str, subtitle: str, state: str, *names: str) -> Source:
    text = "\n".join(dict.fromkeys(folded for name in names if (folded := fold(name))))
    return Source(pk, title[:512], subtitle[:1024], state, text)


def users() -> Iterator[Source]:
    rows = User.objects.values_list("pk", "name", "email", "username", "sub", "enabled", "gone_at")
    for pk, name, email, username, sub, enabled, gone_at in rows.iterator(2000):
        title = name or email or username
        subtitle = " · ".join(dict.fromkeys(text for text in (email, username) if text and text != title))
        state = "gone" if gone_at else "" if enabled else "disabled"
        yield _source(pk, title, subtitle, state, name, email, username, sub)


def roles() -> Iterator[Source]:
    for pk, name, description, pool in Role.objects.values_list("pk", "name", "description", "pool"):
        yield _source(pk, name, description, "gone" if pool == Role.Pool.GONE else "", name)


def deployments() -> Iterator[Source]:
    labels = dict(Deployment.Kind.choices)
    for pk, name, shown, kind, access in Deployment.objects.values_list("pk", "name", "display_name", "kind", "access"):
        subtitle = " · ".join([labels[kind], *([shown] if shown and shown != name else [])])
        yield _source(pk, name, subtitle, access, name, shown)


def api_keys() -> Iterator[Source]:
    for pk, project in ApiKey.objects.values_list("pk", "project"):
        yield _source(pk, project or f"key {pk}", "API key", "", project)


def releases() -> Iterator[Source]:
    for number, note in Release.objects.values_list("number", "note"):
        yield _source(number, f"Release {number}", note, "", f"release {number}", str(number), f"#{number}", note[:512])


KINDS: Mapping[str, tuple[str, Callable[[], Iterator[Source]]]] = {
    "deployment": ("Deployments", deployments),
    "role": ("Roles", roles),
    "user": ("Users", users),
    "key": ("API keys", api_keys),
    "release": ("Releases", releases),
}


def address(kind: str, object_id: int, title: str) -> str:
    """The page of something found."""
    if kind == "user":
        return reverse("roles:user", args=[object_id])
    if kind == "role":
        return reverse("roles:detail", args=[object_id])
    if kind == "deployment":
        return reverse("deployments:detail", args=[object_id])
    if kind == "release":
        return reverse("releases:detail", args=[object_id])
    return f"{reverse('deployments:keys')}?{urlencode({'q': title})}"
