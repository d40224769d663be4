"""Reading what the setup checklist is about: the pool and its client by the API, its keys as Core would."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import requests
from django.conf import settings

from dialadmin.accounts.permissions import Level, groups_of
from roles import cognito
from roles.reading import CognitoError, MissingError
from roles.setup import AppClient, Facts, Wanted

TIMEOUT = 5  # seconds for each of the two documents of the pool
PAGES = 20  # of groups: 1,200 of them are enough to tell what there is
LOOKED_IN = 20  # groups in which somebody is looked for


def wanted(**overrides: str) -> Wanted:
    """What the settings of this dashboard ask of the pool. Empty overrides are ignored."""
    values: dict[str, Any] = {
        "pool_id": settings.COGNITO_USER_POOL_ID,
        "region": settings.AWS_REGION,
        "client_id": settings.OIDC_RP_CLIENT_ID,
        "public_url": settings.PUBLIC_URL.rstrip("/"),
        "chat_url": settings.CHAT_URL.rstrip("/"),
        "chat_client_id": settings.CHAT_CLIENT_ID,
        "issuer": settings.OIDC_ISSUER,
        "domain": settings.OIDC_DOMAIN,
        "manage_groups": settings.MANAGE_GROUPS,
        "levels": {level.label.lower(): groups_of(level) for level in Level if level != Level.NONE},
    }
    given = {name: value.rstrip("/") for name, value in overrides.items() if value}
    if given.get("pool_id", values["pool_id"]) != values["pool_id"]:
        values |= {"issuer": "", "domain": ""}  # those of another pool
    return Wanted(**values | given)


def inspect(asked: Wanted) -> Facts:
    """Read it all. A missing permission is a fact; raises CognitoError when the pool itself cannot be read."""
    call = cognito.administration()
    denied: list[str] = []

    def tried(read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except cognito.DeniedError as error:
            denied.append(error.action)
            return otherwise

    pool = tried(lambda: call("describe_user_pool", UserPoolId=asked.pool_id)["UserPool"], {})
    clients: dict[str, AppClient | None] = {}
    for client_id in filter(None, {asked.client_id, asked.client_of_chat}):
        clients[client_id] = tried(partial(_client, call, asked.pool_id, client_id), None)
    groups = tried(lambda: list(_groups(call, asked.pool_id)), [])
    peopled = tried(lambda: _peopled(call, asked.pool_id, groups), "")
    tried(lambda: call("list_users", UserPoolId=asked.pool_id, Limit=1), None)
    keys, trouble = _signing_keys(asked)
    return Facts(
        pool_name=pool.get("Name", ""),
        domain=_domain(pool, asked),
        clients=clients,
        groups=tuple(groups),
        peopled=peopled,
        issuer=issuer(asked),
        keys=keys,
        keys_trouble=trouble,
        denied=tuple(dict.fromkeys(denied)),
        denied_changes=tuple(_denied_changes(call, asked, groups)) if asked.manage_groups else (),
    )


def _denied_changes(call: cognito.Administration, asked: Wanted, groups: list[str]) -> Iterable[str]:
    """The actions of managing groups that are refused, tried on somebody who cannot be there: nothing is changed."""
    group = groups[0] if groups else "dialadmin-check"
    for method in ("admin_add_user_to_group", "admin_remove_user_from_group"):
        try:
            call(method, UserPoolId=asked.pool_id, GroupName=group, Username=f"dialadmin-check-{uuid.uuid4()}")
        except cognito.DeniedError as error:
            yield error.action
        except CognitoError:  # there is nobody of that name, as meant
            pass


def _client(call: cognito.Administration, pool_id: str, client_id: str) -> AppClient | None:
    try:
        described = call("describe_user_pool_client", UserPoolId=pool_id, ClientId=client_id)
    except MissingError:
        return None
    return AppClient.read(described["UserPoolClient"])


def client_secret(asked: Wanted) -> str:
    """The secret of Chat's app client; "" when it has none. Raises CognitoError."""
    call = cognito.administration()
    described = call("describe_user_pool_client", UserPoolId=asked.pool_id, ClientId=asked.client_of_chat)
    return str(described["UserPoolClient"].get("ClientSecret", ""))


def _groups(call: cognito.Administration, pool_id: str) -> Iterable[str]:
    token: dict[str, str] = {}
    for _ in range(PAGES):
        page = call("list_groups", UserPoolId=pool_id, Limit=60, **token)
        yield from (group["GroupName"] for group in page.get("Groups", ()))
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _peopled(call: cognito.Administration, pool_id: str, groups: list[str]) -> str:
    """The first group with somebody in it. Without groups one call is made all the same: it tells the permission."""
    for name in groups[:LOOKED_IN]:
        if call("list_users_in_group", UserPoolId=pool_id, GroupName=name, Limit=1).get("Users"):
            return name
    return ""


def _domain(pool: dict[str, Any], asked: Wanted) -> str:
    """The address of the sign-in pages. A custom domain is written whole, Cognito's own by its prefix."""
    if pool.get("CustomDomain"):
        return f"https://{pool['CustomDomain']}"
    prefix = pool.get("Domain", "")
    if not prefix:
        return ""
    if settings.DEBUG and settings.COGNITO_ENDPOINT_URL:
        return asked.domain  # the demo's own sign-in page stands for it
    return f"https://{prefix}.auth.{asked.region}.amazoncognito.com"


def _base(asked: Wanted) -> str:
    """Where the documents of the pool are. Both forms of the issuer serve them at the old address too."""
    return asked.issuer or f"https://cognito-idp.{asked.region}.amazonaws.com/{asked.pool_id}"


def issuer(asked: Wanted) -> str:
    """The issuer by the pool's discovery document, never composed; "" when it cannot be fetched."""
    try:
        found = requests.get(f"{_base(asked)}/.well-known/openid-configuration", timeout=TIMEOUT)
        return str(found.json().get("issuer", "")) if found.ok else ""
    except (requests.RequestException, ValueError):
        return ""


def _signing_keys(asked: Wanted) -> tuple[int | None, str]:
    """The number of the pool's signing keys, or why they cannot be had."""
    address = f"{_base(asked)}/.well-known/jwks.json"
    try:
        found = requests.get(address, timeout=TIMEOUT)
        found.raise_for_status()
        return len(found.json().get("keys", ())), ""
    except (requests.RequestException, ValueError) as error:
        return None, f"{address} cannot be fetched ({type(error).__name__})."
