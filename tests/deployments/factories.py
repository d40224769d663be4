"""Small helpers that make rows and documents for tests."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from deployments import draft
from deployments.actions import replace_draft
from deployments.document import split
from deployments.models import Deployment
from dialadmin.history.recorder import Actor
from roles.models import Membership, Role, User

TESTER = Actor.command("tests")

# A little of everything: all kinds, the three states of access, the three states of a limit, and secrets.
SETTINGS: dict[str, Any] = {
    "routes": {"second": {"paths": ["/b"], "response": {}}, "first": {"paths": ["/a"], "userRoles": ["analysts"]}},
    "models": {
        "gpt-4o": {
            "type": "chat",
            "displayName": "GPT-4o",
            "endpoint": "http://adapter/gpt-4o",
            "userRoles": ["analysts", "engineers"],
            "upstreams": [{"endpoint": "http://upstream", "key": "upstream-secret"}],
            "pricing": {"unit": "token", "prompt": "0.0000025", "completion": "0.00001"},
        },
        "gpt-4o-mini": {"type": "chat", "endpoint": "http://adapter/mini"},
        "embeddings": {"type": "embedding", "endpoint": "http://adapter/e", "userRoles": []},
    },
    "applications": {"search": {"endpoint": "http://search", "userRoles": ["engineers"]}},
    "addons": {"calendar": {"endpoint": "http://calendar", "token": "addon-secret"}},
    "assistant": {
        "endpoint": "http://assistant",
        "assistants": {"helper": {"prompt": "Help.", "addons": ["calendar"], "userRoles": ["analysts"]}},
    },
    "keys": {"api-key-secret": {"project": "reporting", "role": "reporters"}},
    "roles": {
        "default": {"limits": {"gpt-4o": {"minute": 1000, "day": "50000"}, "gpt-4o-mini": {"minute": 2000}}},
        "analysts": {"limits": {"gpt-4o": {"minute": "100000"}}},
        "engineers": {"limits": {"gpt-4o": {}, "gone-model": {"day": 5}}},
        "reporters": {"limits": {}},
    },
    "retriableErrorCodes": [502, 503],
}
SECRETS = ("upstream-secret", "addon-secret", "api-key-secret")


def make_draft(document: dict[str, Any] = SETTINGS) -> None:
    """Make the draft hold this document."""
    replace_draft(parts=split(document), by=TESTER, note="for a test", summary={})


def make_user(username: str, *groups: str, **fields: Any) -> User:
    """A person of the pool in these groups, made where they are missing."""
    user = User.objects.create(
        sub=f"sub-{username}", username=username, name=username.title(), email=f"{username}@example.com", **fields
    )
    for name in groups:
        role = Role.objects.get_or_create(name=name)[0]
        if role.pool != Role.Pool.PRESENT:
            Role.objects.filter(pk=role.pk).update(pool=Role.Pool.PRESENT)
        Membership.objects.create(user=user, role=role, since=timezone.now())
    return user


def deployment(name: str) -> Deployment:
    return Deployment.objects.get(name=name)


def document() -> dict[str, Any]:
    """The draft as a document."""
    return draft.document()
