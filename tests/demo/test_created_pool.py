"""A pool that `create_user_pool` made is fit for use: the check finds nothing, and the dashboard's sign-in through the
demo's provider believes the pool's own token signing keys, and no others."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import requests
from django.core.management import call_command
from moto import mock_aws

from dialadmin.accounts.models import Staff
from dialadmin.demo import organisation
from dialadmin.demo.keys import SigningKey, SigningKeys
from dialadmin.demo.provider import HostedUI, serving
from dialadmin.history.models import Entry
from tests.conftest import HttpsClient
from tests.demo.test_sign_in import DASHBOARD, sign_in
from tests.roles.conftest import SESSION
from tests.roles.test_setup import ADMIN, configured, create, faults

pytestmark = pytest.mark.django_db
Serve = Callable[[SigningKeys], AbstractContextManager[HostedUI]]


@pytest.fixture
def created(settings: Any) -> Iterator[dict[str, str]]:
    """An account without any pool, then one by the command; the values that it printed, in force."""
    settings.PUBLIC_URL, settings.CHAT_URL, settings.CHAT_CLIENT_ID = DASHBOARD, "https://chat.example.com", ""
    with mock_aws():
        assert organisation.backend().user_pools == {}
        values = configured(settings, create("--show-secret"))
        settings.OIDC_RP_CLIENT_SECRET = values["OIDC_CLIENT_SECRET"]
        settings.OIDC_OP_JWKS_ENDPOINT = f"{settings.OIDC_ISSUER}/.well-known/jwks.json"
        yield values


@pytest.fixture
def serve(created: dict[str, str], settings: Any) -> Serve:
    """The demo's provider in the place of the pool's sign-in pages. The keys are still read from the pool."""

    @contextmanager
    def served(keys: SigningKeys) -> Iterator[HostedUI]:
        ui = HostedUI(keys, created["COGNITO_USER_POOL_ID"], issuer=created["OIDC_ISSUER"])
        with serving(ui):
            settings.OIDC_OP_AUTHORIZATION_ENDPOINT = f"{ui.domain}/oauth2/authorize"
            settings.OIDC_OP_TOKEN_ENDPOINT = f"{ui.domain}/oauth2/token"
            yield ui

    return served


def administrator(pool_id: str) -> str:
    """The user name of whom the command invited."""
    api = SESSION.client("cognito-idp", region_name="eu-west-1")
    (user,) = api.list_users(UserPoolId=pool_id, Filter=f'email = "{ADMIN}"')["Users"]
    return str(user["Username"])


def test_the_check_is_green_and_the_first_administrator_signs_in(
    created: dict[str, str], serve: Serve, anonymous: HttpsClient
) -> None:
    call_command("check_cognito", stdout=io.StringIO())  # exit 0
    assert faults() == set()
    pool_id = created["COGNITO_USER_POOL_ID"]
    with serve(SigningKeys.of_pool(organisation.backend().user_pools[pool_id])) as ui:
        assert ui.keys.jwks() == requests.get(f"{created['OIDC_ISSUER']}/.well-known/jwks.json", timeout=5).json()
        assert sign_in(anonymous, administrator(pool_id))["Location"] == "/"
    staff = Staff.objects.get(email=ADMIN)
    assert (staff.level, staff.groups) == ("publisher", ["dial-publishers"])
    assert anonymous.get("/").status_code == 200


def another(name: str) -> SigningKeys:
    made = SigningKeys.made()
    return SigningKeys(SigningKey(made.identity.private, name), SigningKey(made.access.private, name))


@pytest.mark.parametrize(
    ("name", "why"), [("dummy", "its signature is wrong"), ("", "a key that the pool does not publish")]
)
def test_a_token_of_another_key_is_refused(
    created: dict[str, str], serve: Serve, anonymous: HttpsClient, name: str, why: str
) -> None:
    """The same pool, client and claims, signed by a key that bears the name of the pool's, or one of its own."""
    with serve(another(name)):
        answer = sign_in(anonymous, administrator(created["COGNITO_USER_POOL_ID"]))
    assert answer["Location"].startswith("/accounts/failed/")
    assert why in Entry.objects.get(act="staff.sign-in-failed").note
    assert not Staff.objects.exists()
    assert anonymous.get("/").status_code == 302
