"""The environment variables that configure dialadmin: the only list of them.

`settings.py` reads its values here, `checks.py` reports the missing ones, and a test compares this
list with the table in the README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


@dataclass(frozen=True)
class Variable:
    """One environment variable: how it is read, what it is for, and a value that would do."""

    name: str
    kind: str  # a reader of django-environ ("str", "bool", "int", "float", "list", "db_url"), or one of READERS
    purpose: str
    example: str
    default: Any = None
    required: bool = False

    def read(self) -> Any:
        """The value, or the default when it is unset or empty.

        Raises ImproperlyConfigured, naming the variable, its purpose and an example, when the value
        is not of its kind.
        """
        if not env.str(self.name, default=""):
            return env.db_url_config(self.default) if self.kind == "db_url" else self.default
        reader: Callable[[str], Any] = getattr(env, self.kind, None) or READERS[self.kind]
        try:
            return reader(self.name)
        except (ValueError, ImproperlyConfigured) as error:
            raise ImproperlyConfigured(f"the value of {self.name} is not usable ({error}). {self.help()}") from error

    def help(self) -> str:
        return f"{self.name}: {self.purpose} Example: {self.name}={self.example}"


VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable(
            "SECRET_KEY",
            "str",
            "Signs sessions and forms. Keep it secret and the same on every process.",
            "a-long-random-text-of-50-characters-or-more",
            default="",
            required=True,
        ),
        Variable(
            "ENCRYPTION_KEYS",
            "list",
            "Fernet keys, comma-separated, for the secrets of the settings (API keys, upstream keys). The first "
            "encrypts, all decrypt; make one with `manage.py rotate_secrets --new-key`.",
            "bB0M0cBvbCrrN2Lxq6U3oJ1ZPkHkEWTLAEW3kq0YJ5E=",
            default=[],
            required=True,
        ),
        Variable("DEBUG", "bool", "Development mode. Never in production.", "false", default=False),
        Variable(
            "ALLOWED_HOSTS",
            "list",
            "Host names under which the dashboard is reached, comma-separated.",
            "dialadmin.example.com",
            default=[],
            required=True,
        ),
        Variable(
            "PUBLIC_URL",
            "str",
            "The address of the dashboard as browsers see it, without a final slash.",
            "https://dialadmin.example.com",
            default="",
            required=True,
        ),
        Variable(
            "BEHIND_PROXY",
            "bool",
            "Trust `X-Forwarded-Proto`: set it when a proxy that overwrites this header ends TLS.",
            "true",
            default=False,
        ),
        Variable(
            "DATABASE_URL",
            "db_url",
            "SQLite file (WAL) or PostgreSQL.",
            "postgres://user:password@db.example.com:5432/dialadmin",
            default="sqlite:///dialadmin.sqlite3",
        ),
        Variable(
            "COGNITO_USER_POOL_ID",
            "str",
            "The user pool whose groups and users are mirrored.",
            "eu-west-1_AbCdEf123",
            default="",
            required=True,
        ),
        Variable(
            "AWS_REGION",
            "str",
            "Region of the pool.",
            "eu-west-1",
            default="",
            required=True,
        ),
        Variable(
            "COGNITO_ENDPOINT_URL",
            "str",
            "Another address of the Cognito API (a VPC endpoint; the demo).",
            "https://cognito-idp.eu-west-1.amazonaws.com",
            default="",
        ),
        Variable(
            "OIDC_ISSUER",
            "str",
            "The pool's issuer, copied verbatim from its discovery document: two forms exist, so it is never guessed.",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123",
            default="",
            required=True,
        ),
        Variable(
            "OIDC_DOMAIN",
            "str",
            "The pool's domain, where people sign in, without a final slash.",
            "https://example.auth.eu-west-1.amazoncognito.com",
            default="",
            required=True,
        ),
        Variable(
            "OIDC_CLIENT_ID",
            "str",
            "The app client of this dashboard.",
            "1h57kf5cpq17m0eml12EXAMPLE",
            default="",
            required=True,
        ),
        Variable(
            "OIDC_CLIENT_SECRET",
            "str",
            "The secret of the app client; empty for a public client (PKCE is always used).",
            "9ab…",
            default="",
        ),
        Variable(
            "CHAT_URL",
            "str",
            "Where DIAL Chat is, without a final slash: the setup check looks for its callback.",
            "https://chat.example.com",
            default="",
        ),
        Variable(
            "CHAT_CLIENT_ID",
            "str",
            "The app client of DIAL Chat, where it is another than this dashboard's.",
            "1h57kf5cpq17m0eml12EXAMPLE",
            default="",
        ),
        Variable(
            "AUDITOR_GROUPS",
            "list",
            "Cognito groups whose members may read everything but secrets.",
            "dial-auditors",
            default=[],
        ),
        Variable(
            "EDITOR_GROUPS",
            "list",
            "Cognito groups whose members may also change the draft and start a sync.",
            "dial-editors",
            default=[],
        ),
        Variable(
            "PUBLISHER_GROUPS",
            "list",
            "Cognito groups whose members may also export the settings, secrets included.",
            "dial-publishers",
            default=[],
            required=True,
        ),
        Variable(
            "SESSION_IDLE_MINUTES",
            "int",
            "A session ends after this many minutes without a request.",
            "30",
            default=30,
        ),
        Variable(
            "SESSION_MAX_HOURS",
            "int",
            "A session ends this many hours after sign-in, whatever happens in it.",
            "8",
            default=8,
        ),
        Variable(
            "SYNC_MAX_REMOVAL_SHARE",
            "float",
            "A sync that would remove more than this share of the people, groups or memberships stops and asks.",
            "0.2",
            default=0.2,
        ),
        Variable(
            "SYNC_MAX_AGE",
            "int",
            "The home page warns when the last good sync is older than this many hours.",
            "24",
            default=24,
        ),
        Variable(
            "COGNITO_CALLS_PER_SECOND",
            "float",
            "How fast a sync reads at most. Cognito's quota, 30 a second, is shared by everything in the AWS account "
            "and region: the default is 60 % of it.",
            "18",
            default=18,
        ),
        Variable(
            "MANAGE_GROUPS",
            "bool",
            "Create groups of the pool here, and put people into them and out. It needs IAM permissions to write: "
            "docs/cognito.md.",
            "true",
            default=False,
        ),
        Variable(
            "TARGETS",
            "targets",
            "Where releases are published, comma-separated `name=URL`; Core reads the first. See docs/targets.md.",
            "core=file:///etc/dial/config.json,prod=s3://bucket/dial/config.json,vault=secretsmanager://dial/config",
            default=[],
        ),
        Variable(
            "CORE_URL",
            "http_url",
            "The address of the DIAL Core that reads the first target, to prove what it runs.",
            "https://core.example.com",
            default="",
        ),
        Variable(
            "CORE_ADMIN_TOKEN",
            "str",
            "A bearer token of one of Core's administrators, for its reload endpoint.",
            "eyJraWQiOi…",
            default="",
        ),
        Variable(
            "CORE_PROBE_KEY",
            "str",
            "An API key of the settings, to see what Core really answers to it.",
            "a-key-of-the-settings",
            default="",
        ),
        Variable(
            "FOUR_EYES",
            "bool",
            "Nobody releases a draft that they alone have edited since the last release.",
            "true",
            default=False,
        ),
        Variable(
            "RELEASE_REMOVAL_SHARE",
            "float",
            "A release that takes access from more than this share of the people asks for its number to be typed.",
            "0.1",
            default=0.1,
        ),
        Variable("LOG_LEVEL", "str", "DEBUG, INFO, WARNING or ERROR.", "INFO", default="INFO"),
    )
}


@dataclass(frozen=True)
class TargetUrl:
    """One entry of TARGETS. `place` is a path, `bucket/key` or the name of a secret."""

    name: str
    scheme: str  # "file", "s3" or "secretsmanager"
    place: str
    options: Mapping[str, str] = field(default_factory=dict)


AWS_OPTIONS = {"region", "endpoint", "kms"}
SCHEMES: Mapping[str, set[str]] = {"file": set(), "s3": AWS_OPTIONS, "secretsmanager": AWS_OPTIONS}


def _targets(name: str) -> list[TargetUrl]:
    entries = [_target(text.strip()) for text in env.str(name).split(",") if text.strip()]
    names = [entry.name for entry in entries]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"two targets are called {twice}")
    return entries


def _target(text: str) -> TargetUrl:
    """One entry. The messages quote its name alone: an address may hold what somebody took for a password."""
    name, equals, address = text.partition("=")
    if not equals or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", name):
        raise ValueError(
            "each entry is name=URL, the name of lower-case letters, digits, - and _; write a comma in a URL as %2C"
        )
    url = urlsplit(address)
    if url.scheme not in SCHEMES:
        raise ValueError(f"the URL of {name} has to begin with file:///, s3:// or secretsmanager://")
    if "@" in url.netloc or url.fragment:
        raise ValueError(f"the URL of {name} holds a password or a #; AWS credentials are found the usual way")
    options = dict(parse_qsl(url.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - SCHEMES[url.scheme]):
        known = ", ".join(sorted(SCHEMES[url.scheme])) or "none"
        raise ValueError(f"the URL of {name} has the unknown option {unknown[0]}; {url.scheme} knows {known}")
    return TargetUrl(name, url.scheme, _place(name, url), options)


def _place(name: str, url: SplitResult) -> str:
    place = unquote(url.netloc + url.path)
    if url.scheme == "file":
        if url.netloc or not url.path.startswith("/") or url.path.endswith("/"):
            raise ValueError(f"the URL of {name} needs an absolute path of a file, with three slashes: file:///etc/…")
        return place
    place = place.strip("/")
    if url.scheme == "s3" and not all(place.partition("/")[::2]):
        raise ValueError(f"the URL of {name} needs a bucket and a key: s3://bucket/key")
    if not place:
        raise ValueError(f"the URL of {name} needs the name of a secret: secretsmanager://name")
    return place


def _http_url(name: str) -> str:
    text: str = env.str(name).rstrip("/")
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc or url.query or url.fragment:
        raise ValueError("it has to be https://host or http://host, without user, query or #")
    return text


READERS: Mapping[str, Callable[[str], Any]] = {"targets": _targets, "http_url": _http_url}


def read(name: str) -> Any:
    """The value of a declared variable; KeyError for one that nobody declared."""
    return VARIABLES[name].read()


def missing() -> list[Variable]:
    """The required variables that are unset or empty."""
    return [v for v in VARIABLES.values() if v.required and not v.read()]


def require() -> None:
    """Stop the start of a server that lacks a required variable.

    Management commands learn the same from the system checks; a WSGI server runs no checks.
    """
    lacking = missing()
    if lacking:
        raise ImproperlyConfigured(
            "dialadmin cannot start: set these environment variables.\n"
            + "\n".join(f"  {variable.help()}" for variable in lacking)
        )
