"""Secrets at rest: encrypted with the first of ENCRYPTION_KEYS, decrypted with any of them."""

from __future__ import annotations

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

TOKEN_START = "gAAAA"  # noqa: S105  # what every token of `encrypt` begins with: version 0x80 and the high bytes of the time
SHORT = 1024  # characters of a token whose text is remembered
MASK = "••••••••"


class UndecryptableError(ValueError):
    """A stored secret cannot be read with the configured keys."""


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """An opaque token; the same text gives another token each time."""
    return _fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """The text behind a token of `encrypt`; raises UndecryptableError when no key fits.

    Short ones are remembered by the process, which holds the keys to them anyway: an export reads thousands.
    """
    keys = tuple(settings.ENCRYPTION_KEYS)
    return _remembered(keys, token) if len(token) <= SHORT else _decrypt(keys, token)


def _decrypt(keys: tuple[str, ...], token: str) -> str:
    try:
        return _fernet(keys).decrypt(token).decode()
    except InvalidToken as error:
        raise UndecryptableError(
            "A stored secret cannot be decrypted. Add the key it was encrypted with to the end of ENCRYPTION_KEYS."
        ) from error


_remembered = lru_cache(maxsize=8192)(_decrypt)


def rotate(token: str) -> str:
    """The same secret under the first key."""
    try:
        return _fernet(tuple(settings.ENCRYPTION_KEYS)).rotate(token).decode()
    except InvalidToken as error:
        raise UndecryptableError(
            "A stored secret cannot be decrypted. Add the key it was encrypted with to the end of ENCRYPTION_KEYS."
        ) from error
