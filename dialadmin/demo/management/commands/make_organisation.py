"""`make_organisation`: fill an empty database with a synthetic organisation, for measurements."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from deployments.actions import replace_draft
from deployments.document import split
from deployments.models import Deployment
from dialadmin.demo.synthetic import organisation
from dialadmin.history.recorder import Actor, record
from roles.acts import SYNCED
from roles.mirror import apply, read_local
from roles.models import SyncRun, User
from roles.plan import plan, summary

ACTOR = Actor.command("make_organisation")


def amount(text: str) -> int:
    """A whole number of 0 or more."""
    try:
        number = int(text.replace("_", ""))
    except ValueError:
        number = -1
    if number < 0:
        raise ArgumentTypeError(f"{text} is not a whole number of 0 or more")
    return number


class Command(BaseCommand):
    help = (
        "Fill an empty database with made-up people, groups, deployments and limits, for measurements. "
        "The same seed gives the same organisation. Refuses a database that holds people or deployments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--users", type=amount, default=100_000, help="default: 100000")
        parser.add_argument("--groups", type=amount, default=500, help="default: 500")
        parser.add_argument("--deployments", type=amount, default=1_000, help="default: 1000")
        parser.add_argument("--seed", type=int, default=1, help="default: 1")
        parser.add_argument(
            "--profile",
            choices=("independent", "clustered"),
            default="independent",
            help="whether people draw their groups alone (the default) or in bundles, as job titles do",
        )

    def handle(self, *, users: int, groups: int, deployments: int, seed: int, profile: str, **_: Any) -> None:
        if User.objects.exists() or Deployment.objects.exists():
            raise CommandError(
                "This database holds people or deployments, and made-up ones must not mix with them. "
                "Point DATABASE_URL at an empty one: DATABASE_URL=sqlite:////tmp/yardstick.sqlite3, then migrate."
            )
        begun = time.perf_counter()
        made = organisation(users=users, groups=groups, deployments=deployments, seed=seed, profile=profile)
        with transaction.atomic():
            difference = plan(made.pool, read_local())
            apply(difference, now=timezone.now())
            counts = difference.counts()
            SyncRun.objects.create(
                state=SyncRun.State.APPLIED, by=ACTOR.name, counts=counts, finished_at=timezone.now()
            )
            record(SYNCED, by=ACTOR, after=counts, note=summary(counts))
            replace_draft(parts=split(made.settings), by=ACTOR, note="a made-up organisation", summary={})
        memberships = sum(len(some) for some in made.pool.members.values())
        self.stdout.write(
            f"{users:,} people, {groups:,} groups, {memberships:,} memberships, {deployments:,} deployments, "
            f"{sum(len(role['limits']) for role in made.settings['roles'].values()):,} limits "
            f"in {time.perf_counter() - begun:.1f} s."
        )
