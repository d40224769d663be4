"""`export_settings [--release N] [--output PATH] [--format F]`: the draft, or a release, as DIAL Core's settings."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments import actions, exports
from deployments.core.versions import Version
from deployments.releases import actions as release_actions
from deployments.releases import reading
from deployments.releases.formats import FORMATS, TooLargeError
from deployments.releases.models import Release
from deployments.releases.targets.file import save
from deployments.releases.targets.interface import TargetError
from dialadmin.history.recorder import Actor
from dialadmin.secrets import UndecryptableError

ACTOR = Actor.command("export_settings")


class Command(BaseCommand):
    help = (
        "Write the draft as a settings file for DIAL Core, secrets included; refuses what Core would refuse. "
        "With --release, write the exact bytes of a release instead."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--release", type=int, metavar="N", help="a release by its number; default: the draft")
        parser.add_argument(
            "--output", metavar="PATH", help="write to this file, at once or not at all; default: stdout"
        )
        parser.add_argument("--format", choices=list(FORMATS), default="json", help="default: json, the file itself")

    def handle(self, *, release: int | None, output: str | None, format: str, **_: Any) -> None:  # noqa: A002  # Django names it
        made = None if release is None else _release(release)
        try:
            result = exports.export() if made is None else _export_of(made)
        except (UndecryptableError, reading.DamagedError) as error:
            raise CommandError(str(error)) from error
        except exports.RefusedError as refused:
            lines = [f"  {f.place or 'the document'}: {f.message} {f.mend} [{f.code}]" for f in refused.findings]
            raise CommandError("Nothing was exported: Core could not use this draft.\n" + "\n".join(lines)) from refused
        title = f"{made or 'the draft'}, for Core {result.version}, sha256 {result.digest}"
        try:
            text = FORMATS[format](result.data, title)
            if output is not None:
                save(Path(output), text.encode())
        except (TooLargeError, TargetError) as error:
            raise CommandError(f"Nothing was exported: {error}") from error
        if output is None:
            self.stdout.write(text, ending="")
        else:
            self.stdout.write(f"{output}: {len(result.data):,} bytes for Core {result.version}, sha256 {result.digest}")
        if made is not None:
            release_actions.record_download(release=made, by=ACTOR)
        else:
            actions.record_export(by=ACTOR, digest=result.digest, version=str(result.version), size=len(result.data))


def _release(number: int) -> Release:
    made = reading.by_number(number)
    if made is not None:
        return made
    last = reading.latest()
    known = f"The last is {last.number}." if last else "Nothing has been released yet."
    raise CommandError(f"There is no release {number}. {known}")


def _export_of(made: Release) -> exports.Export:
    return exports.Export(reading.data(made), made.digest, Version.parse(made.target_version))
