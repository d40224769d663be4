"""The environment variables that configure dialadmin: the only list of them.

`settings.py` reads its values here, `checks.py` reports the missing ones, and a test compares this
list with the table in the README.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


@dataclass(frozen=True)
class Variable:
    """One environment variable: how it is read, what it is for, and a value that would do."""

    name: str
    kind: str  # a reader of django-environ: "str", "bool", "int", "float", "list" or "db_url"
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
        reader: Callable[[str], Any] = getattr(env, self.kind)
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
        Variable("LOG_LEVEL", "str", "DEBUG, INFO, WARNING or ERROR.", "INFO", default="INFO"),
    )
}


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
