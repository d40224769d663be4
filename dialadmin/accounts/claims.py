"""From a verified signature to a person: which claims of an ID token are believed. Pure."""

from __future__ import annotations

import base64
import hashlib
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEEWAY = 60  # seconds by which two clocks may differ
TOKEN_AGE = 10 * 60  # an ID token that answers a fresh code is minutes old at most
UNWRITTEN = frozenset({"Cc", "Cs"})  # control characters and lone surrogates: no database takes them all
DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # would turn a line of history round


class ClaimsError(ValueError):
    """A token that is not believed. The text is for logs and history; it quotes nothing of the token."""


class ClockError(ClaimsError):
    """A token that does not fit the time of this machine."""


@dataclass(frozen=True)
class Identity:
    """Who signed in. `sub` alone tells people apart; the rest is for reading."""

    sub: str
    username: str
    email: str
    name: str
    groups: tuple[str, ...]  # sorted, each once


def identity(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, access_token: str | None, now: float
) -> Identity:
    """The person that these claims speak of; raises ClaimsError for what a forged or foreign token would have.

    `now`: seconds since 1970. The signature has been verified before. The rules are those of OpenID Connect
    Core 3.1.3.7 and, for `token_use` and `cognito:groups`, of Cognito.
    """
    if claims.get("iss") != issuer:
        raise ClaimsError("the token was issued by somebody else than OIDC_ISSUER")
    if claims.get("aud") != client_id:
        raise ClaimsError("the token is for another app client than OIDC_CLIENT_ID")
    if claims.get("token_use") != "id":
        raise ClaimsError("the token is no ID token")
    if not nonce or claims.get("nonce") != nonce:
        raise ClaimsError("the nonce is not the one that this sign-in began with")
    if "at_hash" in claims and (access_token is None or claims["at_hash"] != at_hash(access_token)):
        raise ClaimsError("the access token beside the ID token is another one")
    _check_times(claims, now)
    sub = claims.get("sub")
    if not isinstance(sub, str) or not 0 < len(sub) <= 255 or _readable(sub) != sub:
        raise ClaimsError("the token names nobody")
    given_and_family = f"{_text(claims, 'given_name')} {_text(claims, 'family_name')}".strip()
    return Identity(
        sub=sub,
        username=_text(claims, "cognito:username"),
        email=_text(claims, "email"),
        name=_text(claims, "name") or given_and_family[:255],
        groups=_groups(claims.get("cognito:groups")),
    )


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = _moment(claims, "exp"), _moment(claims, "iat")
    if expires <= now - LEEWAY:
        raise ClockError("the token has expired; is the clock of this machine right?")
    if issued > now + LEEWAY:
        raise ClockError("the token was issued in the future; is the clock of this machine right?")
    if issued < now - TOKEN_AGE - LEEWAY:
        raise ClockError("the token is too old for a fresh sign-in; is the clock of this machine right?")
    if "nbf" in claims and _moment(claims, "nbf") > now + LEEWAY:
        raise ClockError("the token is not valid yet; is the clock of this machine right?")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ClaimsError(f"the token has no usable {name}")
    return value


def _groups(value: Any) -> tuple[str, ...]:
    """Cognito leaves the claim out for people without groups, and promises no order."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) and _readable(name) == name for name in value):
        raise ClaimsError("cognito:groups is no list of names")
    return tuple(sorted(set(value)))


def _text(claims: Mapping[str, Any], name: str) -> str:
    """An attribute for reading. People may write their own ones in Cognito, so it is taken for no more than text."""
    value = claims.get(name)
    return _readable(value).strip()[:255] if isinstance(value, str) else ""


def _readable(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in UNWRITTEN and c not in DIRECTIONS)


def at_hash(access_token: str) -> str:
    """The left half of the token's SHA-256, as OpenID Connect Core 3.1.3.6 has it."""
    digest = hashlib.sha256(access_token.encode(errors="replace")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
