"""`export_settings [--output PATH]`: the draft as the settings file of DIAL Core."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments import actions, exports
from dialadmin.history.recorder import Actor
from dialadmin.secrets import UndecryptableError


class Command(BaseCommand):
    help = "Write the draft as a settings file for DIAL Core, secrets included; refuses what Core would refuse."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--output", metavar="PATH", help="write to this file, at once or not at all; default: stdout"
        )
        parser.add_argument("--format", choices=["json"], default="json")

    def handle(self, *, output: str | None, **_: Any) -> None:
        try:
            result = exports.export()
        except UndecryptableError as error:
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
        actions.record_export(
            by=Actor.command("export_settings"),
            digest=result.digest,
            version=str(result.version),
            size=len(result.data),
        )


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
