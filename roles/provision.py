"""A user pool as DIAL needs it: what is there, what is lacking (pure), and making it so.

Each step looks first, so that a second run changes nothing and a run that was cut is completed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from roles.cognito import Administration
from roles.reading import CognitoError
from roles.setup import CALLBACK, CHAT_CALLBACK, SCOPES, SIGNED_OUT, AppClient

CLIENT_NAME = "dial"
GROUP = re.compile(r"\S{1,128}\Z")
DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
RESERVED = ("aws", "amazon", "cognito")  # words that Cognito refuses in a domain


@dataclass(frozen=True)
class Order:
    """What is wanted. `administrator` is an email address, put into `administrator_groups`; "" for nobody."""

    name: str
    domain: str
    public_url: str
    chat_url: str
    groups: tuple[str, ...]
    administrator: str = ""
    administrator_groups: tuple[str, ...] = ()
    pool_id: str = ""  # an existing pool to complete; "" for the one of this name, or a new one

    def problems(self) -> Iterator[str]:
        """What Cognito would refuse, before anything is made."""
        if not DOMAIN.match(self.domain) or any(word in self.domain for word in RESERVED):
            yield (
                f'"{self.domain}" is no domain prefix: lower case letters, digits and hyphens, '
                f"without {', '.join(RESERVED)}."
            )
        for address in filter(None, (self.public_url, self.chat_url)):
            if not re.match(r"https://[^/?#]+\Z|http://(?:localhost|127\.0\.0\.1)(?::\d+)?\Z", address):
                yield f"{address} is no address that Cognito takes: https://host, no path (http on localhost only)."
        for group in self.groups:
            if not GROUP.match(group):
                yield f'"{group}" is no name of a group: 1 to 128 characters, no spaces.'
        if self.administrator and not re.match(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z", self.administrator):
            yield f"{self.administrator} is no email address."


@dataclass(frozen=True)
class Existing:
    """What is there already. `client` with the rest of what was described, so that an update loses nothing of it."""

    pool_id: str = ""
    domain: str = ""
    client: AppClient | None = None
    described: dict[str, Any] = field(default_factory=dict)
    groups: frozenset[str] = frozenset()
    administrator: str = ""  # the user name
    administrator_groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Step:
    """One change. `code` and `value` say which, `text` says it for people."""

    code: str
    text: str
    value: str = ""


def callbacks(order: Order) -> list[str]:
    return [order.public_url + CALLBACK, *([order.chat_url + CHAT_CALLBACK] if order.chat_url else [])]


def sign_outs(order: Order) -> list[str]:
    return [order.public_url + SIGNED_OUT, *([order.chat_url] if order.chat_url else [])]


def plan(order: Order, there: Existing) -> list[Step]:
    """What has to be made, in order; empty when nothing has."""
    steps = []
    if not there.pool_id:
        steps.append(Step("pool", f"create the user pool {order.name}"))
    if not there.domain:
        steps.append(Step("domain", f"create the domain {order.domain}"))
    if there.client is None:
        steps.append(Step("client", f"create the app client {CLIENT_NAME}, with a secret"))
    elif lacking := list(_lacking(order, there.client)):
        steps.append(Step("update", f"complete the app client {there.client.name}: {'; '.join(lacking)}"))
    steps += [
        Step("group", f"create the group {name}", name)
        for name in dict.fromkeys(order.groups)
        if name not in there.groups
    ]
    if order.administrator:
        if not there.administrator:
            steps.append(Step("user", f"invite {order.administrator}, who gets a password by email"))
        steps += [
            Step("member", f"put {order.administrator} into {name}", name)
            for name in order.administrator_groups
            if name not in there.administrator_groups
        ]
    return steps


def _lacking(order: Order, client: AppClient) -> Iterator[str]:
    if not client.oauth or "code" not in client.flows:
        yield "authorization code grant"
    for label, wanted, has in (
        ("scope", SCOPES, client.scopes),
        ("callback", callbacks(order), client.callbacks),
        ("sign-out URL", sign_outs(order), client.sign_outs),
        ("identity provider", () if client.providers else ("COGNITO",), client.providers),
    ):
        for value in wanted:
            if value not in has:
                yield f"{label} {value}"


def look(call: Administration, order: Order) -> Existing:
    """What is there. Raises CognitoError, also when several pools have the name."""
    pool_id = order.pool_id or _pool_of_name(call, order.name)
    if not pool_id:
        return Existing()
    pool = call("describe_user_pool", UserPoolId=pool_id)["UserPool"]
    client: AppClient | None = None
    described: dict[str, Any] = {}
    for found in _all(call, "list_user_pool_clients", "UserPoolClients", UserPoolId=pool_id, MaxResults=60):
        if found.get("ClientName") == CLIENT_NAME:
            described = call("describe_user_pool_client", UserPoolId=pool_id, ClientId=found["ClientId"])[
                "UserPoolClient"
            ]
            client = AppClient.read(described)
            break
    if client is not None and not client.secret:
        raise CognitoError(
            f"The app client {CLIENT_NAME} of this pool has no secret, and Cognito cannot add one. Delete or rename it "
            "in the console (App clients), then run this again."
        )
    groups = frozenset(
        found["GroupName"] for found in _all(call, "list_groups", "Groups", UserPoolId=pool_id, Limit=60)
    )
    username = _user(call, pool_id, order.administrator)
    held: frozenset[str] = frozenset()
    if username:
        memberships = _all(
            call, "admin_list_groups_for_user", "Groups", UserPoolId=pool_id, Username=username, Limit=60
        )
        held = frozenset(found["GroupName"] for found in memberships)
    domain = pool.get("CustomDomain") or pool.get("Domain") or ""
    return Existing(pool_id, domain, client, described, groups, username, held)


def _pool_of_name(call: Administration, name: str) -> str:
    found = [pool["Id"] for pool in _all(call, "list_user_pools", "UserPools", MaxResults=60) if pool["Name"] == name]
    if len(found) > 1:
        raise CognitoError(f"{len(found)} pools are named {name}. Say which with --pool-id: {', '.join(found)}.")
    return found[0] if found else ""


def _user(call: Administration, pool_id: str, email: str) -> str:
    """The user name of the person of this email; "" when there is nobody."""
    if not email:
        return ""
    text = email.replace("\\", "\\\\").replace('"', '\\"')
    users = call("list_users", UserPoolId=pool_id, Filter=f'email = "{text}"', Limit=2).get("Users", ())
    if len(users) > 1:
        raise CognitoError(f"Several people of the pool have the email {email}. Use another, or the console.")
    return users[0]["Username"] if users else ""


def _all(call: Administration, method: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    token: dict[str, str] = {}
    while True:
        page = call(method, **arguments, **token)
        yield from page.get(key, ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def apply(
    call: Administration, order: Order, there: Existing, steps: Sequence[Step], done: Callable[[Step], None]
) -> Existing:
    """Carry the steps out, one call each; `done` is told after each. Gives what is there afterwards.

    Raises CognitoError in the middle: what was done stays, and the next run goes on from there.
    """
    pool_id, username = there.pool_id, there.administrator
    for step in steps:
        if step.code == "pool":
            pool_id = call("create_user_pool", **_pool(order))["UserPool"]["Id"]
        elif step.code == "domain":
            call("create_user_pool_domain", UserPoolId=pool_id, Domain=order.domain)
        elif step.code == "client":
            call("create_user_pool_client", UserPoolId=pool_id, GenerateSecret=True, **_client(order))
        elif step.code == "update":
            call("update_user_pool_client", **_completed(order, there.described))
        elif step.code == "group":
            call("create_group", UserPoolId=pool_id, GroupName=step.value)
        elif step.code == "user":
            username = _invite(call, pool_id, order.administrator)
        elif step.code == "member":
            call("admin_add_user_to_group", UserPoolId=pool_id, Username=username, GroupName=step.value)
        done(step)
    return look(call, _with_pool(order, pool_id))


def _with_pool(order: Order, pool_id: str) -> Order:
    return Order(**{**order.__dict__, "pool_id": pool_id})


def _invite(call: Administration, pool_id: str, email: str) -> str:
    attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
    made = call(
        "admin_create_user",
        UserPoolId=pool_id,
        Username=email,
        UserAttributes=attributes,
        DesiredDeliveryMediums=["EMAIL"],
    )
    return str(made["User"]["Username"])


def _pool(order: Order) -> dict[str, Any]:
    """People sign in by email, in whatever case, and only administrators make accounts."""
    return {
        "PoolName": order.name,
        "UsernameAttributes": ["email"],
        "AutoVerifiedAttributes": ["email"],
        "UsernameConfiguration": {"CaseSensitive": False},
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True},
        "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"}]},
        "DeletionProtection": "ACTIVE",
    }


def _client(order: Order) -> dict[str, Any]:
    return {
        "ClientName": CLIENT_NAME,
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": ["code"],
        "AllowedOAuthScopes": list(SCOPES),
        "CallbackURLs": callbacks(order),
        "LogoutURLs": sign_outs(order),
        "SupportedIdentityProviders": ["COGNITO"],
        "ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"],
        "PreventUserExistenceErrors": "ENABLED",
    }


_ANSWERED = {"ClientSecret", "LastModifiedDate", "CreationDate"}  # what an update does not take back


def _completed(order: Order, described: dict[str, Any]) -> dict[str, Any]:
    """The client as it is, with what was lacking: an update resets whatever it does not name."""
    client = AppClient.read(described)
    kept = {name: value for name, value in described.items() if name not in _ANSWERED}
    return {
        **kept,
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthFlows": _joined(client.flows, ["code"]),
        "AllowedOAuthScopes": _joined(client.scopes, SCOPES),
        "CallbackURLs": _joined(client.callbacks, callbacks(order)),
        "LogoutURLs": _joined(client.sign_outs, sign_outs(order)),
        "SupportedIdentityProviders": list(client.providers) or ["COGNITO"],
    }


def _joined(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((*one, *other)))
