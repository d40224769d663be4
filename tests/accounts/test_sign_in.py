"""Sign-in against the real callback view, with everything forged that a pool or a stranger could send."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from dialadmin.accounts import oidc
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from tests.accounts.pool import Pool, new_key
from tests.conftest import HttpsClient

pytestmark = pytest.mark.django_db

SIGN_IN, CALLBACK = "/accounts/sign-in/", "/accounts/callback/"


@pytest.fixture(scope="module")
def keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """Making keys is slow; two do for the module."""
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


def begin(browser: Client, **query: str) -> dict[str, str]:
    """Start signing in; the parameters that Cognito is sent."""
    response = browser.get(SIGN_IN, query)
    assert response.status_code == 302
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def finish(browser: Client, pool: Pool, sent: dict[str, str], **query: str) -> HttpResponse:
    """Come back from Cognito with a code."""
    pool.nonce = sent["nonce"]
    return browser.get(CALLBACK, {"code": "a-code", "state": sent["state"], **query})  # type: ignore[return-value]


def sign_in(browser: Client, pool: Pool, **query: str) -> HttpResponse:
    return finish(browser, pool, begin(browser, **query))


def signed_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def assert_refused(browser: Client, response: HttpResponse, reason: str) -> None:
    """No session, no member of staff, a page that says what to do, and one history entry without secrets."""
    assert response.headers["Location"] == f"/accounts/failed/?reason={reason}"
    page = browser.get(response.headers["Location"])
    assert page.status_code == 403
    assert "Sign in again" in page.content.decode()
    assert not signed_in(browser)
    assert not Staff.objects.exists()
    entry = Entry.objects.get()
    assert entry.act == "staff.sign-in-failed"
    assert entry.after == {"reason": reason}
    assert "a-code" not in entry.note
    assert browser.get("/").status_code == 302  # and the page behind is still shut


def test_a_good_token_signs_in_with_names_groups_and_level(pool: Pool, browser: HttpsClient) -> None:
    response = sign_in(browser, pool)
    assert response.headers["Location"] == "/"
    staff = Staff.objects.get()
    assert (staff.sub, staff.username, staff.name, staff.email) == (
        "sub-grace", "grace", "Grace Hopper", "grace@example.com",
    )  # fmt: skip
    assert (staff.level, staff.groups) == ("editor", ["analysts", "dial-editors"])
    assert Entry.objects.get().act == "staff.signed-in"


def test_the_flow_asks_for_a_code_with_nonce_and_pkce_at_our_public_address(pool: Pool, browser: HttpsClient) -> None:
    response = browser.get(SIGN_IN, headers={"Host": "localhost"})
    assert response.headers["Location"].startswith("https://tests.auth.eu-west-1.amazoncognito.com/oauth2/authorize?")
    sent = {k: v[0] for k, v in parse_qs(urlsplit(response.headers["Location"]).query).items()}
    assert sent["response_type"] == "code"
    assert sent["code_challenge_method"] == "S256"
    assert sent["redirect_uri"] == "https://testserver/accounts/callback/"
    assert {"nonce", "state", "code_challenge"} <= sent.keys()
    assert set(sent["scope"].split()) == {"openid", "email", "profile"}


def test_the_code_is_exchanged_with_its_verifier(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    (sent,) = pool.token_requests
    assert sent["grant_type"] == "authorization_code"
    assert sent["client_secret"] == "test-client-secret"
    assert sent["redirect_uri"] == "https://testserver/accounts/callback/"
    assert len(sent["code_verifier"]) >= 43


def test_a_public_client_sends_no_secret(pool: Pool, browser: HttpsClient, settings: Any) -> None:
    settings.OIDC_RP_CLIENT_SECRET = ""
    sign_in(browser, pool)
    assert "client_secret" not in pool.token_requests[0]
    assert signed_in(browser)


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"},
        {"aud": "another-client"},
        {"aud": ["test-client", "another-client"]},
        {"token_use": "access"},
        {"nonce": "another"},
        {"nonce": ""},
        {"at_hash": "wrong"},
        {"exp": now() - 3600},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": now() + 3600},
        {"iat": now() - 3600},
        {"nbf": now() + 3600},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 256},
        {"cognito:groups": "dial-publishers"},
        {"cognito:groups": [["dial-publishers"]]},
        {"cognito:groups": {"dial-publishers": True}},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(changes: dict[str, Any], pool: Pool, browser: HttpsClient) -> None:
    pool.changes = changes
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "token_use", "nonce", "sub"])
def test_a_token_without_a_needed_claim_is_refused(claim: str, pool: Pool, browser: HttpsClient) -> None:
    pool.without = {claim}
    assert_refused(browser, sign_in(browser, pool), "token")


def test_clocks_may_differ_by_half_a_minute(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"iat": now() + 30, "exp": now() - 30}
    sign_in(browser, pool)
    assert signed_in(browser)


def test_a_token_signed_by_another_key_is_refused(
    pool: Pool, browser: HttpsClient, keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]
) -> None:
    pool.key = keys[1]
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize(
    ("algorithm", "key"), [("none", None), ("HS256", "x" * 40)], ids=["no signature", "the client secret as a key"]
)
def test_only_rs256_is_believed(algorithm: str, key: str | None, pool: Pool, browser: HttpsClient) -> None:
    pool.algorithm, pool.key = algorithm, key
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithms_of_the_same_key_are_refused(algorithm: str, pool: Pool, browser: HttpsClient) -> None:
    pool.algorithm = algorithm
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize("header", [{"kid": "two"}, {}, {"kid": "../one"}])
def test_a_key_that_the_pool_does_not_publish_is_refused(
    header: dict[str, str], pool: Pool, browser: HttpsClient
) -> None:
    pool.header = header
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize(
    "body", [b'{"id_token": "not.a.token"}', b'{"id_token": ""}', b'{"id_token": 7}', b'{"id_token": null}', b"{}"]
)
def test_an_answer_without_a_usable_token_is_refused(body: bytes, pool: Pool, browser: HttpsClient) -> None:
    pool.token_answer = lambda _: (200, body)
    assert_refused(browser, sign_in(browser, pool), "token")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, b'{"error": "invalid_grant"}'), "code"),
        ((401, b'{"error": "invalid_client"}'), "code"),
        ((500, b"oops"), "unreachable"),
        ((200, b"<html>"), "unreachable"),
        ((200, b"[]"), "unreachable"),
        ((302, b""), "unreachable"),
    ],
)
def test_a_token_endpoint_that_refuses_or_breaks_is_explained(
    answer: tuple[int, bytes], reason: str, pool: Pool, browser: HttpsClient
) -> None:
    pool.token_answer = lambda _: answer
    assert_refused(browser, sign_in(browser, pool), reason)


def test_a_token_endpoint_that_hangs_is_not_waited_for(pool: Pool, browser: HttpsClient) -> None:
    def hang(_: dict[str, str]) -> tuple[int, bytes]:
        time.sleep(1.5)
        return 200, b"{}"

    pool.token_answer = hang
    assert_refused(browser, sign_in(browser, pool), "unreachable")


def test_a_pool_that_is_not_there_is_explained(pool: Pool, browser: HttpsClient, settings: Any) -> None:
    settings.OIDC_OP_TOKEN_ENDPOINT = "http://127.0.0.1:1/oauth2/token"
    assert_refused(browser, sign_in(browser, pool), "unreachable")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, b""), "unreachable"),
        ((200, b"<html>"), "unreachable"),
        ((200, b'{"keys": null}'), "token"),
        ((200, b'{"keys": [{}]}'), "token"),
        ((200, b'{"keys": [7, {"kid": "one", "kty": "RSA", "n": "x", "e": "AQAB"}]}'), "token"),
        ((200, b'{"keys": [{"kid": "one", "kty": "oct", "k": "c2VjcmV0"}]}'), "token"),
    ],
)
def test_keys_that_cannot_be_read_are_explained(
    answer: tuple[int, bytes], reason: str, pool: Pool, browser: HttpsClient
) -> None:
    pool.keys_answer = lambda: answer
    assert_refused(browser, sign_in(browser, pool), reason)


def test_keys_are_kept_between_sign_ins(pool: Pool) -> None:
    for _ in range(3):
        sign_in(HttpsClient(), pool)
    assert pool.key_requests == 1


def test_a_rotated_key_is_fetched_at_once_but_strangers_cannot_make_us_fetch(
    pool: Pool, keys: tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(HttpsClient(), pool)
    pool.published, pool.key, pool.header = {"two": keys[1]}, keys[1], {"kid": "two"}
    later = time.monotonic() + oidc.FORCED_REFRESH + 1
    monkeypatch.setattr(oidc.time, "monotonic", lambda: later)
    browser = HttpsClient()
    sign_in(browser, pool)
    assert signed_in(browser)
    assert pool.key_requests == 2
    pool.header = {"kid": "three"}
    for _ in range(5):
        sign_in(HttpsClient(), pool)
    assert pool.key_requests == 2


@pytest.mark.parametrize("query", [{}, {"code": "a-code"}, {"state": "forged", "code": "a-code"}, {"state": "x"}])
def test_a_callback_that_nobody_began_is_refused(query: dict[str, str], pool: Pool, browser: HttpsClient) -> None:
    assert_refused(browser, browser.get(CALLBACK, query), "state")  # type: ignore[arg-type]
    assert pool.token_requests == []


def test_a_state_works_once(pool: Pool, browser: HttpsClient) -> None:
    sent = begin(browser)
    finish(browser, pool, sent)
    assert signed_in(browser)
    response = finish(browser, pool, sent)
    assert response.headers["Location"].endswith("reason=state")
    assert len(pool.token_requests) == 1


def test_a_state_of_another_browser_is_refused(pool: Pool, browser: HttpsClient) -> None:
    sent = begin(HttpsClient())
    assert_refused(browser, finish(browser, pool, sent), "state")


def test_an_error_of_cognito_is_a_page_and_uses_up_the_state(pool: Pool, browser: HttpsClient) -> None:
    sent = begin(browser)
    response = browser.get(CALLBACK, {"error": "access_denied", "state": sent["state"]})
    assert_refused(browser, response, "cancelled")  # type: ignore[arg-type]
    assert finish(browser, pool, sent).headers["Location"].endswith("reason=state")


def test_an_error_of_cognito_shows_none_of_its_text(pool: Pool, browser: HttpsClient) -> None:
    response = browser.get(CALLBACK, {"error": "x", "error_description": "<script>alert(1)</script>"}, follow=True)
    assert "alert(1)" not in response.content.decode()


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "https:evil.example", "javascript:alert(1)", ""],
)
def test_nobody_is_sent_to_another_site_after_sign_in(address: str, pool: Pool, browser: HttpsClient) -> None:
    assert sign_in(browser, pool, next=address).headers["Location"] == "/"


def test_two_tabs_come_back_to_their_own_pages(pool: Pool, browser: HttpsClient) -> None:
    first, second = begin(browser, next="/roles/"), begin(browser, next="/history/")
    assert finish(browser, pool, first).headers["Location"] == "/roles/"
    assert signed_in(browser)
    # The first tab's sign-in made a new session, so the second tab begins again rather than being mixed up.
    assert finish(browser, pool, second).headers["Location"] == "/accounts/failed/?reason=state"


def test_a_protected_page_is_where_one_comes_back_to(pool: Pool, browser: HttpsClient) -> None:
    response = browser.get("/history/?q=x")
    query = {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}
    assert sign_in(browser, pool, **query).headers["Location"] == "/history/?q=x"
    assert browser.get("/history/?q=x").status_code == 200


def test_another_person_with_the_same_e_mail_is_another_person(pool: Pool) -> None:
    sign_in(HttpsClient(), pool)
    pool.changes = {"sub": "sub-mallory", "cognito:groups": []}
    sign_in(HttpsClient(), pool)
    assert dict(Staff.objects.values_list("sub", "level")) == {"sub-grace": "editor", "sub-mallory": "none"}


def test_a_changed_e_mail_is_the_same_person(pool: Pool) -> None:
    sign_in(HttpsClient(), pool)
    pool.changes = {"email": "g.hopper@example.com", "cognito:username": "ghopper"}
    sign_in(HttpsClient(), pool)
    staff = Staff.objects.get()
    assert (staff.email, staff.username) == ("g.hopper@example.com", "ghopper")


def test_groups_are_taken_from_the_id_token_whatever_userinfo_would_say(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert pool.key_requests == 1  # the only GET: userInfo is never asked


@pytest.mark.parametrize(
    ("groups", "level"),
    [
        (["dial-auditors"], "auditor"),
        (["dial-editors", "dial-auditors"], "editor"),
        (["dial-auditors", "dial-publishers"], "publisher"),
        (["Dial-Publishers"], "none"),
        (["dial-publishers "], "none"),
        ([], "none"),
    ],
)
def test_the_highest_group_gives_the_level(groups: list[str], level: str, pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"cognito:groups": groups}
    sign_in(browser, pool)
    assert Staff.objects.get().level == level


def test_a_level_is_lost_with_the_group_at_the_next_sign_in(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert browser.get("/").status_code == 200
    pool.without = {"cognito:groups"}
    sign_in(browser, pool)
    page = browser.get("/")
    assert page.status_code == 403
    for group in ("dial-auditors", "dial-editors", "dial-publishers"):
        assert group in page.content.decode()


def test_somebody_without_a_level_can_still_sign_out(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"cognito:groups": []}
    sign_in(browser, pool)
    assert browser.post("/accounts/sign-out/").status_code == 302
    assert not signed_in(browser)


def test_somebody_switched_off_is_refused(pool: Pool, browser: HttpsClient) -> None:
    sign_in(HttpsClient(), pool)
    Staff.objects.update(is_active=False)
    response = sign_in(browser, pool)
    assert response.headers["Location"].endswith("reason=inactive")
    assert not signed_in(browser)


def test_a_refusal_ends_the_session_that_was_there(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    pool.changes = {"aud": "another-client"}
    sign_in(browser, pool)
    assert not signed_in(browser)


def test_signing_in_makes_a_new_session(pool: Pool, browser: HttpsClient) -> None:
    begin(browser)
    before = browser.session.session_key
    sign_in(browser, pool)
    assert browser.session.session_key != before


def test_a_refused_person_is_not_sent_round_in_circles(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"aud": "another-client"}
    sent = begin(browser, next="/")
    pool.nonce = sent["nonce"]
    response = browser.get(CALLBACK, {"code": "a-code", "state": sent["state"]}, follow=True)
    assert response.status_code == 403
    assert len(response.redirect_chain) == 1


@pytest.mark.parametrize("address", ["/accounts/sign-in/", "/accounts/callback/", "/accounts/failed/"])
def test_the_pages_of_sign_in_do_not_ask_for_sign_in(address: str, browser: HttpsClient) -> None:
    location = browser.get(address).headers.get("Location", "")
    assert not location.startswith("/accounts/sign-in/")


def test_signing_out_ends_our_session_and_cognitos(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    location = browser.post("/accounts/sign-out/").headers["Location"]
    assert location.startswith("https://tests.auth.eu-west-1.amazoncognito.com/logout?")
    query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    assert query == {"client_id": "test-client", "logout_uri": "https://testserver/accounts/signed-out/"}
    assert not signed_in(browser)
    assert Entry.objects.filter(act="staff.signed-out").count() == 1


def test_a_link_cannot_sign_anybody_out(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert browser.get("/accounts/sign-out/").status_code == 405
    assert signed_in(browser)


def test_a_session_ends_some_hours_after_sign_in_however_it_is_used(
    pool: Pool, browser: HttpsClient, settings: Any
) -> None:
    sign_in(browser, pool)
    assert browser.get("/").status_code == 200
    session = browser.session
    session["signed_in_at"] = time.time() - settings.SESSION_MAX_HOURS * 3600 - 1
    session.save()
    assert browser.get("/").headers["Location"].startswith("/accounts/sign-in/")


def test_a_session_is_renewed_by_use_and_ends_when_idle(pool: Pool, browser: HttpsClient, settings: Any) -> None:
    sign_in(browser, pool)
    response = browser.get("/")
    cookie = response.cookies["dialadmin_session"]
    assert cookie["max-age"] == settings.SESSION_COOKIE_AGE == 30 * 60
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_no_token_is_kept(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert "token" not in str(dict(browser.session)).lower()


def test_failures_do_not_flood_history(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    for _ in range(40):
        HttpsClient().get(CALLBACK, {"state": "x", "code": "y"})
    assert Entry.objects.count() == 30


def test_sign_ins_begun_in_one_browser_are_bounded(pool: Pool, browser: HttpsClient) -> None:
    for _ in range(30):
        begin(browser)
    assert len(browser.session["oidc_states"]) <= 20


def test_the_account_page_shows_who_one_is(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    page = browser.get(reverse("accounts:me")).content.decode()
    for words in ("Grace Hopper", "Editor", "dial-editors", "sub-grace"):
        assert words in page


def test_an_old_form_is_explained(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    strict = HttpsClient(enforce_csrf_checks=True)
    strict.force_login(ada)
    response = strict.post("/theme/", {"theme": "dark"})
    assert response.status_code == 403
    assert "The form is too old" in response.content.decode()
