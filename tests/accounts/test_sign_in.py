"""The way to Cognito and back: state, tabs, addresses to come back to, and whom a token makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.core import signing
from django.http import HttpResponse
from django.test import Client, RequestFactory

from dialadmin.accounts import pending, views
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from tests.accounts.flow import CALLBACK, SIGN_IN, assert_refused, begin, finish, query_of, sign_in, signed_in
from tests.accounts.pool import Pool
from tests.conftest import HttpsClient

pytestmark = pytest.mark.django_db


# --- The way there ---------------------------------------------------------------------------------


def test_the_flow_asks_for_a_code_with_nonce_and_pkce_at_our_public_address(browser: HttpsClient) -> None:
    response = browser.get(SIGN_IN, headers={"Host": "localhost"})
    assert response.headers["Location"].startswith("https://tests.auth.eu-west-1.amazoncognito.com/oauth2/authorize?")
    sent = query_of(response.headers["Location"])
    assert sent["response_type"] == "code"
    assert sent["client_id"] == "test-client"
    assert sent["code_challenge_method"] == "S256"
    assert sent["redirect_uri"] == "https://testserver/accounts/callback/"
    assert {"nonce", "state", "code_challenge"} <= sent.keys()
    assert set(sent["scope"].split()) == {"openid", "email", "profile"}


def test_state_nonce_and_challenge_are_new_each_time(browser: HttpsClient) -> None:
    first, second = begin(browser), begin(browser)
    assert all(first[name] != second[name] for name in ("state", "nonce", "code_challenge"))


def test_strangers_write_nothing_into_the_database(
    browser: HttpsClient, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(0):
        for _ in range(20):
            HttpsClient().get(SIGN_IN)
            begin(browser)
    assert not Session.objects.exists()


def test_the_cookie_of_a_sign_in_is_short_lived_and_out_of_reach_of_scripts(browser: HttpsClient) -> None:
    state = begin(browser)["state"]
    cookie = browser.cookies[pending.PREFIX + state]
    assert cookie["max-age"] == 600
    assert cookie["path"] == "/accounts/"
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"


def test_one_browser_keeps_no_more_than_eight_sign_ins(browser: HttpsClient, pool: Pool) -> None:
    for _ in range(12):
        newest = begin(browser, next="/roles/?q=" + "x" * 300)
    cookies = {name: morsel.value for name, morsel in browser.cookies.items() if morsel.value}
    assert len(cookies) == pending.AT_ONCE
    assert sum(len(name) + len(value) + 3 for name, value in cookies.items()) < 8190  # gunicorn's limit of a header
    assert finish(browser, pool, newest).headers["Location"].startswith("/roles/")


def test_the_oldest_sign_ins_of_a_browser_are_forgotten(rf: RequestFactory) -> None:
    request, response = rf.get(SIGN_IN), HttpResponse()
    request.COOKIES = {"dialadmin_session": "s"} | {f"{pending.PREFIX}{n}": "x" for n in range(9)}  # oldest first
    pending.remember(pending.Pending("new", "n", "v", ""), request=request, response=response)
    gone = [name for name, morsel in response.cookies.items() if not morsel.value]
    assert gone == [f"{pending.PREFIX}0", f"{pending.PREFIX}1"]


@pytest.mark.parametrize("address", ["/accounts/sign-in/", "/accounts/callback/", "/accounts/failed/"])
def test_the_pages_of_sign_in_do_not_ask_for_sign_in(address: str, browser: HttpsClient) -> None:
    location = browser.get(address).headers.get("Location", "")
    assert not location.startswith("/accounts/sign-in/")


# --- The way back ----------------------------------------------------------------------------------


def test_a_good_token_signs_in_with_names_groups_and_level(pool: Pool, browser: HttpsClient) -> None:
    assert sign_in(browser, pool).headers["Location"] == "/"
    assert browser.get("/").status_code == 200
    staff = Staff.objects.get()
    assert (staff.sub, staff.username, staff.name, staff.email) == (
        "sub-grace", "grace", "Grace Hopper", "grace@example.com",
    )  # fmt: skip
    assert (staff.level, staff.groups) == ("editor", ["analysts", "dial-editors"])
    entry = Entry.objects.get()
    assert (entry.act, entry.actor_id, entry.sentence) == ("staff.signed-in", "sub-grace", "signed in as editor")


def test_the_code_is_exchanged_with_its_verifier_at_our_public_address(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    (sent,) = pool.token_requests
    assert len(sent.pop("code_verifier")) >= 43
    assert sent == {
        "grant_type": "authorization_code",
        "client_id": "test-client",
        "client_secret": "test-client-secret",
        "code": "a-code",
        "redirect_uri": "https://testserver/accounts/callback/",
    }


def test_a_public_client_sends_no_secret(pool: Pool, browser: HttpsClient, settings: Any) -> None:
    settings.OIDC_RP_CLIENT_SECRET = ""
    sign_in(browser, pool)
    assert "client_secret" not in pool.token_requests[0]
    assert signed_in(browser)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"code": "a-code"},
        {"state": "forged", "code": "a-code"},
        {"state": "x" * 32, "code": "a-code"},
        {"state": "../../" + "x" * 30, "code": "a-code"},
        {"state": "x" * 32, "error": "access_denied"},
        {"error": "access_denied", "error_description": "<script>alert(1)</script>"},
    ],
)
def test_a_callback_that_nobody_began_is_refused(query: dict[str, str], pool: Pool, browser: HttpsClient) -> None:
    assert_refused(browser, browser.get(CALLBACK, query), "state")
    assert pool.token_requests == []


def test_a_callback_that_nobody_began_ends_no_session(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    for query in ({"error": "access_denied"}, {"state": "x" * 32, "code": "a-code"}):
        page = browser.get(CALLBACK, query, follow=True)
        assert "You are still signed in as" in page.content.decode()
    assert browser.get("/").status_code == 200


def test_a_state_works_once(pool: Pool, browser: HttpsClient) -> None:
    sent = begin(browser)
    finish(browser, pool, sent)
    assert signed_in(browser)
    assert finish(browser, pool, sent).headers["Location"].endswith("reason=state")
    assert len(pool.token_requests) == 1


def test_a_state_of_another_browser_is_refused(pool: Pool, browser: HttpsClient) -> None:
    assert_refused(browser, finish(browser, pool, begin(HttpsClient())), "state")


def test_a_state_is_refused_after_ten_minutes(pool: Pool, browser: HttpsClient) -> None:
    with time_machine.travel("2026-01-05 09:00", tick=False) as clock:
        sent = begin(browser)
        clock.shift(pending.LIVES + 1)
        assert_refused(browser, finish(browser, pool, sent), "state")


def test_a_cookie_that_somebody_made_up_is_refused(pool: Pool, browser: HttpsClient) -> None:
    state = "x" * 32
    for forged in (
        "",
        "WyIiLCIiLCIiXQ:1:abc",
        signing.dumps(["n", "v", "/"], key="another", salt=pending.PREFIX + state),
    ):
        browser.cookies[pending.PREFIX + state] = forged
        response = browser.get(CALLBACK, {"code": "a-code", "state": state})
        assert response.headers["Location"].endswith("reason=state")


def test_the_cookie_of_one_state_does_not_serve_another(pool: Pool, browser: HttpsClient) -> None:
    sent = begin(browser)
    browser.cookies[pending.PREFIX + "y" * 32] = browser.cookies[pending.PREFIX + sent["state"]].value
    assert_refused(browser, finish(browser, pool, {**sent, "state": "y" * 32}), "state")


def test_a_token_of_another_sign_in_of_this_browser_is_refused(pool: Pool, browser: HttpsClient) -> None:
    first, second = begin(browser), begin(browser)
    pool.nonce = second["nonce"]
    response = browser.get(CALLBACK, {"code": "a-code", "state": first["state"]})
    assert_refused(browser, response, "token")


def test_neither_a_code_nor_an_error_is_explained(pool: Pool, browser: HttpsClient) -> None:
    response = browser.get(CALLBACK, {"state": begin(browser)["state"]})
    assert_refused(browser, response, "code")


@pytest.mark.parametrize(
    ("error", "reason", "note"),
    [
        ("access_denied", "cancelled", "access_denied"),
        ("login_required", "cancelled", "login_required"),
        ("invalid_scope", "refused", "invalid_scope"),
        ("server_error", "refused", "server_error"),
        ("<script>alert(1)</script>", "refused", "an unknown error"),
    ],
)
def test_an_error_of_cognito_is_a_page_and_uses_up_the_state(
    error: str, reason: str, note: str, pool: Pool, browser: HttpsClient
) -> None:
    sent = begin(browser)
    query = {"error": error, "error_description": "any text", "state": sent["state"]}
    entry = assert_refused(browser, browser.get(CALLBACK, query), reason)
    assert entry.note == f"Cognito answered {note} instead of a code"
    assert finish(browser, pool, sent).headers["Location"].endswith("reason=state")


@pytest.mark.parametrize("reason", sorted(views.FAILURES))
def test_each_failure_has_a_page_that_says_what_to_do(reason: str, browser: HttpsClient) -> None:
    response = browser.get("/accounts/failed/", {"reason": reason})
    text = response.content.decode()
    assert response.status_code == 403
    assert views.FAILURES[reason].title in text
    assert "Sign in again" in text
    assert "Sign in as somebody else" in text


def test_a_reason_that_nobody_knows_shows_none_of_its_text(browser: HttpsClient) -> None:
    page = browser.get("/accounts/failed/", {"reason": "<script>alert(1)</script>"}).content.decode()
    assert "alert(1)" not in page
    assert "Sign-in failed" in page


def test_a_refused_person_is_not_sent_round_in_circles(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"aud": "another-client"}
    sent = begin(browser, next="/")
    pool.nonce = sent["nonce"]
    response = browser.get(CALLBACK, {"code": "a-code", "state": sent["state"]}, follow=True)
    assert response.status_code == 403
    assert len(response.redirect_chain) == 1


def test_a_refusal_ends_the_session_that_was_there(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    pool.changes = {"aud": "another-client"}
    sign_in(browser, pool)
    assert not signed_in(browser)
    assert browser.get("/").status_code == 302


def test_failures_of_one_kind_do_not_flood_history_or_hide_other_kinds(pool: Pool) -> None:
    with time_machine.travel("2026-01-05 09:00", tick=False) as clock:
        for _ in range(30):
            HttpsClient().get(CALLBACK, {"state": "x", "code": "y"})
        assert Entry.objects.count() == 20
        pool.changes = {"aud": "another-client"}
        sign_in(HttpsClient(), pool)
        assert Entry.objects.count() == 21
        clock.shift(3601)
        HttpsClient().get(CALLBACK, {"state": "x", "code": "y"})
        assert Entry.objects.count() == 22


# --- Where one comes back to -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "https://testserver/roles/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "roles/",
        "/roles/?q=" + "x" * 400,
        "\x00/roles/",
        "",
    ],
)
def test_nobody_is_sent_to_another_site_after_sign_in(address: str, pool: Pool, browser: HttpsClient) -> None:
    assert sign_in(browser, pool, next=address).headers["Location"] == "/"


def test_a_protected_page_is_where_one_comes_back_to(pool: Pool, browser: HttpsClient) -> None:
    query = query_of(browser.get("/history/?q=Zo%C3%AB&page=1").headers["Location"])
    response = sign_in(browser, pool, **query)
    assert response.headers["Location"] == "/history/?q=Zo%C3%AB&page=1"
    assert browser.get(response.headers["Location"]).status_code == 200


def test_two_tabs_come_back_to_their_own_pages(pool: Pool, browser: HttpsClient) -> None:
    first, second = begin(browser, next="/roles/"), begin(browser, next="/history/")
    assert finish(browser, pool, first).headers["Location"] == "/roles/"
    assert finish(browser, pool, second).headers["Location"] == "/history/"
    assert browser.get("/history/").status_code == 200


def test_tabs_that_a_browser_opens_at_once_do_not_lose_one_another(pool: Pool, browser: HttpsClient) -> None:
    """Both ask before either has an answer, so neither sends the other's cookie."""
    tabs = [HttpsClient(), HttpsClient()]
    begun = [begin(tab, next=address) for tab, address in zip(tabs, ("/roles/", "/history/"), strict=True)]
    for tab in tabs:
        browser.cookies.update(tab.cookies)
    assert [finish(browser, pool, sent).headers["Location"] for sent in begun] == ["/roles/", "/history/"]


# --- Whom a token makes ----------------------------------------------------------------------------


def test_another_person_with_the_same_e_mail_is_another_person(pool: Pool) -> None:
    sign_in(HttpsClient(), pool)
    pool.changes = {"sub": "sub-mallory", "email": "GRACE@example.com", "cognito:groups": []}
    sign_in(HttpsClient(), pool)
    assert dict(Staff.objects.values_list("sub", "level")) == {"sub-grace": "editor", "sub-mallory": "none"}


def test_a_username_that_was_given_to_somebody_else_is_somebody_else(pool: Pool) -> None:
    sign_in(HttpsClient(), pool)
    pool.changes = {"sub": "sub-new-grace"}
    sign_in(HttpsClient(), pool)
    assert Staff.objects.filter(username="grace").count() == 2


def test_a_changed_e_mail_is_the_same_person_and_in_history(pool: Pool) -> None:
    sign_in(HttpsClient(), pool)
    pool.changes = {"email": "g.hopper@example.com", "cognito:username": "ghopper"}
    sign_in(HttpsClient(), pool)
    staff = Staff.objects.get()
    assert (staff.email, staff.username) == ("g.hopper@example.com", "ghopper")
    latest = Entry.objects.all()[0]
    assert latest.before == {"level": "editor", "username": "grace", "email": "grace@example.com"}
    assert latest.after == {"level": "editor", "username": "ghopper", "email": "g.hopper@example.com"}


def test_names_are_those_of_the_token_and_harmless(pool: Pool) -> None:
    pool.changes = {"name": "Gr\u202eace\x00\ud800 Hopper\n" + "x" * 300, "email": 7}
    sign_in(HttpsClient(), pool)
    staff = Staff.objects.get()
    assert staff.name.startswith("Grace Hopperxxx")
    assert len(staff.name) == 255
    assert staff.email == ""


def test_given_and_family_name_make_a_name(pool: Pool) -> None:
    pool.changes, pool.without = {"given_name": "Grace", "family_name": "Hopper"}, {"name"}
    sign_in(HttpsClient(), pool)
    assert Staff.objects.get().name == "Grace Hopper"


def test_nobody_gets_a_password(pool: Pool) -> None:
    sign_in(HttpsClient(), pool)
    assert not Staff.objects.get().has_usable_password()


def test_groups_are_taken_from_the_id_token_alone(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert (len(pool.token_requests), pool.key_requests) == (1, 1)  # userInfo is never asked


@pytest.mark.parametrize(
    ("groups", "level"),
    [
        (["dial-auditors"], "auditor"),
        (["dial-editors", "dial-auditors"], "editor"),
        (["dial-auditors", "dial-publishers", "dial-auditors"], "publisher"),
        (["Dial-Publishers"], "none"),
        (["dial-publishers "], "none"),
        ([f"group-{n}" for n in range(100)], "none"),
        ([], "none"),
    ],
)
def test_the_highest_group_gives_the_level(groups: list[str], level: str, pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"cognito:groups": groups}
    sign_in(browser, pool)
    assert Staff.objects.get().level == level
    assert Staff.objects.get().groups == sorted(set(groups))


def test_somebody_switched_off_is_refused_and_named_in_history(pool: Pool, browser: HttpsClient) -> None:
    sign_in(HttpsClient(), pool)
    Staff.objects.update(is_active=False)
    response = sign_in(browser, pool)
    assert response.headers["Location"].endswith("reason=inactive")
    assert not signed_in(browser)
    latest = Entry.objects.all()[0]
    assert (latest.act, latest.actor_id) == ("staff.sign-in-failed", "sub-grace")


def test_an_old_form_is_explained(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    strict = HttpsClient(enforce_csrf_checks=True)
    strict.force_login(ada)
    response = strict.post("/theme/", {"theme": "dark"})
    assert response.status_code == 403
    assert "The form is too old" in response.content.decode()
