"""`check_drift [--target T]`: whether targets and Core still hold what was published. For cron."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments.management.commands.publish_release import choose
from deployments.releases import proof, reading, targets
from deployments.releases.models import Proof
from dialadmin.history.recorder import Actor
from dialadmin.secrets import UndecryptableError

ACTOR = Actor.command("check_drift")


class Command(BaseCommand):
    help = (
        "Read the targets back, ask Core what it runs, and compare. Exit 0: as published; 1: something drifted; "
        "2: nothing drifted as far as could be read, but something could not be."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--target", metavar="T", help="this one alone, without Core; default: all, and Core")

    def handle(self, *, target: str | None, **_: Any) -> None:
        wanted = list(targets.configured().values()) if target is None else [choose(target)]
        try:
            found = [proof.check_target(one, by=ACTOR) for one in wanted]
            core = proof.check_core(by=ACTOR) if target is None else None
        except (UndecryptableError, reading.DamagedError) as error:
            raise CommandError(str(error), returncode=2) from error
        if core is not None:
            found.append(core)
        if not found:
            raise CommandError("There is nothing to check. Set TARGETS or CORE_URL.", returncode=2)
        for one in found:
            self.stdout.write("\n".join(proof.told(one)))
        states = {one.state for one in found}
        if Proof.State.DRIFTED in states:
            sys.exit(1)
        if Proof.State.UNREACHABLE in states:
            sys.exit(2)
