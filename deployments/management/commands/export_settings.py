"""`export_settings [--release N] [--output PATH]`: the draft, or a release, as the settings file of DIAL Core."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments import actions, exports
from deployments.core.versions import Version
from deployments.releases import actions as release_actions
from deployments.releases import reading
from deployments.releases.models import Release
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
        parser.add_argument("--format", choices=["json"], default="json")

    def handle(self, *, release: int | None, output: str | None, **_: Any) -> None:
        made = None if release is None else _release(release)
        try:
            result = exports.export() if made is None else _export_of(made)
        except (UndecryptableError, reading.DamagedError) as error:
            raise CommandError(str(error)) from error
        except exports.RefusedError as refused:
            lines = [f"  {f.place or 'the document'}: {f.message} {f.mend} [{f.code}]" for f in refused.findings]
            raise CommandError("Nothing was exported: Core could not use this draft.\n" + "\n".join(lines)) from refused
        if output is None:
            self.stdout.write(result.data.decode(), ending="")
        else:
            try:
                write_atomically(Path(output), result.data)
            except OSError as error:
                raise CommandError(f"{output} cannot be written: {error.strerror}. It is as it was.") from error
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


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file at once: a reader sees the old bytes or the new. Keeps permissions; new files are 0600."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
