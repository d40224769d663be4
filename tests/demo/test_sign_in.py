"""The dashboard's own sign-in, unchanged, against the embedded Cognito."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from dialadmin.accounts.models import Staff
from dialadmin.demo.provider import Provider, running_provider
from tests.conftest import HttpsClient

DASHBOARD = "https://testserver"


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    with running_provider(
        callback_urls=[f"{DASHBOARD}/accounts/callback/"], sign_out_urls=[f"{DASHBOARD}/accounts/signed-out/"]
    ) as running:
        settings.OIDC_ISSUER = running.issuer
        settings.OIDC_DOMAIN = running.domain
        settings.OIDC_RP_CLIENT_ID = running.client_id
        settings.OIDC_RP_CLIENT_SECRET = running.client_secret
        settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{running.domain}/oauth2/authorize"
        settings.OIDC_OP_TOKEN_ENDPOINT = f"{running.domain}/oauth2/token"
        settings.OIDC_OP_JWKS_ENDPOINT = f"{running.issuer}/.well-known/jwks.json"
        yield running


def sign_in(client: HttpsClient, username: str) -> Any:
    """From the dashboard to the hosted UI, a choice there, and back; the dashboard's answer."""
    start = client.get("/accounts/sign-in/")
    with requests.Session() as browser:
        login = browser.get(start["Location"], timeout=5)
        back = browser.post(login.url, data={"username": username}, allow_redirects=False, timeout=5)
    target = urlsplit(back.headers["Location"])
    return client.get(f"{target.path}?{target.query}")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("username", "level", "home"),
    [
        ("ada.nwosu", "publisher", 200),
        ("emil.soerensen", "editor", 200),
        ("vera.kovacova", "auditor", 200),
        ("nico.bauer", "none", 403),
    ],
)
def test_the_people_to_start_with_sign_in_at_their_level(
    provider: Provider, anonymous: HttpsClient, username: str, level: str, home: int
) -> None:
    answer = sign_in(anonymous, username)

    assert answer.status_code == 302
    assert Staff.objects.get(username=username).level == level
    assert anonymous.get("/").status_code == home


@pytest.mark.django_db
def test_signing_out_leads_through_the_providers_logout(provider: Provider, anonymous: HttpsClient) -> None:
    sign_in(anonymous, "ada.nwosu")

    leaving = anonymous.post("/accounts/sign-out/")

    with requests.Session() as browser:
        answer = browser.get(leaving["Location"], allow_redirects=False, timeout=5)
    assert answer.headers["Location"] == f"{DASHBOARD}/accounts/signed-out/"
