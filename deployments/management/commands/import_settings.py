"""`import_settings FILE… [--dry-run]`: merge the files as Core does and make them the draft."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments import actions, draft, imports
from deployments.changes import Change, summary
from deployments.core.text import SettingsError
from deployments.core.versions import SUPPORTED, Version
from dialadmin.history.recorder import Actor


class Command(BaseCommand):
    help = "Merge settings files as DIAL Core does, show what would change, and make them the draft."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="settings files, in the order Core merges them")
        parser.add_argument("--dry-run", action="store_true", help="show what would change and change nothing")
        parser.add_argument(
            "--core-version",
            help=f"judge the files for this Core ({SUPPORTED[0]} to {SUPPORTED[-1]}) and make it the target version",
        )

    def handle(self, *, files: list[str], dry_run: bool, core_version: str | None, **_: Any) -> None:
        actor = Actor.command("import_settings")
        try:
            version = Version.parse(core_version or draft.current().target_version)
        except ValueError as error:
            raise CommandError(str(error)) from error
        try:
            sources = [imports.Source(name, Path(name).read_bytes()) for name in files]
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}. Nothing was changed.") from error
        try:
            preview = imports.preview(sources, version)
        except SettingsError as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        if preview.parts is None:
            lines = [f"  {f.place or 'the document'}: {f.message} {f.mend} [{f.code}]" for f in preview.refusals]
            raise CommandError(f"Core {version} would refuse these settings; nothing was changed.\n" + "\n".join(lines))
        for notice in preview.notices:
            self.stdout.write(notice)
        for change in preview.changes:
            self.stdout.write(describe(change))
        counts = ", ".join(
            f"{sum(1 for change in preview.changes if change.state == state)} {state}"
            for state in ("added", "changed", "removed")
        )
        if dry_run:
            self.stdout.write(f"Would be: {counts}. Nothing was changed (--dry-run).")
            return
        if core_version:
            actions.set_target_version(version=version, by=actor)
        if preview.changes:
            actions.replace_draft(
                parts=preview.parts, by=actor, note=", ".join(files), summary=summary(list(preview.changes))
            )
        self.stdout.write(
            f"Done: {counts}." if preview.changes else "The draft says this already; nothing was changed."
        )


def describe(change: Change) -> str:
    """One change as a line, its changed fields below it."""
    mark = {"added": "+", "changed": "~", "removed": "-"}[change.state]
    head = f"{mark} {change.kind} {change.name}" + (f": {change.access}" if change.access else "")
    details = [f"    {d.path}: {d.before or 'absent'} -> {d.after or 'absent'}" for d in change.details]
    return "\n".join([head, *details])
