"""What a session may, how long it lives, how it loses its level, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from dialadmin.accounts import actions
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from tests.accounts.flow import SIGN_OUT, begin, query_of, sign_in, signed_in
from tests.accounts.pool import Pool
from tests.conftest import HttpsClient

pytestmark = pytest.mark.django_db

SYNC = Actor.command("sync_cognito")


# --- Lifetime --------------------------------------------------------------------------------------


def test_a_session_ends_some_hours_after_sign_in_however_it_is_used(
    pool: Pool, browser: HttpsClient, settings: Any
) -> None:
    with time_machine.travel("2026-01-05 09:00", tick=False) as clock:
        sign_in(browser, pool)
        for _ in range(settings.SESSION_MAX_HOURS * 4):
            clock.shift(15 * 60)
            assert browser.get("/accounts/me/").status_code == 200
        clock.shift(1)
        response = browser.get("/roles/")
    assert response.headers["Location"] == "/accounts/sign-in/?next=/roles/"
    assert not signed_in(browser)


def test_a_session_ends_when_idle(pool: Pool, browser: HttpsClient, settings: Any) -> None:
    with time_machine.travel("2026-01-05 09:00", tick=False) as clock:
        sign_in(browser, pool)
        clock.shift(settings.SESSION_COOKIE_AGE + 1)
        assert browser.get("/").status_code == 302


def test_the_session_cookie_is_renewed_by_use(pool: Pool, browser: HttpsClient, settings: Any) -> None:
    sign_in(browser, pool)
    cookie = browser.get("/").cookies["dialadmin_session"]
    assert cookie["max-age"] == settings.SESSION_COOKIE_AGE == 30 * 60
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_signing_in_makes_a_new_session_and_drops_the_old(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    before = browser.session.session_key
    sign_in(browser, pool)
    assert browser.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


def test_a_planted_session_does_not_live_on(pool: Pool, browser: HttpsClient) -> None:
    planted = browser.session
    planted["mark"] = "x"
    planted.save()
    browser.cookies["dialadmin_session"] = str(planted.session_key)
    sign_in(browser, pool)
    assert "mark" not in browser.session
    assert browser.session.session_key != planted.session_key


def test_a_second_browser_leaves_the_first_signed_in(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    sign_in(HttpsClient(), pool)
    assert browser.get("/").status_code == 200


def test_no_token_is_kept(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    kept = str(dict(browser.session))
    assert "eyJ" not in kept
    assert pool.ACCESS_TOKEN not in kept


# --- Asked to sign in ------------------------------------------------------------------------------


def test_a_form_leads_back_to_its_page_not_to_its_target(browser: HttpsClient) -> None:
    response = browser.post(reverse("roles:sync-start"), headers={"Referer": "https://testserver/roles/syncs/?page=2"})
    assert response.status_code == 302
    assert query_of(response.headers["Location"]) == {"next": "/roles/syncs/?page=2"}


def test_a_form_of_another_site_leads_home(browser: HttpsClient) -> None:
    response = browser.post(reverse("roles:sync-start"), headers={"Referer": "https://evil.example/x"})
    assert query_of(response.headers["Location"]) == {"next": "/"}


def test_htmx_is_told_to_leave_the_page(browser: HttpsClient) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://testserver/roles/?q=a"}
    response = browser.get("/roles/?q=ab", headers=headers)
    assert response.status_code == 200
    assert response.headers["HX-Redirect"] == "/accounts/sign-in/?next=%2Froles%2F%3Fq%3Da"
    assert "Location" not in response.headers


# --- Levels ----------------------------------------------------------------------------------------


def test_a_level_is_lost_and_gained_at_the_next_sign_in(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert browser.get("/").status_code == 200
    pool.without = {"cognito:groups"}
    sign_in(browser, pool)
    assert browser.get("/").status_code == 403
    pool.without, pool.changes = set(), {"cognito:groups": ["dial-publishers"]}
    sign_in(browser, pool)
    assert browser.get("/").status_code == 200
    levels = list(Entry.objects.values_list("act", "before__level", "after__level"))
    assert levels == [
        ("staff.signed-in", "none", "publisher"),
        ("staff.signed-in-without-level", "editor", "none"),
        ("staff.signed-in", None, "editor"),
    ]


def test_a_level_lost_in_one_browser_is_lost_in_all(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    pool.changes = {"cognito:groups": []}
    sign_in(HttpsClient(), pool)
    assert browser.get("/").status_code == 403


def test_somebody_without_a_level_sees_the_groups_they_need_and_nothing_else(
    client_of: Callable[[Staff], Client], nemo: Staff
) -> None:
    nemo.groups = ["analysts"]
    nemo.save()
    client = client_of(nemo)
    for address in ("/", "/roles/", "/accounts/me/", "/deployments/", "/history/"):
        page = client.get(address)
        text = page.content.decode()
        assert page.status_code == 403
        for group in ("dial-auditors", "dial-editors", "dial-publishers", "analysts"):
            assert group in text
        assert 'aria-label="Main"' not in text  # no menu
    assert client.get("/nowhere/").status_code == 404
    assert client.get("/health/").status_code == 200
    assert client.post(reverse("roles:sync-start")).status_code == 403


def test_somebody_without_a_level_who_tries_again_and_again_does_not_flood_history(pool: Pool) -> None:
    pool.changes = {"cognito:groups": []}
    for _ in range(25):
        sign_in(HttpsClient(), pool)
    assert Entry.objects.filter(act="staff.signed-in-without-level").count() == 20


def test_somebody_without_a_level_can_still_sign_out(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"cognito:groups": []}
    sign_in(browser, pool)
    assert browser.post(SIGN_OUT).status_code == 302
    assert not signed_in(browser)


def test_switching_somebody_off_ends_their_sessions(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    client = client_of(ada)
    assert client.get("/").status_code == 200
    Staff.objects.update(is_active=False)
    assert client.get("/").headers["Location"].startswith("/accounts/sign-in/")


def test_a_sync_takes_the_level_of_who_left_the_group(pool: Pool, browser: HttpsClient) -> None:
    pool.changes = {"cognito:groups": ["dial-auditors", "dial-publishers", "analysts"]}
    sign_in(browser, pool)
    actions.lose_groups(lost={"sub-grace": {"dial-publishers"}, "sub-unknown": {"dial-editors"}}, by=SYNC)
    staff = Staff.objects.get()
    assert (staff.level, staff.groups) == ("auditor", ["analysts", "dial-auditors"])
    entry = Entry.objects.all()[0]
    assert (entry.act, entry.actor_id, entry.target_id) == ("staff.groups-lost", SYNC.id, "sub-grace")
    assert entry.before == {"level": "publisher", "groups": ["analysts", "dial-auditors", "dial-publishers"]}
    assert entry.after == {"level": "auditor", "groups": ["analysts", "dial-auditors"]}
    actions.lose_groups(lost={"sub-grace": {"dial-auditors"}}, by=SYNC)
    assert browser.get("/").status_code == 403


def test_a_sync_that_found_nothing_lost_writes_nothing(ada: Staff) -> None:
    ada.groups = ["dial-publishers"]
    ada.save()
    actions.lose_groups(lost={}, by=SYNC)
    actions.lose_groups(lost={ada.sub: {"dial-auditors"}, "sub-other": {"dial-publishers"}}, by=SYNC)
    ada.refresh_from_db()
    assert (ada.level, ada.groups) == ("publisher", ["dial-publishers"])
    assert not Entry.objects.exists()


# --- Signing out -----------------------------------------------------------------------------------


def test_signing_out_ends_our_session_and_cognitos(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    location = browser.post(SIGN_OUT).headers["Location"]
    assert location.startswith("https://tests.auth.eu-west-1.amazoncognito.com/logout?")
    assert query_of(location) == {"client_id": "test-client", "logout_uri": "https://testserver/accounts/signed-out/"}
    assert not signed_in(browser)
    assert not Session.objects.exists()
    assert Entry.objects.filter(act="staff.signed-out", actor_id="sub-grace").count() == 1
    page = browser.get("/accounts/signed-out/")
    assert page.status_code == 200
    assert "You are signed out" in page.content.decode()


def test_a_link_cannot_sign_anybody_out(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert browser.get(SIGN_OUT).status_code == 405
    assert signed_in(browser)


def test_a_form_of_another_site_cannot_sign_anybody_out(ada: Staff) -> None:
    strict = HttpsClient(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert strict.post(SIGN_OUT).status_code == 403
    assert signed_in(strict)


def test_somebody_who_is_refused_can_leave_cognito_too(browser: HttpsClient) -> None:
    assert (
        browser.post(SIGN_OUT).headers["Location"].startswith("https://tests.auth.eu-west-1.amazoncognito.com/logout?")
    )
    assert not Entry.objects.exists()


# --- The account page ------------------------------------------------------------------------------


def test_the_account_page_shows_who_one_is_through_what_and_until_when(pool: Pool, browser: HttpsClient) -> None:
    with time_machine.travel("2026-01-05 09:00", tick=False):
        sign_in(browser, pool)
        page = browser.get(reverse("accounts:me")).content.decode()
    for words in ("Grace Hopper", "Editor", "<code>dial-editors</code>", "analysts", "sub-grace", "at 17:00 UTC"):
        assert words in page


def test_groups_are_read_again_without_losing_the_page(pool: Pool, browser: HttpsClient) -> None:
    sign_in(browser, pool)
    assert "/accounts/sign-in/?next=/accounts/me/" in browser.get("/accounts/me/").content.decode()
    assert begin(browser, next="/accounts/me/")["state"]
