"""A pool on a local server, and a browser to sign in with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from dialadmin.accounts import oidc
from tests.accounts.pool import Pool, new_key
from tests.conftest import HttpsClient


@pytest.fixture(scope="session")
def keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """Making keys is slow; two do for all."""
    return new_key(), new_key()


@pytest.fixture
def pool(
    keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pool]:
    pool = Pool(keys[0])
    settings.OIDC_OP_TOKEN_ENDPOINT = f"{pool.url}/oauth2/token"
    settings.OIDC_OP_JWKS_ENDPOINT = f"{pool.url}/.well-known/jwks.json"
    settings.OIDC_TIMEOUT = 0.5
    monkeypatch.setattr(oidc, "signing_keys", oidc.SigningKeys())
    yield pool
    pool.close()


@pytest.fixture
def browser() -> HttpsClient:
    return HttpsClient()
