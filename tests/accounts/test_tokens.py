"""Forged, foreign and broken tokens and answers, sent through the real callback view."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dialadmin.accounts import oidc
from tests.accounts.flow import assert_refused, begin, finish, sign_in, signed_in
from tests.accounts.pool import Answer, Pool, new_key
from tests.conftest import HttpsClient

pytestmark = pytest.mark.django_db

Keys = tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]
HOUR = 3600


# --- Claims ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"},
        {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_TestPool1/"},
        {"aud": "another-client"},
        {"aud": ["test-client", "another-client"]},
        {"token_use": "access"},
        {"nonce": "another"},
        {"nonce": ""},
        {"at_hash": "wrong"},
        {"at_hash": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"iat": None},
        {"nbf": "now"},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "sub\x00"},
        {"cognito:groups": "dial-publishers"},
        {"cognito:groups": ["dial-publishers", 7]},
        {"cognito:groups": ["dial\x00"]},
        {"cognito:groups": ["\ud800"]},
        {"cognito:groups": {"dial-publishers": True}},
    ],
    ids=ascii,
)
def test_a_token_with_a_wrong_claim_is_refused(changes: dict[str, Any], pool: Pool, browser: HttpsClient) -> None:
    pool.changes = changes
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "token_use", "nonce", "sub"])
def test_a_token_without_a_needed_claim_is_refused(claim: str, pool: Pool, browser: HttpsClient) -> None:
    pool.without = {claim}
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize(
    ("claim", "offset", "word"),
    [("exp", -HOUR, "expired"), ("iat", HOUR, "future"), ("iat", -HOUR, "too old"), ("nbf", HOUR, "not valid yet")],
)
def test_a_time_that_does_not_fit_is_put_down_to_the_clocks(
    claim: str, offset: int, word: str, pool: Pool, browser: HttpsClient
) -> None:
    pool.changes = {claim: int(time.time()) + offset}
    assert word in assert_refused(browser, sign_in(browser, pool), "clock").note


@pytest.mark.parametrize(("claim", "offset"), [("exp", -30), ("iat", 30), ("nbf", 30)])
def test_clocks_may_differ_by_half_a_minute(claim: str, offset: int, pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {claim: int(time.time()) + offset}
    sign_in(browser, pool)
    assert signed_in(browser)


def test_an_id_token_for_a_stolen_access_token_is_refused(pool: Pool, browser: HttpsClient) -> None:
    pool.access_token_sent = "of-somebody-else"
    assert_refused(browser, sign_in(browser, pool), "token")


def test_the_access_token_in_place_of_the_id_token_is_refused(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"token_use": "access", "client_id": "test-client", "scope": "openid"}
    pool.without = {"aud", "nonce", "at_hash"}
    assert_refused(browser, sign_in(browser, pool), "token")


def test_a_refusal_quotes_nothing_of_the_token(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"aud": "a-client-of-mine", "email": "grace@example.com"}
    note = assert_refused(browser, sign_in(browser, pool), "token").note
    assert "a-client-of-mine" not in note
    assert "grace" not in note


# --- Signatures ------------------------------------------------------------------------------------


def test_a_token_signed_by_another_key_is_refused(pool: Pool, browser: HttpsClient, keys: Keys) -> None:
    pool.key = keys[1]
    assert_refused(browser, sign_in(browser, pool), "token")


def test_a_token_without_a_signature_is_refused(pool: Pool, browser: HttpsClient) -> None:
    pool.algorithm, pool.key = "none", None
    assert_refused(browser, sign_in(browser, pool), "token")


def test_a_token_signed_with_the_client_secret_is_refused(pool: Pool, browser: HttpsClient) -> None:
    pool.algorithm, pool.key = "HS256", "test-client-secret-made-longer-for-the-library"
    assert_refused(browser, sign_in(browser, pool), "token")


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    pool: Pool, browser: HttpsClient, keys: Keys
) -> None:
    """The classic confusion of algorithms, put together by hand because PyJWT refuses to make it."""
    pem = keys[0].public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip

    def encode(value: bytes) -> str:
        return urlsafe_b64encode(value).rstrip(b"=").decode()

    def answer(_: dict[str, str]) -> Answer:
        head = encode(json.dumps({"alg": "HS256", "kid": "one"}).encode())
        signed = f"{head}.{encode(json.dumps(pool.claims()).encode())}"
        signature = encode(hmac.new(pem, signed.encode(), hashlib.sha256).digest())
        body = {"id_token": f"{signed}.{signature}", "access_token": pool.ACCESS_TOKEN}
        return 200, json.dumps(body).encode()

    pool.token_answer = answer
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithms_of_the_same_key_are_refused(algorithm: str, pool: Pool, browser: HttpsClient) -> None:
    pool.algorithm = algorithm
    assert_refused(browser, sign_in(browser, pool), "token")


def test_a_token_whose_header_brings_its_own_key_is_refused(pool: Pool, browser: HttpsClient, keys: Keys) -> None:
    pool.key = keys[1]
    pool.header = {"kid": "one", "jku": f"{pool.url}/mine.json", "jwk": {"kty": "RSA"}}
    assert_refused(browser, sign_in(browser, pool), "token")


def test_a_changed_payload_is_refused(pool: Pool, browser: HttpsClient) -> None:
    def answer(sent: dict[str, str]) -> Answer:
        body = json.loads(pool.token(sent)[1])
        head, _, signature = body["id_token"].split(".")
        claims = {**pool.claims(), "cognito:groups": ["dial-publishers"]}
        body["id_token"] = f"{head}.{urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b'=').decode()}.{signature}"
        return 200, json.dumps(body).encode()

    pool.token_answer = answer
    assert_refused(browser, sign_in(browser, pool), "token")


# --- Signing keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [{"kid": "two"}, {}, {"kid": "../one"}])
def test_a_key_that_the_pool_does_not_publish_is_refused(
    header: dict[str, str], pool: Pool, browser: HttpsClient
) -> None:
    pool.header = header
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (302, b""),
        (200, b"<html>"),
        (200, b"\xff"),
        (200, b"[]"),
        (200, b'{"keys": null}'),
        (200, b'{"keys": []}'),
        (200, b'{"keys": [{}]}'),
        (200, b'{"keys": [7, {"kid": "one", "kty": "RSA", "n": "x", "e": "AQAB"}]}'),
        (200, b'{"keys": [{"kid": "one", "kty": "oct", "k": "c2VjcmV0"}]}'),
    ],
    ids=ascii,
)
def test_keys_that_cannot_be_read_are_explained(answer: Answer, pool: Pool, browser: HttpsClient) -> None:
    pool.keys_answer = lambda: answer
    assert_refused(browser, sign_in(browser, pool), "unreachable")


def test_a_key_endpoint_that_hangs_is_not_waited_for(pool: Pool, browser: HttpsClient) -> None:
    def hang() -> Answer:
        time.sleep(1.5)
        return pool.keys()

    pool.keys_answer = hang
    assert_refused(browser, sign_in(browser, pool), "unreachable")


def test_one_unreadable_key_does_not_hide_the_others(pool: Pool, browser: HttpsClient) -> None:
    def answer() -> Answer:
        keys = json.loads(pool.keys()[1])["keys"]
        return 200, json.dumps({"keys": [{"kid": "odd", "kty": "RSA"}, {"kty": "EC"}, 7, *keys]}).encode()

    pool.keys_answer = answer
    sign_in(browser, pool)
    assert signed_in(browser)


def test_keys_are_kept_between_sign_ins(pool: Pool) -> None:
    for _ in range(3):
        sign_in(HttpsClient(), pool)
    assert pool.key_requests == 1


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let this many seconds go by for the keys that are kept."""

    def pass_by(seconds: float) -> None:
        then = time.monotonic() + seconds
        monkeypatch.setattr(oidc, "monotonic", lambda: then)

    return pass_by


def test_keys_are_fetched_again_after_an_hour(pool: Pool, browser: HttpsClient, keys: Keys, later: Any) -> None:
    sign_in(HttpsClient(), pool)
    later(oidc.KEYS_LIVE + 1)
    pool.published = {"two": keys[1]}  # the pool has withdrawn the first
    sign_in(browser, pool)
    assert not signed_in(browser)
    assert pool.key_requests == 2


def test_a_rotated_key_is_fetched_at_once(pool: Pool, browser: HttpsClient, keys: Keys, later: Any) -> None:
    sign_in(HttpsClient(), pool)
    later(oidc.FORCED_REFRESH + 1)
    pool.published, pool.key, pool.header = {"two": keys[1]}, keys[1], {"kid": "two"}
    sign_in(browser, pool)
    assert signed_in(browser)
    assert pool.key_requests == 2


def test_unknown_keys_make_us_fetch_no_oftener_than_every_ten_seconds(pool: Pool, later: Any) -> None:
    sign_in(HttpsClient(), pool)
    later(oidc.FORCED_REFRESH + 1)
    pool.header = {"kid": "three"}
    for _ in range(5):
        sign_in(HttpsClient(), pool)
    assert pool.key_requests == 2


def test_a_refresh_that_fails_neither_repeats_itself_nor_loses_the_keys(
    pool: Pool, browser: HttpsClient, later: Any
) -> None:
    sign_in(HttpsClient(), pool)
    later(oidc.FORCED_REFRESH + 1)
    pool.header, pool.keys_answer = {"kid": "three"}, lambda: (500, b"")
    for _ in range(5):
        sign_in(HttpsClient(), pool)
    assert pool.key_requests == 2
    pool.header = {"kid": "one"}
    sign_in(browser, pool)
    assert signed_in(browser)


def test_a_new_key_under_the_old_id_is_not_believed_from_memory(pool: Pool, browser: HttpsClient) -> None:
    sign_in(HttpsClient(), pool)
    pool.key = new_key()
    sign_in(browser, pool)
    assert not signed_in(browser)


# --- The token endpoint ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b'{"id_token": "not.a.token"}',
        b'{"id_token": "a"}',
        b'{"id_token": ""}',
        b'{"id_token": 7}',
        b'{"id_token": null}',
        '{"id_token": "é.é.é"}'.encode(),
        b"{}",
    ],
)
def test_an_answer_without_a_usable_token_is_refused(body: bytes, pool: Pool, browser: HttpsClient) -> None:
    pool.token_answer = lambda _: (200, body)
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, b'{"error": "invalid_grant"}'), "code"),
        ((400, b'{"error": ["invalid_client"]}'), "code"),
        ((400, b"[]"), "code"),
        ((400, b"<html>"), "code"),
        ((400, b'{"error": "invalid_client"}'), "client"),
        ((401, b'{"error": "invalid_client"}'), "client"),
        ((400, b'{"error": "unauthorized_client"}'), "client"),
        ((429, b""), "unreachable"),
        ((404, b""), "unreachable"),
        ((500, b"oops"), "unreachable"),
        ((200, b"<html>"), "unreachable"),
        ((200, b"[]"), "unreachable"),
        ((200, b"\xff\xfe"), "unreachable"),
        ((302, b""), "unreachable"),
        ((307, b""), "unreachable"),
    ],
    ids=ascii,
)
def test_a_token_endpoint_that_refuses_or_breaks_is_explained(
    answer: Answer, reason: str, pool: Pool, browser: HttpsClient
) -> None:
    pool.token_answer = lambda _: answer
    assert_refused(browser, sign_in(browser, pool), reason)
    assert (len(pool.token_requests), pool.key_requests) == (1, 0)  # the code goes nowhere else


def test_what_a_refused_exchange_says_is_not_repeated(pool: Pool, browser: HttpsClient) -> None:
    pool.token_answer = lambda _: (400, b'{"error": "the code a-code of sub-grace"}')
    assert assert_refused(browser, sign_in(browser, pool), "code").note == "Cognito refused the code (status 400)"


def test_a_token_endpoint_that_hangs_is_not_waited_for(pool: Pool, browser: HttpsClient) -> None:
    def hang(sent: dict[str, str]) -> Answer:
        time.sleep(1.5)
        return pool.token(sent)

    pool.token_answer = hang
    assert_refused(browser, sign_in(browser, pool), "unreachable")


@pytest.mark.parametrize("endpoint", ["OIDC_OP_TOKEN_ENDPOINT", "OIDC_OP_JWKS_ENDPOINT"])
@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "nonsense", "http://[/"])
def test_a_pool_that_is_not_there_is_explained(
    endpoint: str, address: str, pool: Pool, browser: HttpsClient, settings: Any
) -> None:
    setattr(settings, endpoint, address)
    assert_refused(browser, sign_in(browser, pool), "unreachable")


def test_a_code_that_was_used_already_is_explained(pool: Pool, browser: HttpsClient) -> None:
    """Cognito takes a code once; a copied way back, cookie and all, gets no further than that."""
    sent = begin(browser)
    cookies = browser.cookies.output(header="", sep=";")
    finish(browser, pool, sent)
    thief = HttpsClient()
    thief.cookies.load(cookies)
    pool.token_answer = lambda _: (400, b'{"error": "invalid_grant"}')
    assert finish(thief, pool, sent).headers["Location"].endswith("reason=code")
    assert not signed_in(thief)
