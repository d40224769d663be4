"""`check_cognito` names each fault of a pool; `create_user_pool` makes one without any."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from roles import cognito, provision, setup
from roles.reading import CognitoError
from tests.roles.conftest import SESSION

PUBLIC, CHAT = "https://dialadmin.example.com", "https://chat.example.com"
ADMIN = "grace@example.com"


@pytest.fixture
def api(settings: Any) -> Iterator[Any]:
    """An account without any pool."""
    settings.PUBLIC_URL, settings.CHAT_URL, settings.CHAT_CLIENT_ID = PUBLIC, CHAT, ""
    settings.AUDITOR_GROUPS, settings.EDITOR_GROUPS = ["dial-auditors"], ["dial-editors"]
    settings.PUBLISHER_GROUPS = ["dial-publishers"]
    with mock_aws():
        yield SESSION.client("cognito-idp", region_name="eu-west-1")


def create(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_user_pool", "--admin", ADMIN, *arguments, stdout=out)
    return out.getvalue()


def configured(settings: Any, printed: str) -> dict[str, str]:
    """The settings that the command printed, in force."""
    values = dict(line.split("=", 1) for line in printed.splitlines() if re.match(r"[A-Za-z][\w.]*=", line))
    settings.COGNITO_USER_POOL_ID = values["COGNITO_USER_POOL_ID"]
    settings.OIDC_ISSUER, settings.OIDC_DOMAIN = values["OIDC_ISSUER"], values["OIDC_DOMAIN"]
    settings.OIDC_RP_CLIENT_ID = values["OIDC_CLIENT_ID"]
    return values


@pytest.fixture
def pool(api: Any, settings: Any) -> dict[str, str]:
    """A pool without faults, and what identifies it."""
    values = configured(settings, create())
    return {"UserPoolId": values["COGNITO_USER_POOL_ID"], "ClientId": values["OIDC_CLIENT_ID"]}


def check(*arguments: str) -> dict[str, dict[str, str]]:
    """Code -> point, as the command prints them."""
    out = io.StringIO()
    try:
        call_command("check_cognito", "--format", "json", *arguments, stdout=out)
    except CommandError as error:
        if error.returncode != 1:
            raise
    return {point["code"]: point for point in json.loads(out.getvalue())["points"]}


def faults() -> set[str]:
    return {code for code, point in check().items() if point["state"] != "ok"}


# --- create_user_pool ---------------------------------------------------------------------------------


def test_a_made_pool_has_no_fault(pool: dict[str, str]) -> None:
    call_command("check_cognito", stdout=io.StringIO())  # exit 0
    assert faults() == set()


def test_a_second_run_changes_nothing_and_says_so(api: Any, pool: dict[str, str]) -> None:
    before = api.describe_user_pool_client(**pool)["UserPoolClient"]
    assert "Everything is there already: nothing was changed." in create()
    assert api.describe_user_pool_client(**pool)["UserPoolClient"] == before
    assert len(api.list_user_pools(MaxResults=60)["UserPools"]) == 1


def test_a_dry_run_prints_the_plan_and_makes_nothing(api: Any) -> None:
    said = create("--dry-run", "--groups", "analysts, engineers")
    assert "would create the user pool dial" in said
    assert "would create the group analysts" in said
    assert f"would invite {ADMIN}" in said
    assert f"would put {ADMIN} into dial-publishers" in said
    assert api.list_user_pools(MaxResults=60)["UserPools"] == []


@pytest.mark.parametrize("cut", [1, 2, 4, 6, 7])
def test_a_run_that_was_cut_is_completed(cut: int, api: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = cognito.administration
    left = cut

    def failing() -> cognito.Administration:
        call = real()

        def counted(method: str, **arguments: Any) -> dict[str, Any]:
            nonlocal left
            if method.startswith(("create_", "admin_create", "admin_add")):
                left -= 1
                if left < 0:
                    raise CognitoError("The connection was lost.")
            return call(method, **arguments)

        return counted

    monkeypatch.setattr(cognito, "administration", failing)
    with pytest.raises(CommandError, match=r"The connection was lost\. What was done stays; run this again"):
        create()
    monkeypatch.setattr(cognito, "administration", real)
    configured(settings, create())
    assert faults() == set()
    assert len(api.list_user_pools(MaxResults=60)["UserPools"]) == 1


def test_an_incomplete_client_is_completed_and_keeps_what_it_has(api: Any, pool: dict[str, str]) -> None:
    client = api.describe_user_pool_client(**pool)["UserPoolClient"]
    for name in ("ClientSecret", "CreationDate", "LastModifiedDate"):
        client.pop(name, None)
    other = "https://elsewhere.example.com/callback"
    api.update_user_pool_client(**{**client, "CallbackURLs": [other], "AllowedOAuthScopes": ["phone"]})
    said = create()
    assert "complete the app client dial: scope openid; scope email" in said
    after = api.describe_user_pool_client(**pool)["UserPoolClient"]
    assert other in after["CallbackURLs"]
    assert "phone" in after["AllowedOAuthScopes"]
    assert faults() == set()


def test_the_secret_is_printed_only_when_asked_for(api: Any, settings: Any) -> None:
    values = configured(settings, create())
    pool = {"UserPoolId": values["COGNITO_USER_POOL_ID"], "ClientId": values["OIDC_CLIENT_ID"]}
    secret = api.describe_user_pool_client(**pool)["UserPoolClient"]["ClientSecret"]
    assert secret not in create()
    assert f"AUTH_COGNITO_SECRET={secret}" in create("--show-secret")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--domain", "My Company"], "is no domain prefix"),
        (["--domain", "my-aws-pool"], "without aws, amazon, cognito"),
        (["--chat-url", "http://chat.example.com"], "is no address that Cognito takes"),
        (["--chat-url", "https://chat.example.com/path"], "is no address that Cognito takes"),
        (["--groups", "two words"], '"two words" is no name of a group'),
        (["--admin", "grace"], "grace is no email address"),
    ],
)
def test_what_cognito_would_refuse_is_said_before_anything_is_made(api: Any, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError) as error:
        create(*arguments)
    assert said in str(error.value)
    assert api.list_user_pools(MaxResults=60)["UserPools"] == []


def test_two_pools_of_one_name_are_not_guessed_between(api: Any) -> None:
    for _ in range(2):
        api.create_user_pool(PoolName="dial")
    with pytest.raises(CommandError, match=r"2 pools are named dial\. Say which with --pool-id"):
        create()


# --- check_cognito ------------------------------------------------------------------------------------


def _update(**changes: Any) -> Callable[[Any, dict[str, str]], None]:
    def plant(api: Any, pool: dict[str, str]) -> None:
        client = api.describe_user_pool_client(**pool)["UserPoolClient"]
        for name in ("ClientSecret", "CreationDate", "LastModifiedDate"):
            client.pop(name, None)
        api.update_user_pool_client(**{**client, **changes})

    return plant


def _groups(*kept: str) -> Callable[[Any, dict[str, str]], None]:
    def plant(api: Any, pool: dict[str, str]) -> None:
        for group in api.list_groups(UserPoolId=pool["UserPoolId"])["Groups"]:
            if group["GroupName"] not in kept:
                api.delete_group(UserPoolId=pool["UserPoolId"], GroupName=group["GroupName"])

    return plant


def _empty(api: Any, pool: dict[str, str]) -> None:
    for user in api.list_users(UserPoolId=pool["UserPoolId"])["Users"]:
        api.admin_delete_user(UserPoolId=pool["UserPoolId"], Username=user["Username"])


def _no_domain(api: Any, pool: dict[str, str]) -> None:
    api.delete_user_pool_domain(UserPoolId=pool["UserPoolId"], Domain="dial")


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (_update(AllowedOAuthFlows=["implicit"]), "code-grant"),
        (_update(AllowedOAuthFlowsUserPoolClient=False), "code-grant"),
        (_update(AllowedOAuthScopes=["openid", "email"]), "scopes"),
        (_update(SupportedIdentityProviders=[]), "providers"),
        (_update(CallbackURLs=[f"{PUBLIC}/accounts/callback/"]), "chat-callback"),
        (_update(CallbackURLs=[f"{CHAT}/api/auth/callback/cognito"]), "callback"),
        (_update(CallbackURLs=[f"{CHAT}/api/auth/callback/cognito", f"{PUBLIC}/accounts/callback"]), "callback"),
        (_update(LogoutURLs=[CHAT]), "sign-out"),
        (_update(LogoutURLs=[f"{PUBLIC}/accounts/signed-out/"]), "chat-sign-out"),
        (_groups("dial-editors", "dial-publishers"), "level-auditor"),
        (_no_domain, "domain"),
        (_empty, "people"),
    ],
)
def test_a_planted_fault_is_named_alone_with_its_mend(
    plant: Callable[[Any, dict[str, str]], None], code: str, api: Any, pool: dict[str, str]
) -> None:
    plant(api, pool)
    assert faults() == {code}
    point = check()[code]
    assert point["consequence"]
    assert point["mend"]
    with pytest.raises(CommandError, match=r"1 of .* points would not work") as error:
        call_command("check_cognito", stdout=io.StringIO())
    assert error.value.returncode == 1


def test_a_pool_without_groups_is_named(api: Any, pool: dict[str, str]) -> None:
    _groups()(api, pool)
    assert {"groups", "people", "level-publisher"} <= faults()


def test_a_client_without_a_secret_is_named(api: Any, pool: dict[str, str], settings: Any) -> None:
    public = api.create_user_pool_client(UserPoolId=pool["UserPoolId"], ClientName="public")["UserPoolClient"]
    settings.OIDC_RP_CLIENT_ID = public["ClientId"]
    assert "client-secret" in faults()


def test_a_client_of_another_pool_is_named(pool: dict[str, str], settings: Any) -> None:
    settings.OIDC_RP_CLIENT_ID = "nobodysclient"
    assert faults() == {"client"}


def test_another_issuer_is_named(pool: dict[str, str], settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings.OIDC_ISSUER
    monkeypatch.setattr("roles.inspection._base", lambda asked: found)
    settings.OIDC_ISSUER = found.replace("cognito-idp", "issuer-cognito-idp")
    assert faults() == {"issuer"}
    assert check()["issuer"]["mend"] == f"Set OIDC_ISSUER={found}"


def test_keys_that_cannot_be_fetched_are_named(pool: dict[str, str], settings: Any) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    assert "signing-keys" in faults()


def refusing() -> Any:
    body = json.dumps({"__type": "AccessDeniedException", "message": "not authorized"}).encode()

    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield body

    return lambda **_: AWSResponse("https://cognito", 400, HTTPHeaders(), Raw())


@pytest.mark.parametrize("action", ["AdminAddUserToGroup", "AdminRemoveUserFromGroup"])
def test_managing_groups_is_tried_without_changing_any(
    action: str, pool: dict[str, str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MANAGE_GROUPS = True
    assert check()["manage-groups"]["state"] == "ok"
    real = cognito.client

    def denied() -> Any:
        client = real()
        client.meta.events.register_first(f"before-send.cognito-identity-provider.{action}", refusing())
        return client

    monkeypatch.setattr(cognito, "client", denied)
    found = check()
    assert f"cognito-idp:{action}" in found["manage-groups"]["mend"]
    assert {code for code, point in found.items() if point["state"] == "fault"} == {"manage-groups"}


@pytest.mark.parametrize("action", [action.partition(":")[2] for action in setup.ACTIONS])
def test_a_missing_permission_is_named_and_the_rest_is_still_checked(
    action: str, pool: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = cognito.client

    def denied() -> Any:
        client = real()
        client.meta.events.register_first(f"before-send.cognito-identity-provider.{action}", refusing())
        return client

    monkeypatch.setattr(cognito, "client", denied)
    found = check()
    assert found["permissions"]["state"] == "fault"
    assert f"cognito-idp:{action}" in found["permissions"]["mend"]
    assert "manage-groups" not in found
    assert found["signing-keys"]["state"] == "ok"


def test_without_chats_address_its_callback_is_unknown_and_no_fault(pool: dict[str, str], settings: Any) -> None:
    settings.CHAT_URL = ""
    assert check()["chat-callback"]["state"] == "unknown"
    call_command("check_cognito", stdout=io.StringIO())


def test_a_pool_that_is_not_there_is_said(api: Any, settings: Any) -> None:
    settings.COGNITO_USER_POOL_ID = "eu-west-1_Nowhere"
    with pytest.raises(CommandError, match="There is no user pool eu-west-1_Nowhere") as error:
        call_command("check_cognito")
    assert error.value.returncode == 2


# --- the values ---------------------------------------------------------------------------------------

ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123"


@pytest.mark.parametrize(
    "look_alike",
    [
        ISSUER + "4",
        ISSUER[:-1],
        ISSUER.replace(".", "x", 1),
        "https://evil.example/" + ISSUER,
        ISSUER + "/../evil",
        ISSUER.lower(),
        ISSUER + "\n",
    ],
)
def test_the_issuer_pattern_fits_this_pool_and_no_look_alike(look_alike: str) -> None:
    pattern = setup.issuer_pattern(ISSUER)
    assert re.fullmatch(pattern, ISSUER)
    assert not re.fullmatch(pattern, look_alike)


@given(st.from_regex(r"https?://[a-z.-]{1,30}/[A-Za-z0-9_+()-]{1,20}", fullmatch=True))
def test_every_issuer_has_a_pattern_that_fits_it_alone(issuer: str) -> None:
    assert re.fullmatch(setup.issuer_pattern(issuer), issuer)


def test_the_values_of_core_name_its_administrators_whole() -> None:
    core = setup.core_values(ISSUER, "salt", ["dial-publishers"])
    assert core["identityProviders.cognito.rolePath"] == "cognito:groups"
    assert core["access.admin.rules"] == [{"source": "roles", "function": "EQUAL", "targets": ["dial-publishers"]}]
    file = json.loads(setup.as_json(core))
    assert file["identityProviders"]["cognito"]["jwksUrl"] == f"{ISSUER}/.well-known/jwks.json"
    assert file["access"]["admin"]["rules"] == core["access.admin.rules"]
    lines = setup.as_environment(core, "aidial.")
    assert f"aidial.identityProviders.cognito.issuerPattern={setup.issuer_pattern(ISSUER)}\n" in lines


def test_helm_values_are_yaml_with_the_same_texts() -> None:
    yaml = pytest.importorskip("yaml")
    core = setup.core_values(ISSUER, "salt", ["dial-publishers"])
    read = yaml.safe_load(setup.as_helm(setup.chat_values(ISSUER, "client"), core))
    assert read["chat"]["env"]["AUTH_COGNITO_HOST"] == ISSUER
    assert read["core"]["env"]["aidial.identityProviders.cognito.issuerPattern"] == setup.issuer_pattern(ISSUER)
    assert json.loads(read["core"]["env"]["aidial.access.admin.rules"]) == core["access.admin.rules"]


def test_the_plan_of_what_is_complete_is_empty() -> None:
    order = provision.Order("dial", "dial", PUBLIC, CHAT, ("a",))
    client = setup.AppClient(
        "id", "dial", True, ("code",), True, setup.SCOPES,
        tuple(provision.callbacks(order)), tuple(provision.sign_outs(order)), ("COGNITO",),
    )  # fmt: skip
    assert provision.plan(order, provision.Existing("pool", "dial", client, {}, frozenset("a"))) == []


# --- the page -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_shows_the_points_and_the_values(
    pool: dict[str, str], client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    page = client_of(vera).get(reverse("roles:setup")).content.decode()
    assert "Nothing found that would not work" in page
    assert "AUTH_COGNITO_HOST=https://cognito-idp.eu-west-1.amazonaws.com/" in page
    assert "aidial.identityProviders.cognito.rolePath=cognito:groups" in page
    assert "AUTH_COGNITO_SECRET=" not in page


@pytest.mark.django_db
def test_a_publisher_has_the_secret_shown_and_history_notes_it_without_it(
    api: Any, pool: dict[str, str], client_of: Callable[[Staff], Client], ada: Staff, edit: Staff
) -> None:
    secret = api.describe_user_pool_client(**pool)["UserPoolClient"]["ClientSecret"]
    assert client_of(edit).post(reverse("roles:setup-secret")).status_code == 403
    response = client_of(ada).post(reverse("roles:setup-secret"))
    assert f"AUTH_COGNITO_SECRET={secret}" in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    entry = Entry.objects.get(act="pool.secret-shown")
    assert entry.target_name == pool["ClientId"]
    assert secret not in str(entry.__dict__)


@pytest.mark.django_db
def test_a_look_is_kept_for_a_minute_and_can_be_had_anew(
    api: Any, pool: dict[str, str], client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    client = client_of(vera)
    client.get(reverse("roles:setup"))
    _no_domain(api, pool)
    assert "Nothing found" in client.get(reverse("roles:setup")).content.decode()
    page = client.post(reverse("roles:setup-again"), follow=True).content.decode()
    assert "1 point would not work" in page


@pytest.mark.django_db
def test_a_pool_that_cannot_be_read_is_said_on_the_page(
    api: Any, settings: Any, client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    settings.COGNITO_USER_POOL_ID = "eu-west-1_Nowhere"
    response = client_of(vera).get(reverse("roles:setup"))
    assert response.status_code == 503
    assert "There is no user pool eu-west-1_Nowhere" in response.content.decode()
