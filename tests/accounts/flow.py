"""The steps of a sign-in, as a browser takes them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client

from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from tests.accounts.pool import Pool

SIGN_IN, CALLBACK, SIGN_OUT = "/accounts/sign-in/", "/accounts/callback/", "/accounts/sign-out/"


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def begin(browser: Client, **query: str) -> dict[str, str]:
    """Start signing in; the parameters that Cognito is sent."""
    response = browser.get(SIGN_IN, query)
    assert response.status_code == 302
    return query_of(response.headers["Location"])


def finish(browser: Client, pool: Pool, sent: dict[str, str], **query: str) -> Any:
    """Come back from Cognito with a code."""
    pool.nonce = sent["nonce"]
    return browser.get(CALLBACK, {"code": "a-code", "state": sent["state"], **query})


def sign_in(browser: Client, pool: Pool, **query: str) -> Any:
    return finish(browser, pool, begin(browser, **query))


def signed_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def assert_refused(browser: Client, response: Any, reason: str) -> Entry:
    """No session, no member of staff, a page that says what to do, and one history entry without secrets."""
    assert response.status_code == 302
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
    assert "eyJ" not in entry.note  # how every token begins
    assert browser.get("/").status_code == 302  # and the page behind is still shut
    return entry
