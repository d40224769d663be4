"""`sync_cognito [--dry-run] [--allow-removals]`: mirror the pool once, and print what changed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dialadmin.history.recorder import Actor
from roles.models import SyncRun
from roles.sync import AlreadyRunningError, run_sync

MARKS = {"added": "+", "changed": "~", "removed": "-"}


class Command(BaseCommand):
    help = "Mirror the groups, users and memberships of the Cognito pool. Exit 1: failed; 2: stopped, nothing changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would change and change nothing")
        parser.add_argument("--allow-removals", action="store_true", help="apply even if much would be removed")

    def handle(self, *, dry_run: bool, allow_removals: bool, **_: Any) -> None:
        try:
            run = run_sync(by=Actor.command("sync_cognito"), dry_run=dry_run, allow_removals=allow_removals)
        except AlreadyRunningError as error:
            raise CommandError(str(error)) from error
        for change in run.changes:
            detail = f" ({change['detail']})" if change["detail"] else ""
            self.stdout.write(f"{MARKS[change['state']]} {change['kind']} {change['name']}{detail}")
        if run.state == SyncRun.State.FAILED:
            raise CommandError(f"{run.error} Nothing was changed.")
        if run.state == SyncRun.State.STOPPED:
            raise CommandError(f"{run.error} (--allow-removals)", returncode=2)
        people, groups = run.counts.get("users", 0), run.counts.get("groups", 0)
        ending = {
            SyncRun.State.APPLIED: "Applied.",
            SyncRun.State.UNCHANGED: "Nothing has changed.",
            SyncRun.State.PREVIEW: f"Nothing was changed (--dry-run). {run.error}",
        }[SyncRun.State(run.state)]
        self.stdout.write(f"{people} people in {groups} groups. {ending}".strip())
