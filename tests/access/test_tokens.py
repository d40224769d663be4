"""What was pasted is judged honestly, and leaves no trace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from deployments.access.tokens import LONGEST, Credential, UnreadableError, read
from dialadmin.accounts import oidc
from tests.accounts.pool import Pool, new_key

KEY = new_key()


@pytest.fixture
def pool(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    pool = Pool(KEY)
    settings.OIDC_ISSUER = Pool.ISSUER
    settings.OIDC_OP_JWKS_ENDPOINT = f"{pool.url}/.well-known/jwks.json"
    settings.OIDC_TIMEOUT = 0.5
    monkeypatch.setattr(oidc, "signing_keys", oidc.SigningKeys())
    yield pool
    pool.close()


def token(pool: Pool, key: rsa.RSAPrivateKey = KEY, **changes: Any) -> str:
    claims = {name: value for name, value in {**pool.claims(), **changes}.items() if value is not None}
    return jwt.encode(claims, key, algorithm="RS256", headers=pool.header)


def judged(text: str) -> Credential:
    return read(text, now=datetime.now(UTC))


def test_a_token_of_the_pool_is_believed(pool: Pool) -> None:
    found = judged(token(pool))
    assert (found.trust, found.use, found.whose) == ("checked", "ID token", "grace")
    assert found.roles == ("dial-editors", "analysts")


def test_an_access_token_does_as_well_and_bearer_may_stand_before_it(pool: Pool) -> None:
    text = token(pool, token_use="access", aud=None, username="grace")
    found = judged(f"Authorization: Bearer {text}\n")
    assert (found.trust, found.use) == ("checked", "access token")


def test_a_token_that_has_expired_says_so_and_is_still_explained(pool: Pool) -> None:
    found = judged(token(pool, exp=int(time.time()) - 3 * 3600))
    assert found.trust == "expired"
    assert found.roles == ("dial-editors", "analysts")
    assert judged(token(pool, exp=None)).trust == "expired"


@pytest.mark.parametrize("changes", [{"iss": "https://elsewhere.example"}, {"iss": None}, {"iss": Pool.ISSUER + "/"}])
def test_a_token_of_another_issuer_is_not_believed_and_nobody_is_asked(changes: dict[str, Any], pool: Pool) -> None:
    found = judged(token(pool, **changes))
    assert found.trust == "foreign"
    assert pool.key_requests == 0


def test_a_forged_signature_is_not_believed(pool: Pool) -> None:
    assert judged(token(pool, key=new_key())).trust == "foreign"
    unsigned = jwt.encode(pool.claims(), "", algorithm="none")
    assert judged(unsigned).trust == "foreign"


def test_a_pool_that_does_not_answer_leaves_it_unchecked(pool: Pool) -> None:
    pool.keys_answer = lambda: (503, b"")
    found = judged(token(pool))
    assert found.trust == "unchecked"
    assert "503" in found.problem


@pytest.mark.parametrize(
    ("groups", "roles"), [(None, ()), ("one", ("one",)), ({"a": 1}, ()), ([], ()), (["b", "a", "b"], ("b", "a"))]
)
def test_roles_are_taken_as_core_takes_them(groups: Any, roles: tuple[str, ...], pool: Pool) -> None:
    pool.changes = {"cognito:groups": groups}
    assert judged(token(pool)).roles == roles


def test_a_list_that_core_fails_on_is_told(pool: Pool) -> None:
    pool.changes = {"cognito:groups": ["a", 7]}
    with pytest.raises(UnreadableError, match="500"):
        judged(token(pool))


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("analysts\n engineers \n\nanalysts", ("analysts", "engineers")),
        ('["a b ", "c"]', ("a b ", "c")),
        ("one.two.three", ("one.two.three",)),
        ("[]", ()),
    ],
)
def test_names_do_as_well(text: str, roles: tuple[str, ...]) -> None:
    found = judged(text)
    assert (found.roles, found.trust) == (roles, "names")


@pytest.mark.parametrize("text", ["", "  \n", "eyJh.eyJ9.sig", "[1]", '["a"', "x" * (LONGEST + 1)])
def test_what_is_neither_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(UnreadableError) as refusal:
        judged(text)
    assert not text.strip() or text not in str(refusal.value)
