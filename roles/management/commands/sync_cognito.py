"""`sync_cognito [--dry-run] [--allow-removals]`: mirror the pool once, and print what changed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from dialadmin.history.recorder import Actor
from roles.models import SyncRun
from roles.sync import COUNTED, AlreadyRunningError, run_sync, summary

MARKS = {"added": "+", "changed": "~", "removed": "-"}


class Command(BaseCommand):
    help = (
        "Mirror the groups, users and memberships of the Cognito pool. "
        "Exit codes: 0 done; 1 failed, nothing changed; 2 stopped because much would be removed, nothing changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would change and change nothing")
        parser.add_argument("--allow-removals", action="store_true", help="apply even if much would be removed")

    def handle(self, *, dry_run: bool, allow_removals: bool, **_: Any) -> None:
        try:
            run = run_sync(by=Actor.command("sync_cognito"), dry_run=dry_run, allow_removals=allow_removals)
        except AlreadyRunningError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used ({error}). Has `manage.py migrate` been run?") from error
        if run.state == SyncRun.State.FAILED:
            raise CommandError(f"{run.error} Nothing was changed.")
        self._print_changes(run)
        read = (
            f"Read {run.counts['users']:,} users, {run.counts['groups']:,} groups and "
            f"{run.counts['memberships']:,} memberships."
        )
        if run.state == SyncRun.State.STOPPED:
            raise CommandError(
                f"{read} {run.error} Nothing was changed. If that is right, repeat it with --allow-removals.",
                returncode=2,
            )
        changed = summary(run.counts)
        endings = {
            SyncRun.State.APPLIED: f"Applied: {changed}.",
            SyncRun.State.UNCHANGED: "Nothing has changed.",
            SyncRun.State.PREVIEW: f"Dry run: {changed or 'nothing to change'}. Nothing was changed.",
        }
        self.stdout.write(f"{read} {endings[SyncRun.State(run.state)]}")
        if run.state == SyncRun.State.PREVIEW and run.error and not allow_removals:
            self.stdout.write(f"{run.error} A sync would stop here and ask for --allow-removals.")

    def _print_changes(self, run: SyncRun) -> None:
        for change in run.changes:
            detail = f" ({change['detail']})" if change["detail"] else ""
            self.stdout.write(f"{MARKS[change['state']]} {change['kind']} {change['name']}{detail}")
        hidden = sum(run.counts.get(name, 0) for name in COUNTED) - len(run.changes)
        if hidden > 0:
            self.stdout.write(f"… and {hidden:,} more")
