"""`create_user_pool`: the user pool, app client, domain, groups and an administrator, as DIAL needs them."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from roles import cognito, inspection, setup
from roles.provision import Existing, Order, Step, apply, look, plan
from roles.reading import CognitoError

LEVELS = ("dial-auditors", "dial-editors", "dial-publishers")


class Command(BaseCommand):
    help = (
        "Make a user pool with app client, domain, groups and an administrator as DIAL Chat, DIAL Core and this "
        "dashboard need them, and print their settings. Needs no database. A second run changes nothing; one that was "
        "cut is completed. Exit 1: something was refused."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", default="dial", help="name of the pool; default: dial")
        parser.add_argument("--pool-id", default="", help="complete this pool instead of the one of the name")
        parser.add_argument("--domain", default="", help="prefix of the sign-in address; default: the name of the pool")
        parser.add_argument("--public-url", default="", help="where this dashboard is; default: PUBLIC_URL")
        parser.add_argument("--chat-url", default="", help="where DIAL Chat is; default: CHAT_URL")
        parser.add_argument("--groups", default="", help="further groups, comma-separated, beside those of the levels")
        parser.add_argument("--admin", default="", metavar="EMAIL", help="a first publisher, invited by email")
        parser.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
        parser.add_argument("--show-secret", action="store_true", help="print the secret of the app client too")

    def handle(self, *, dry_run: bool, show_secret: bool, **options: Any) -> None:
        order = _order(**options)
        problems = list(order.problems())
        if problems:
            raise CommandError("Nothing was made:\n" + "\n".join(f"  {problem}" for problem in problems))
        try:
            call = cognito.administration()
            there = look(call, order)
            steps = plan(order, there)
            if dry_run or not steps:
                self._announce(steps, dry_run=dry_run)
            else:
                there = apply(call, order, there, steps, lambda step: self.stdout.write(f"done: {step.text}"))
        except CognitoError as error:
            raise CommandError(f"{error} What was done stays; run this again to go on from there.") from error
        if there.pool_id and there.client is not None:
            self._print(order, there, show_secret=show_secret)

    def _announce(self, steps: list[Step], *, dry_run: bool) -> None:
        if not steps:
            self.stdout.write("Everything is there already: nothing was changed.")
        for step in steps:
            self.stdout.write(f"would {step.text}" if dry_run else step.text)

    def _print(self, order: Order, there: Existing, *, show_secret: bool) -> None:
        assert there.client is not None  # noqa: S101  # the caller has looked
        asked = setup.Wanted(there.pool_id, settings.AWS_REGION, there.client.id, order.public_url)
        issuer = inspection.issuer(asked) or f"https://cognito-idp.{settings.AWS_REGION}.amazonaws.com/{there.pool_id}"
        domain = there.domain if "." in there.domain else f"{there.domain}.auth.{settings.AWS_REGION}.amazoncognito.com"
        secret = there.described.get("ClientSecret", "") if show_secret else "(see the console, or --show-secret)"
        groups = _level_groups()
        own = {
            "COGNITO_USER_POOL_ID": there.pool_id,
            "AWS_REGION": settings.AWS_REGION,
            "OIDC_ISSUER": issuer,
            "OIDC_DOMAIN": f"https://{domain}",
            "OIDC_CLIENT_ID": there.client.id,
            "OIDC_CLIENT_SECRET": secret,
            "PUBLIC_URL": order.public_url,
            "CHAT_URL": order.chat_url,
            "AUDITOR_GROUPS": groups[0],
            "EDITOR_GROUPS": groups[1],
            "PUBLISHER_GROUPS": groups[2],
        }
        chat = {**setup.chat_values(issuer, there.client.id), "AUTH_COGNITO_SECRET": secret}
        core = setup.core_values(issuer, secrets.token_urlsafe(24), groups[2].split(","))
        for title, text in (
            ("this dashboard", setup.as_environment(own)),
            ("DIAL Chat", setup.as_environment(chat)),
            ("DIAL Core, static settings", setup.as_environment(core, "aidial.")),
        ):
            self.stdout.write(f"\n# {title}\n{text}", ending="")


def _level_groups() -> tuple[str, str, str]:
    """The groups of the levels, from the settings where they name some, comma-separated."""
    configured = (settings.AUDITOR_GROUPS, settings.EDITOR_GROUPS, settings.PUBLISHER_GROUPS)
    auditors, editors, publishers = (
        ",".join(names) or default for names, default in zip(configured, LEVELS, strict=True)
    )
    return auditors, editors, publishers


def _order(
    *, name: str, pool_id: str, domain: str, public_url: str, chat_url: str, groups: str, admin: str, **_: Any
) -> Order:
    public = (public_url or settings.PUBLIC_URL).rstrip("/")
    if not public:
        raise CommandError("Where this dashboard is, is not known. Set PUBLIC_URL, or give --public-url https://…")
    if not settings.AWS_REGION:
        raise CommandError("Set AWS_REGION to the region of the pool, for example AWS_REGION=eu-west-1.")
    levels = [group for names in _level_groups() for group in names.split(",")]
    return Order(
        name=name,
        domain=domain or name.lower(),
        public_url=public,
        chat_url=(chat_url or settings.CHAT_URL).rstrip("/"),
        groups=(*levels, *(group.strip() for group in groups.split(",") if group.strip())),
        administrator=admin.strip(),
        administrator_groups=tuple(_level_groups()[2].split(",")[:1]),
        pool_id=pool_id,
    )
