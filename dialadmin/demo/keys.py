"""The demo's signing keys and tokens, shaped like Cognito's."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm
from moto.cognitoidp.models import CognitoIdpUserPool

PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\n", re.DOTALL)


@dataclass(frozen=True)
class SigningKey:
    """An RSA key; `name` is the `kid` under which it is published, empty for one made of the key itself."""

    private: RSAPrivateKey
    name: str = ""

    @cached_property
    def kid(self) -> str:
        if self.name:
            return self.name
        public = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(hashlib.sha256(public).digest()).decode()

    def jwk(self) -> dict[str, Any]:
        public = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": public["n"], "e": public["e"]}

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.private, algorithm="RS256", headers={"kid": self.kid})

    def verify(self, token: str, issuer: str) -> dict[str, Any]:
        """The claims of a token that this key signed. Raises jwt.InvalidTokenError."""
        claims: dict[str, Any] = jwt.decode(
            token, self.private.public_key(), algorithms=["RS256"], issuer=issuer, options={"verify_aud": False}
        )
        return claims


@dataclass(frozen=True)
class SigningKeys:
    """Like Cognito, one key for ID tokens and another for access tokens; readers choose by `kid`."""

    identity: SigningKey
    access: SigningKey

    @classmethod
    def made(cls) -> SigningKeys:
        return cls(*(SigningKey(generate_private_key(65537, 2048)) for _ in range(2)))

    @classmethod
    def of_pool(cls, pool: CognitoIdpUserPool) -> SigningKeys:
        """The key that moto publishes for a pool that was made by its API. It has one for both kinds of token.

        It proves something to tests alone: its private half ships inside moto. The demo has keys of its own.
        """
        key = SigningKey(cast("RSAPrivateKey", pool.json_web_key.private_key), str(pool.json_web_key.kid))
        return cls(key, key)

    @classmethod
    def kept_in(cls, file: Path) -> SigningKeys:
        """The keys of an earlier start, or new ones, kept in this file with mode 0600."""
        blocks = PEM.findall(file.read_bytes()) if file.exists() else []
        if len(blocks) == 2:
            loaded = [serialization.load_pem_private_key(block, None) for block in blocks]
            return cls(*(SigningKey(key) for key in loaded if isinstance(key, RSAPrivateKey)))
        keys = cls.made()
        write_private(file, b"".join(_pem(key.private) for key in (keys.identity, keys.access)))
        return keys

    def jwks(self) -> dict[str, Any]:
        published = {key.kid: key.jwk() for key in (self.identity, self.access)}
        return {"keys": list(published.values())}


def write_private(file: Path, content: bytes) -> None:
    """Write a file that nobody else on this machine may read, not even for a moment."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def half_hash(access_token: str) -> str:
    """The `at_hash` claim: the left half of SHA-256, which binds an access token to an ID token."""
    return encode(hashlib.sha256(access_token.encode()).digest()[:16])


def challenge_of(verifier: str) -> str:
    """The S256 code challenge of PKCE (RFC 7636)."""
    return encode(hashlib.sha256(verifier.encode()).digest())


def encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _pem(key: RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
