"""`check_cognito`: what of the pool and its app client would not work with DIAL, and how to mend it."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from roles import inspection, setup
from roles.reading import CognitoError

SIGNS = {"ok": "ok     ", "fault": "FAULT  ", "unknown": "unknown"}


class Command(BaseCommand):
    help = (
        "Read the user pool and the app client, and say what would not work with DIAL, this dashboard or the sync. "
        "Needs no database. Exit 0: nothing found, 1: faults, 2: the pool could not be read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--pool-id", default="", help="default: COGNITO_USER_POOL_ID")
        parser.add_argument("--client-id", default="", help="default: OIDC_CLIENT_ID")
        parser.add_argument("--chat-url", default="", help="where DIAL Chat is; default: CHAT_URL")
        parser.add_argument("--public-url", default="", help="where this dashboard is; default: PUBLIC_URL")
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
        parser.add_argument("--values", action="store_true", help="also print the values for DIAL Chat and DIAL Core")

    def handle(
        self,
        *,
        pool_id: str,
        client_id: str,
        chat_url: str,
        public_url: str,
        format: str,  # noqa: A002  # Django names it
        values: bool,
        **_: Any,
    ) -> None:
        asked = inspection.wanted(pool_id=pool_id, client_id=client_id, chat_url=chat_url, public_url=public_url)
        if not asked.pool_id:
            raise CommandError("No pool is named. Set COGNITO_USER_POOL_ID, or give --pool-id.", returncode=2)
        try:
            facts = inspection.inspect(asked)
        except CognitoError as error:
            raise CommandError(str(error), returncode=2) from error
        points = setup.points(facts, asked)
        if format == "json":
            self.stdout.write(
                json.dumps({"pool": asked.pool_id, "points": [asdict(point) for point in points]}, indent=2)
            )
        else:
            self._write(points)
        if values:
            issuer = facts.issuer or asked.issuer
            if not issuer:
                raise CommandError(
                    "The issuer of the pool could not be read, so its values are not known.", returncode=2
                )
            core = setup.core_values(issuer, secrets.token_urlsafe(24), settings.PUBLISHER_GROUPS)
            self.stdout.write("\n" + setup.as_environment(setup.chat_values(issuer, asked.client_of_chat)), ending="")
            self.stdout.write(setup.as_environment(core, "aidial."), ending="")
        faults = sum(point.state == "fault" for point in points)
        if faults:
            raise CommandError(f"{faults} of {len(points)} points would not work.", returncode=1)

    def _write(self, points: list[setup.Point]) -> None:
        for point in points:
            self.stdout.write(f"{SIGNS[point.state]}  {point.title}: {point.found}  [{point.code}]")
            for text in filter(None, (point.consequence, point.mend)):
                self.stdout.write(f"         {text}")
