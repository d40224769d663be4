"""A pasted credential to the roles that Core would take from it. Nothing of it is stored, logged or repeated.

Core reads the roles out of `cognito:groups` and does not ask whether it is an ID or an access token
(core-semantics 2.1); a list of names does as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import jwt
from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from dialadmin.accounts.oidc import CognitoBackend, SignInError

LONGEST = 20_000  # characters; a token of Cognito with a hundred groups has some 5,000
CLAIM = "cognito:groups"
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\Z")

Trust = Literal["checked", "expired", "unchecked", "foreign", "names"]


class UnreadableError(ValueError):
    """What was pasted is neither a token nor a list of names. The text says what to do and quotes nothing."""


@dataclass(frozen=True)
class Credential:
    """What Core would see. `trust` says what the check of the token found; `names` when there was none.

    `expires` is when the token ends or ended; None when it does not say.
    """

    roles: tuple[str, ...]
    trust: Trust
    whose: str = ""
    use: str = ""  # "ID token" or "access token"
    expires: datetime | None = None
    problem: str = ""  # why it is not believed, or could not be checked


@sensitive_variables()
def read(text: str, *, now: datetime) -> Credential:
    """The roles in a token, or in a list of names: one a line, or JSON like `["a", "b"]`.

    Raises UnreadableError. Fetches the pool's signing keys when a token is to be checked.
    """
    text = text.strip()
    if not text:
        raise UnreadableError("Paste a token, or write the names of groups, one a line.")
    if len(text) > LONGEST:
        raise UnreadableError(f"This is longer than {LONGEST:,} characters: no token of Cognito is. Paste it alone.")
    text = re.sub(r"\A(?:authorization:\s*)?bearer\s+", "", text, flags=re.IGNORECASE)
    if _TOKEN.match(text) and text.startswith("ey"):
        return _token(text, now)
    return Credential(_names(text), "names")


def _names(text: str) -> tuple[str, ...]:
    if not text.startswith("["):
        return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UnreadableError('This begins like a list and is none. Write ["one", "two"], or one name a line.')
    return tuple(dict.fromkeys(names))


@sensitive_variables()
def _token(token: str, now: datetime) -> Credential:
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError):
        raise UnreadableError(
            "This looks like a token and cannot be read. Copy the whole of it: three parts, with dots between."
        ) from None
    roles, whose = _roles(claims), claims.get("cognito:username", claims.get("username", claims.get("sub", "")))
    trust, problem = _judge(token, claims)
    expires = _moment(claims.get("exp"))
    if trust == "checked" and (expires is None or expires <= now):
        trust = "expired"
    return Credential(
        roles=roles,
        trust=trust,
        whose=whose if isinstance(whose, str) else "",
        use={"id": "ID token", "access": "access token"}.get(str(claims.get("token_use")), "token"),
        expires=expires,
        problem=problem,
    )


@sensitive_variables()
def _judge(token: str, claims: Mapping[str, Any]) -> tuple[Trust, str]:
    """Whether the pool of this dashboard made the token. Another issuer's keys are never asked for."""
    if claims.get("iss") != settings.OIDC_ISSUER:
        return "foreign", "it was issued by somebody else than the pool of this dashboard"
    try:
        CognitoBackend().verify_token(token)
    except SignInError as error:
        if error.reason == "unreachable":
            return "unchecked", str(error)
        return "foreign", "its signature is not one of the pool"
    return "checked", ""


def _roles(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """As Core takes them: a list as it is, one text as one role, anything else as no role (core-semantics 2.1)."""
    groups = claims.get(CLAIM)
    if isinstance(groups, str):
        return (groups,)
    if not isinstance(groups, list):
        return ()
    if not all(isinstance(name, str) for name in groups):
        raise UnreadableError(f"{CLAIM} of this token holds something that is no name: Core answers it with 500.")
    return tuple(dict.fromkeys(groups))


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError):
        return None
