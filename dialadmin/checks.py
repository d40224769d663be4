"""System checks: one per variable that has to be set, so that every command says what is missing."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from dialadmin import environment


@register()
def required_variables(**_: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The environment variable {variable.name} is not set.",
            hint=f"{variable.purpose} Example: {variable.name}={variable.example}",
            id="dialadmin.E001",
        )
        for variable in environment.missing()
    ]


@register()
def encryption_keys(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for position, key in enumerate(settings.ENCRYPTION_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            found.append(
                Error(
                    f"Key {position} of ENCRYPTION_KEYS is not a Fernet key.",
                    hint="A key is 32 bytes in URL-safe base64; `manage.py rotate_secrets --new-key` prints one.",
                    id="dialadmin.E002",
                )
            )
    return found


@register()
def removal_share(**_: Any) -> list[CheckMessage]:
    shares = {
        "SYNC_MAX_REMOVAL_SHARE": "0.2 stops a sync that would remove more than a fifth.",
        "RELEASE_REMOVAL_SHARE": "0.1 asks for a second thought before a release takes access from more than a tenth.",
    }
    return [
        Error(f"{name} has to lie between 0 and 1.", hint=hint, id="dialadmin.E003")
        for name, hint in shares.items()
        if not 0 <= getattr(settings, name) <= 1
    ]
