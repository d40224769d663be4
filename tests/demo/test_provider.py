"""The embedded Cognito speaks Cognito's protocol, refusals included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
import time_machine
from django.utils import timezone
from moto.cognitoidp.models import CognitoIdpUser

from dialadmin.demo import organisation
from dialadmin.demo.keys import SigningKeys, challenge_of, half_hash
from dialadmin.demo.provider import LOOPBACK, SESSION_COOKIE, Provider, running_provider
from roles import cognito
from tests.roles.conftest import SESSION

CALLBACK = "http://localhost:8000/accounts/callback/"
SIGNED_OUT = "http://localhost:8000/accounts/signed-out/"
VERIFIER = "a-code-verifier-of-at-least-forty-three-characters"


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("keys") / "keys.pem"


@pytest.fixture
def provider(keys_file: Any) -> Iterator[Provider]:
    with running_provider(callback_urls=[CALLBACK], sign_out_urls=[SIGNED_OUT], keys_file=keys_file) as running:
        yield running


@dataclass
class Browser:
    """Somebody in front of the hosted UI, and the client application behind it."""

    provider: Provider
    http: requests.Session = field(default_factory=requests.Session)

    def authorize(self, **changes: str) -> requests.Response:
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid email profile",
            "state": "the-state",
            "nonce": "the-nonce",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        } | changes
        url = f"{self.provider.domain}/oauth2/authorize?{urlencode({k: v for k, v in query.items() if v})}"
        return self.http.get(url, allow_redirects=False)

    def choose(self, username: str, **changes: str) -> requests.Response:
        self.http.cookies.clear()
        login = self.authorize(**changes).headers["Location"]
        return self.http.post(login, data={"username": username}, allow_redirects=False)

    def code(self, username: str = "ada.nwosu", **changes: str) -> str:
        return answer_of(self.choose(username, **changes))["code"]

    def redeem(self, code: str, *, basic: bool = False, **changes: str) -> requests.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": self.provider.client_id,
            "client_secret": self.provider.client_secret,
            "redirect_uri": CALLBACK,
            "code": code,
            "code_verifier": VERIFIER,
        } | changes
        auth = (form.pop("client_id"), form.pop("client_secret")) if basic else None
        form = {name: value for name, value in form.items() if value}
        return self.http.post(f"{self.provider.domain}/oauth2/token", data=form, auth=auth)

    def tokens(self, username: str = "ada.nwosu") -> dict[str, Any]:
        tokens: dict[str, Any] = self.redeem(self.code(username)).json()
        return tokens

    def identity(self, username: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(self.tokens(username)["id_token"], options={"verify_signature": False})
        return claims


@pytest.fixture
def browser(provider: Provider) -> Iterator[Browser]:
    visitor = Browser(provider)
    yield visitor
    visitor.http.close()


def answer_of(response: requests.Response) -> dict[str, str]:
    assert response.status_code == 302
    assert response.headers["Location"].startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["Location"]).query).items()}


def user_of(username: str) -> CognitoIdpUser:
    return organisation.backend().user_pools[organisation.POOL_ID].users[username]


def test_discovery_names_endpoints_that_exist(provider: Provider) -> None:
    found = requests.get(f"{provider.issuer}/.well-known/openid-configuration", timeout=5).json()

    assert found["issuer"] == provider.issuer == f"http://localhost:{provider.port}/{provider.pool_id}"
    keys = requests.get(found["jwks_uri"], timeout=5).json()["keys"]
    assert len({key["kid"] for key in keys}) == 2
    assert not any("d" in key for key in keys)
    assert requests.get(found["authorization_endpoint"], timeout=5).status_code == 400
    assert requests.post(found["token_endpoint"], timeout=5).json() == {"error": "invalid_client"}
    assert requests.get(found["userinfo_endpoint"], timeout=5).status_code == 401


def test_an_id_token_is_shaped_like_cognitos(browser: Browser) -> None:
    tokens = browser.tokens("vera.kovacova")
    jwks = jwt.PyJWKSet.from_dict(requests.get(f"{browser.provider.issuer}/.well-known/jwks.json", timeout=5).json())
    key = jwks[jwt.get_unverified_header(tokens["id_token"])["kid"]]

    claims = jwt.decode(
        tokens["id_token"],
        key,
        algorithms=["RS256"],
        issuer=browser.provider.issuer,
        audience=browser.provider.client_id,
        options={"require": ["exp", "iat", "sub", "jti", "auth_time"]},
    )

    assert claims["token_use"] == "id"
    assert claims["nonce"] == "the-nonce"
    assert claims["cognito:username"] == "vera.kovacova"
    assert claims["cognito:groups"] == ["dial-auditors", "legal"]
    assert claims["email"] == "vera.kovacova@larkfield.example"
    assert claims["email_verified"] is True
    assert claims["name"] == "Věra Kováčová"
    assert claims["at_hash"] == half_hash(tokens["access_token"])
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 3600
    access = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert access["token_use"] == "access"
    assert "aud" not in access


def test_the_state_comes_back(browser: Browser) -> None:
    assert answer_of(browser.choose("ada.nwosu"))["state"] == "the-state"


def test_somebody_without_groups_has_no_group_claim(browser: Browser) -> None:
    assert "cognito:groups" not in browser.identity("noor.devries")


def test_a_group_given_by_the_api_is_in_the_next_token(browser: Browser) -> None:
    before = browser.identity("yuki.tanaka")
    response = requests.post(
        browser.provider.endpoint_url,
        headers={
            "X-Amz-Target": "AWSCognitoIdentityProviderService.AdminAddUserToGroup",
            "Content-Type": "application/x-amz-json-1.1",
            # moto reads the region here, and does not check signatures
            "Authorization": "AWS4-HMAC-SHA256 Credential=demo/20260101/eu-west-1/cognito-idp/aws4_request",
        },
        json={"UserPoolId": browser.provider.pool_id, "Username": "yuki.tanaka", "GroupName": "dial-editors"},
        timeout=5,
    )
    assert response.status_code == 200

    assert "cognito:groups" not in before
    assert browser.identity("yuki.tanaka")["cognito:groups"] == ["dial-editors"]


def test_a_code_works_once(browser: Browser) -> None:
    code = browser.code()

    assert browser.redeem(code).status_code == 200
    assert browser.redeem(code).json() == {"error": "invalid_grant"}


def test_a_code_lives_five_minutes(browser: Browser) -> None:
    code = browser.code()

    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1)):
        assert browser.redeem(code).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize("verifier", ["another-verifier-of-at-least-forty-three-characters", ""])
def test_a_wrong_or_missing_verifier_is_refused_and_spends_the_code(browser: Browser, verifier: str) -> None:
    code = browser.code()

    assert browser.redeem(code, code_verifier=verifier).json() == {"error": "invalid_grant"}
    assert browser.redeem(code).json() == {"error": "invalid_grant"}


def test_a_plain_challenge_is_refused(browser: Browser) -> None:
    assert answer_of(browser.authorize(code_challenge_method="plain"))["error"] == "invalid_request"


def test_the_redirect_address_of_the_exchange_has_to_be_that_of_the_sign_in(browser: Browser) -> None:
    assert browser.redeem(browser.code(), redirect_uri=f"{CALLBACK}x").json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    "address",
    ["http://evil.example/", CALLBACK.rstrip("/"), CALLBACK.replace("localhost", "127.0.0.1"), f"{CALLBACK}?x=1", ""],
)
def test_an_address_that_is_not_registered_gets_no_redirect(browser: Browser, address: str) -> None:
    response = browser.authorize(redirect_uri=address)

    assert response.status_code == 400
    assert "redirect_mismatch" in response.text


def test_an_unknown_client_gets_no_redirect(browser: Browser) -> None:
    assert browser.authorize(client_id="another").status_code == 400


def test_scopes_and_response_types_that_are_not_allowed_go_back_as_errors(browser: Browser) -> None:
    assert answer_of(browser.authorize(scope="openid phone")) == {"error": "invalid_scope", "state": "the-state"}
    assert answer_of(browser.authorize(response_type="token"))["error"] == "invalid_request"


def test_the_secret_of_the_client_is_checked_in_header_and_body(browser: Browser) -> None:
    assert browser.redeem(browser.code(), basic=True).status_code == 200
    for basic in (True, False):
        answer = browser.redeem(browser.code(), basic=basic, client_secret="wrong")
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_client"})
    assert browser.redeem(browser.code(), client_secret="").json() == {"error": "invalid_client"}


def test_only_codes_are_exchanged(browser: Browser) -> None:
    answer = browser.redeem("x", grant_type="client_credentials")

    assert answer.json() == {"error": "unsupported_grant_type"}


def test_user_info_knows_the_person_but_no_groups(browser: Browser) -> None:
    token = browser.tokens("ada.nwosu")["access_token"]
    url = f"{browser.provider.domain}/oauth2/userInfo"

    found = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5).json()

    assert found["username"] == "ada.nwosu"
    assert not [claim for claim in found if "groups" in claim]
    refused = requests.get(url, headers={"Authorization": f"Bearer {token}x"}, timeout=5)
    assert refused.status_code == 401


def test_the_login_page_offers_the_four_and_everybody_else(browser: Browser) -> None:
    response = browser.http.get(browser.authorize().headers["Location"])

    assert all(person.username in response.text for person in organisation.PEOPLE)
    assert "<strong>Demo.</strong>" in response.text
    assert re.findall(r'<span class="level level-\d">(.+?)</span>', response.text) == [
        "Publisher",
        "Editor",
        "Auditor",
        "No rights",
    ]
    assert "<script" not in response.text
    assert " style=" not in response.text
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:8000;" in policy


@pytest.mark.parametrize(
    ("username", "reason"),
    [("ivan.petrov", "is disabled"), ("rasmus.tamm", "has not confirmed"), ("nobody", "Choose one of the people")],
)
def test_who_may_not_sign_in_is_told_so_on_the_page(browser: Browser, username: str, reason: str) -> None:
    response = browser.choose(username)

    assert response.status_code == 200
    assert 'role="alert"' in response.text
    assert reason in response.text
    assert SESSION_COOKIE not in browser.http.cookies


def test_who_is_disabled_after_signing_in_gets_no_token(browser: Browser) -> None:
    code = browser.code("nico.bauer")

    user_of("nico.bauer").enabled = False

    assert browser.redeem(code).json() == {"error": "invalid_grant"}


def test_the_login_form_of_another_site_is_refused(browser: Browser) -> None:
    login = browser.authorize().headers["Location"]

    response = browser.http.post(login, data={"username": "ada.nwosu"}, headers={"Origin": "http://evil.example"})

    assert response.status_code == 400


def test_a_session_signs_in_again_without_a_choice_until_logout(browser: Browser) -> None:
    browser.choose("ada.nwosu")
    assert "code" in answer_of(browser.authorize(prompt="none"))
    assert "/login?" in browser.authorize(prompt="login").headers["Location"]

    logout = browser.http.get(
        f"{browser.provider.domain}/logout",
        params={"client_id": browser.provider.client_id, "logout_uri": SIGNED_OUT},
        allow_redirects=False,
    )

    assert (logout.status_code, logout.headers["Location"]) == (302, SIGNED_OUT)
    assert SESSION_COOKIE not in browser.http.cookies
    assert answer_of(browser.authorize(prompt="none"))["error"] == "login_required"


def test_a_session_ends_after_an_hour(browser: Browser) -> None:
    browser.choose("ada.nwosu")

    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        browser.http.cookies.set(SESSION_COOKIE, browser.http.cookies[SESSION_COOKIE], domain="localhost.local")
        assert answer_of(browser.authorize(prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize("address", ["http://evil.example/", f"{SIGNED_OUT}x", ""])
def test_logout_goes_to_registered_addresses_only(browser: Browser, address: str) -> None:
    response = browser.http.get(
        f"{browser.provider.domain}/logout",
        params={"client_id": browser.provider.client_id, "logout_uri": address},
        allow_redirects=False,
    )

    assert response.status_code == 400


def test_it_listens_on_loopback_alone_and_answers_to_no_other_name(provider: Provider) -> None:
    url = f"http://{LOOPBACK}:{provider.port}/{provider.pool_id}/.well-known/jwks.json"

    assert LOOPBACK == "127.0.0.1"
    assert requests.get(url, timeout=5).status_code == 200
    assert requests.get(url, headers={"Host": f"rebound.example:{provider.port}"}, timeout=5).status_code == 404


def test_a_web_page_may_not_call_the_api(provider: Provider) -> None:
    response = requests.post(
        provider.endpoint_url,
        headers={"X-Amz-Target": "AWSCognitoIdentityProviderService.ListUserPools", "Origin": "http://evil.example"},
        json={"MaxResults": 1},
        timeout=5,
    )

    assert response.status_code == 404
    assert "Access-Control-Allow-Origin" not in response.headers


def test_the_sync_reads_the_whole_organisation(provider: Provider, settings: Any, monkeypatch: Any) -> None:
    for name, value in provider.environment().items():
        if name.startswith(("AWS_ACCESS", "AWS_SECRET")):
            monkeypatch.setenv(name, value)
        else:
            setattr(settings, name, value)

    pool = cognito.read_pool()

    assert {user.sub: user.username for user in pool.users.values()} == {
        person.sub: person.username for person in organisation.PEOPLE
    }
    assert {name: len(members) for name, members in pool.members.items()} == {
        group.name: sum(group.name in person.groups for person in organisation.PEOPLE) for group in organisation.GROUPS
    }


def test_keys_are_kept_for_their_owner_alone_and_found_again(tmp_path: Any) -> None:
    file = tmp_path / "keys.pem"

    first = SigningKeys.kept_in(file)

    assert file.stat().st_mode & 0o777 == 0o600
    assert SigningKeys.kept_in(file).jwks() == first.jwks()
    assert SigningKeys.made().jwks() != first.jwks()


def test_groups_that_were_changed_are_kept_for_the_next_start(keys_file: Any, tmp_path: Path) -> None:
    kept = tmp_path / "groups.json"

    def dashboard(**arguments: Any) -> Any:
        return SESSION.client(
            "cognito-idp", region_name=organisation.REGION, aws_access_key_id="demo", aws_secret_access_key="demo",
            **arguments,
        )  # fmt: skip

    pool = {"UserPoolId": organisation.POOL_ID}
    with running_provider(callback_urls=[CALLBACK], keys_file=keys_file, groups_file=kept) as running:
        api = dashboard(endpoint_url=running.endpoint_url)
        api.list_groups(**pool)
        assert not kept.exists()
        made = api.create_group(**pool, GroupName="planners")["Group"]
        api.admin_add_user_to_group(**pool, GroupName="planners", Username="nico.bauer")
        api.admin_remove_user_from_group(**pool, GroupName="support", Username="nico.bauer")
    with running_provider(callback_urls=[CALLBACK], keys_file=keys_file, groups_file=kept) as running:
        api = dashboard(endpoint_url=running.endpoint_url)
        again = api.get_group(**pool, GroupName="planners")["Group"]
        assert again["CreationDate"] == made["CreationDate"]
        assert [user["Username"] for user in api.list_users_in_group(**pool, GroupName="planners")["Users"]] == [
            "nico.bauer"
        ]
        held = api.admin_list_groups_for_user(**pool, Username="nico.bauer")["Groups"]
        assert [group["GroupName"] for group in held] == ["planners"]
    with running_provider(callback_urls=[CALLBACK], keys_file=keys_file):
        nico = organisation.backend().user_pools[organisation.POOL_ID].users["nico.bauer"]
        assert [group.group_name for group in nico.groups] == ["support"]
