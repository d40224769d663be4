"""`rotate_secrets`: encrypt every stored secret anew with the first of ENCRYPTION_KEYS."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from cryptography.fernet import Fernet
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from deployments import actions
from deployments.releases import actions as release_actions
from dialadmin.history.recorder import Actor
from dialadmin.secrets import UndecryptableError

ACTOR = Actor.command("rotate_secrets")


class Command(BaseCommand):
    help = "Encrypt every stored secret anew with the first of ENCRYPTION_KEYS; then the old keys can be dropped."
    requires_system_checks: list[str] = []  # --new-key has to work before a key is configured

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--new-key", action="store_true", help="print a new key and change nothing")

    def handle(self, *, new_key: bool, **_: Any) -> None:
        if new_key:
            self.stdout.write(Fernet.generate_key().decode())
            return
        try:
            with transaction.atomic():
                count = actions.rotate_secrets(by=ACTOR) + release_actions.rotate_payloads(by=ACTOR)
        except UndecryptableError as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        self.stdout.write(f"{count} rows are encrypted with the first key now.")
