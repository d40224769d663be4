"""What DIAL needs of a user pool, point by point, and the values that Chat and Core need of it. Pure.

The points follow DIAL's own tutorial for Cognito; what Core does with the values stands in core-semantics 2.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SCOPES = ("openid", "email", "profile")
CHAT_CALLBACK = "/api/auth/callback/cognito"
CALLBACK, SIGNED_OUT = "/accounts/callback/", "/accounts/signed-out/"  # of this dashboard
ACTIONS = (
    "cognito-idp:DescribeUserPool",
    "cognito-idp:DescribeUserPoolClient",
    "cognito-idp:ListGroups",
    "cognito-idp:ListUsers",
    "cognito-idp:ListUsersInGroup",
)

State = Literal["ok", "fault", "unknown"]


@dataclass(frozen=True)
class AppClient:
    """An app client of the pool. Whether it has a secret, never the secret."""

    id: str
    name: str = ""
    secret: bool = False
    flows: tuple[str, ...] = ()
    oauth: bool = False
    scopes: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()
    sign_outs: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> AppClient:
        """From the answer of DescribeUserPoolClient."""
        return cls(
            id=described["ClientId"],
            name=described.get("ClientName", ""),
            secret=bool(described.get("ClientSecret")),
            flows=tuple(described.get("AllowedOAuthFlows", ())),
            oauth=bool(described.get("AllowedOAuthFlowsUserPoolClient")),
            scopes=tuple(described.get("AllowedOAuthScopes", ())),
            callbacks=tuple(described.get("CallbackURLs", ())),
            sign_outs=tuple(described.get("LogoutURLs", ())),
            providers=tuple(described.get("SupportedIdentityProviders", ())),
        )


@dataclass(frozen=True)
class Wanted:
    """What the pool is compared with: the settings of this dashboard and where Chat is ("" where nobody said)."""

    pool_id: str
    region: str
    client_id: str
    public_url: str
    chat_url: str = ""
    chat_client_id: str = ""  # "" when Chat signs in through the client of the dashboard
    issuer: str = ""
    domain: str = ""
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)  # level to its groups
    manage_groups: bool = False

    @property
    def client_of_chat(self) -> str:
        return self.chat_client_id or self.client_id


@dataclass(frozen=True)
class Facts:
    """What was read. `clients` maps asked ids to clients, None for an id that the pool does not know.

    `denied` are the IAM actions that were refused; what they would have told is missing. `keys` counts the token
    signing keys, None when they could not be fetched, and `keys_trouble` says why.
    """

    pool_name: str = ""
    domain: str = ""  # the address where people sign in, "" for none
    clients: Mapping[str, AppClient | None] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    peopled: str = ""  # a group that somebody is in
    issuer: str = ""  # as the pool's discovery document has it; "" when it could not be fetched
    keys: int | None = None
    keys_trouble: str = ""
    denied: tuple[str, ...] = ()
    denied_changes: tuple[str, ...] = ()  # IAM actions of managing groups that were refused


@dataclass(frozen=True)
class Point:
    """One point of the checklist. `found`: what is there; `consequence` and `mend` are empty where it is ok."""

    code: str
    state: State
    title: str
    found: str
    consequence: str = ""
    mend: str = ""


def points(facts: Facts, wanted: Wanted) -> list[Point]:
    """The whole checklist, in the order of the tutorial."""
    found = [_permissions(facts), _signing_keys(facts), _issuer(facts, wanted), _domain(facts, wanted)]
    chat, own = wanted.client_of_chat, wanted.client_id
    for client_id, whose in {own: "this dashboard", chat: "DIAL Chat"}.items():
        label = "DIAL Chat and this dashboard" if own == chat else whose
        found += _client(facts, wanted, client_id, label)
    found += _groups(facts, wanted)
    return [*found, _changes(facts)] if wanted.manage_groups else found


def _point(code: str, title: str, fine: bool, found: str, consequence: str, mend: str) -> Point:
    return Point(code, "ok", title, found) if fine else Point(code, "fault", title, found, consequence, mend)


def _permissions(facts: Facts) -> Point:
    return _point(
        "permissions",
        "IAM permissions",
        not facts.denied,
        "All that is needed." if not facts.denied else f"Missing: {', '.join(facts.denied)}.",
        "The sync, or this check, cannot read what it needs.",
        f"Add {', '.join(facts.denied)} on the pool to the IAM policy of this process.",
    )


def _changes(facts: Facts) -> Point:
    missing = ", ".join(facts.denied_changes)
    return _point(
        "manage-groups",
        "Managing groups",
        not missing,
        "People can be put into groups and out. Whether groups can be created shows when the first one is."
        if not missing
        else f"Missing: {missing}.",
        "MANAGE_GROUPS is on, and Cognito refuses the changes.",
        f"Add {missing} (and cognito-idp:CreateGroup) on the pool to the IAM policy, or turn MANAGE_GROUPS off.",
    )


def _signing_keys(facts: Facts) -> Point:
    return _point(
        "signing-keys",
        "Token signing keys",
        bool(facts.keys),
        f"{facts.keys} keys." if facts.keys else facts.keys_trouble or "The address has no key.",
        "Core and this dashboard cannot check anybody's token: nobody gets in.",
        "Let this process, and Core, reach the address of the keys; check OIDC_ISSUER.",
    )


def _issuer(facts: Facts, wanted: Wanted) -> Point:
    title = "Issuer"
    if not facts.issuer:
        return Point("issuer", "unknown", title, "The discovery document of the pool could not be fetched.")
    return _point(
        "issuer",
        title,
        not wanted.issuer or wanted.issuer == facts.issuer,
        facts.issuer,
        f"OIDC_ISSUER is {wanted.issuer}; every token names another issuer and is refused.",
        f"Set OIDC_ISSUER={facts.issuer}",
    )


def _domain(facts: Facts, wanted: Wanted) -> Point:
    if _unread(facts, "DescribeUserPool"):
        return _unknown("domain", "Domain")
    if facts.domain and wanted.domain and facts.domain.rstrip("/") != wanted.domain.rstrip("/"):
        return Point(
            "domain",
            "fault",
            "Domain",
            facts.domain,
            f"OIDC_DOMAIN is {wanted.domain}: people are sent to another place to sign in.",
            f"Set OIDC_DOMAIN={facts.domain}",
        )
    return _point(
        "domain",
        "Domain",
        bool(facts.domain),
        facts.domain or "None.",
        "There is no page on which anybody could sign in.",
        "In the console: Branding, Domain, create a Cognito domain; or run create_user_pool with --domain.",
    )


def _client(facts: Facts, wanted: Wanted, client_id: str, label: str) -> list[Point]:
    title = f"App client of {label}"
    if _unread(facts, "DescribeUserPoolClient"):
        return [_unknown("client", title)]
    client = facts.clients.get(client_id)
    if client is None:
        return [
            Point(
                "client",
                "fault",
                title,
                f"The pool has no app client {client_id or '(none is set)'}.",
                "Nobody can sign in through it.",
                "Set OIDC_CLIENT_ID (and CHAT_CLIENT_ID) to a client of this pool, or run create_user_pool.",
            )
        ]
    place = f"In the console: App clients, {client.name or client.id}, Login pages, Edit."
    found = [Point("client", "ok", title, f"{client.name} ({client.id})")]
    if client_id == wanted.client_of_chat:
        found.append(
            _point(
                "client-secret",
                "Client secret",
                client.secret,
                "It has one." if client.secret else "It has none.",
                "DIAL Chat signs in with AUTH_COGNITO_SECRET and fails without one.",
                "A secret cannot be added later: make a new app client with “Generate a client secret”.",
            )
        )
    missing = [scope for scope in SCOPES if scope not in client.scopes]
    found += [
        _point(
            "code-grant",
            "Authorization code grant",
            client.oauth and "code" in client.flows,
            ", ".join(client.flows) or "No grant.",
            "Sign-in ends with unauthorized_client.",
            f"{place} Tick “Authorization code grant”.",
        ),
        _point(
            "scopes",
            "Scopes",
            not missing,
            ", ".join(client.scopes) or "None.",
            f"Sign-in ends with invalid_scope: {', '.join(missing)} is asked for.",
            f"{place} Tick {', '.join(missing)}.",
        ),
        _point(
            "providers",
            "Identity providers",
            bool(client.providers),
            ", ".join(client.providers) or "None.",
            "The sign-in page offers nothing to sign in with.",
            f"{place} Choose “Cognito user pool”, or your provider.",
        ),
    ]
    if client_id == wanted.client_id:
        found.append(_address("callback", "Callback of this dashboard", wanted.public_url + CALLBACK, client.callbacks))
        found.append(
            _address("sign-out", "Sign-out of this dashboard", wanted.public_url + SIGNED_OUT, client.sign_outs)
        )
    if client_id == wanted.client_of_chat:
        found += _chat(client, wanted.chat_url)
    return found


def _chat(client: AppClient, chat_url: str) -> list[Point]:
    if not chat_url:
        likely = [address for address in client.callbacks if address.endswith(CHAT_CALLBACK)]
        found = f"Seems to be {likely[0]}." if likely else "No callback looks like Chat's."
        mend = "Set CHAT_URL, or give --chat-url, to have it checked."
        return [Point("chat-callback", "unknown" if likely else "fault", "Callback of DIAL Chat", found, "", mend)]
    return [
        _address("chat-callback", "Callback of DIAL Chat", chat_url + CHAT_CALLBACK, client.callbacks),
        _address("chat-sign-out", "Sign-out of DIAL Chat", chat_url, client.sign_outs),
    ]


def _address(code: str, title: str, address: str, allowed: Sequence[str]) -> Point:
    """Cognito compares addresses letter by letter; a slash at the end of one counts."""
    near = next((other for other in allowed if other.rstrip("/").lower() == address.rstrip("/").lower()), "")
    return _point(
        code,
        title,
        address in allowed,
        address if address in allowed else f"Not among {len(allowed)} addresses" + (f"; {near} is." if near else "."),
        "Cognito refuses with redirect_mismatch: it compares addresses letter by letter.",
        f"Add {address} to the allowed {'sign-out' if 'sign-out' in code else 'callback'} URLs.",
    )


def _groups(facts: Facts, wanted: Wanted) -> list[Point]:
    if _unread(facts, "ListGroups"):
        return [_unknown("groups", "Groups")]
    found = [
        _point(
            "groups",
            "Groups",
            bool(facts.groups),
            f"{len(facts.groups)} groups." if facts.groups else "None.",
            "Core takes groups for roles: without one, everybody reaches just what is open to everyone.",
            "Create the groups that DIAL should know: from their roles here (MANAGE_GROUPS), or with create_user_pool "
            "--groups.",
        )
    ]
    for level, names in wanted.levels.items():
        there = [name for name in names if name in facts.groups]
        if names:
            found.append(
                _point(
                    f"level-{level}",
                    f"Groups of {level}s",
                    bool(there),
                    ", ".join(there) or f"{', '.join(names)}: not in the pool.",
                    f"Nobody can sign in here as {level}.",
                    f"Create the group {names[0]}, or set {level.upper()}_GROUPS to one that is there.",
                )
            )
    if not _unread(facts, "ListUsersInGroup"):
        found.append(
            _point(
                "people",
                "People in groups",
                bool(facts.peopled),
                f"{facts.peopled} has members." if facts.peopled else "Every group is empty.",
                "Nobody's token carries a group.",
                "Add somebody to a group: in the console, or with create_user_pool --admin.",
            )
        )
    return found


def _unread(facts: Facts, action: str) -> bool:
    return f"cognito-idp:{action}" in facts.denied


def _unknown(code: str, title: str) -> Point:
    return Point(code, "unknown", title, "Could not be read.", "", "Grant the permission that is missing above.")


# --- the values ---------------------------------------------------------------------------------------


class PatternError(AssertionError):
    """The issuer pattern does not hold for the issuer that it was made of."""


def issuer_pattern(issuer: str) -> str:
    """A pattern of Java's that fits this issuer and nothing else. Raises PatternError when it would not.

    With one provider Core does not apply it; with several the first that fits is taken (core-semantics 2.1).
    """
    pattern = "^" + re.sub(r"([\\.\[\](){}*+?^$|])", r"\\\1", issuer) + "$"
    look_alikes = {issuer + "x", "x" + issuer, issuer[:-1], issuer.replace(".", "x", 1)} - {issuer}
    if not re.fullmatch(pattern, issuer) or any(re.fullmatch(pattern, other) for other in look_alikes):
        raise PatternError(f"no pattern for {issuer}")
    return pattern


def chat_values(issuer: str, client_id: str) -> dict[str, str]:
    """The environment of DIAL Chat, without the secret."""
    return {"AUTH_COGNITO_HOST": issuer, "AUTH_COGNITO_CLIENT_ID": client_id}


def core_values(issuer: str, salt: str, administrators: Sequence[str]) -> dict[str, Any]:
    """Core's static settings for the pool, as dotted names below `aidial`.

    `administrators` are the groups that administer Core: named one by one and compared whole, because Core's
    default makes an administrator of every role that contains "admin" (core-semantics 2).
    """
    provider = "identityProviders.cognito"
    return {
        f"{provider}.jwksUrl": f"{issuer}/.well-known/jwks.json",
        f"{provider}.rolePath": "cognito:groups",
        f"{provider}.issuerPattern": issuer_pattern(issuer),
        f"{provider}.loggingKey": "sub",
        f"{provider}.loggingSalt": salt,
        "access.admin.rules": [{"source": "roles", "function": "EQUAL", "targets": list(administrators)}],
    }


def as_environment(values: Mapping[str, Any], prefix: str = "") -> str:
    """Lines of an env file. Values that are no text are JSON."""
    return "".join(f"{prefix}{name}={_text(value)}\n" for name, value in values.items())


def as_helm(chat: Mapping[str, str], core: Mapping[str, Any]) -> str:
    """Values of the dial chart. JSON texts are YAML; Helm's `tpl` leaves them alone, since none holds two braces."""
    lines = ["chat:", "  env:"]
    lines += [f"    {name}: {json.dumps(value)}" for name, value in chat.items()]
    lines += ["  secrets:", '    AUTH_COGNITO_SECRET: ""  # the secret of the app client', "core:", "  env:"]
    lines += [f"    aidial.{name}: {json.dumps(_text(value))}" for name, value in core.items()]
    return "\n".join(lines) + "\n"


def as_json(core: Mapping[str, Any]) -> str:
    """Core's static settings as a file."""
    tree: dict[str, Any] = {}
    for name, value in core.items():
        *path, last = name.split(".")
        at = tree
        for step in path:
            at = at.setdefault(step, {})
        at[last] = value
    return json.dumps(tree, indent=2) + "\n"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
