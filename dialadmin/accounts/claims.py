"""From a verified signature to a person: which claims of an ID token are believed. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEEWAY = 60  # seconds by which two clocks may differ
TOKEN_AGE = 10 * 60  # an ID token that answers a fresh code is minutes old at most


class ClaimsError(ValueError):
    """A token that is not believed. The text is for logs and history; it quotes nothing of the token."""


@dataclass(frozen=True)
class Identity:
    """Who signed in. `sub` alone tells people apart; the rest is for reading."""

    sub: str
    username: str
    email: str
    name: str
    groups: tuple[str, ...]


def identity(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, access_token: str | None, now: float
) -> Identity:
    """The person that these claims speak of; raises ClaimsError for what a forged or foreign token would have.

    `now`: seconds since 1970. The signature has been verified before.
    """
    if claims.get("iss") != issuer:
        raise ClaimsError("the token was issued by somebody else than OIDC_ISSUER")
    if claims.get("aud") != client_id:
        raise ClaimsError("the token is for another app client than OIDC_CLIENT_ID")
    if claims.get("token_use") != "id":
        raise ClaimsError("the token is no ID token")
    _times(claims, now)
    if not nonce or claims.get("nonce") != nonce:
        raise ClaimsError("the nonce is not the one that this sign-in began with")
    if "at_hash" in claims and (access_token is None or claims["at_hash"] != at_hash(access_token)):
        raise ClaimsError("the access token beside the ID token is another one")
    sub = claims.get("sub")
    if not isinstance(sub, str) or not sub or len(sub) > 255:
        raise ClaimsError("the token names nobody")
    return Identity(
        sub=sub,
        username=_text(claims, "cognito:username"),
        email=_text(claims, "email"),
        name=_text(claims, "name")
        or " ".join(part for part in (_text(claims, "given_name"), _text(claims, "family_name")) if part),
        groups=_groups(claims.get("cognito:groups")),
    )


def _times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    for value in (expires, issued):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ClaimsError("the token does not say when it was issued and when it expires")
    if expires <= now - LEEWAY:  # type: ignore[operator]  # numbers, by the loop above
        raise ClaimsError("the token has expired; is the clock of this machine right?")
    if issued > now + LEEWAY:  # type: ignore[operator]
        raise ClaimsError("the token was issued in the future; is the clock of this machine right?")
    if issued < now - TOKEN_AGE:  # type: ignore[operator]
        raise ClaimsError("the token is too old for a fresh sign-in; is the clock of this machine right?")
    not_before = claims.get("nbf")
    if isinstance(not_before, int | float) and not_before > now + LEEWAY:
        raise ClaimsError("the token is not valid yet; is the clock of this machine right?")


def _groups(value: Any) -> tuple[str, ...]:
    """Cognito leaves the claim out for people without groups, and promises no order."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ClaimsError("cognito:groups is no list of names")
    return tuple(sorted(set(value)))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value[:255] if isinstance(value, str) else ""


def at_hash(access_token: str) -> str:
    """The left half of the token's SHA-256, as OpenID Connect Core 3.1.3.6 has it."""
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
