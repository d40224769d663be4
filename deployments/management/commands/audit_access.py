"""`audit_access`: who reaches what, with which limits, through which role."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from deployments.access import asking, rows, source
from deployments.access.questions import QUESTIONS
from dialadmin.secrets import UndecryptableError


class Command(BaseCommand):
    help = (
        "Say who reaches what, with which limits and through which role: of everyone, or of the user, role, API key or "
        "deployment that is named. CSV has one header line; what it rests on goes to the error output. "
        "Exit 0 answered, 1 a name is unknown or the moment cannot be answered."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        subject = parser.add_mutually_exclusive_group()
        subject.add_argument("--user", default="", help="user name, email or sub")
        subject.add_argument("--role", default="", help="what somebody with this role alone reaches")
        subject.add_argument("--api-key", default="", metavar="PROJECT", help="the API keys of a project")
        parser.add_argument("--deployment", default="", help="who reaches this one, or with a subject: how it does")
        parser.add_argument("--kind", default="", help="the kind of the deployment, where kinds share the name")
        parser.add_argument(
            "--question", default="", choices=["", *QUESTIONS], help="a table instead: " + ", ".join(QUESTIONS)
        )
        parser.add_argument(
            "--at", default="", metavar="TIME", help="at a past moment: 2026-03-01 or 2026-03-01T12:00+01:00 (else UTC)"
        )
        parser.add_argument("--format", choices=list(rows.FORMS), default="csv", help="default: csv")
        parser.add_argument("--output", metavar="PATH", help="write to this file; default: stdout")

    def handle(self, *, at: str, format: str, output: str | None, **options: Any) -> None:  # noqa: A002  # Django names it
        names = {name: options[name] for name in ("user", "role", "api_key", "deployment", "kind", "question")}
        if names["question"] and any(names[name] for name in names if name != "question"):
            raise CommandError("--question asks about everyone: leave --user, --role, --api-key and --deployment out.")
        try:
            asked = asking.understand(asking.Ask(**names, at=moment(at) if at else None))
        except (source.UnansweredError, UndecryptableError) as error:
            raise CommandError(str(error)) from error
        form = rows.FORMS[format]
        if output is not None:
            _save(Path(output), asked.file(form))
        else:
            try:
                for chunk in asked.file(form) if format == "json" else _bare(asked):
                    self.stdout.write(chunk.decode(), ending="")
            except BrokenPipeError:  # whoever reads has had enough, as `head` has
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        for name, value in asked.about.items():
            self.stderr.write(f"{name}: {value}", self.style.NOTICE)
        if asked.remark:
            self.stderr.write(asked.remark)


def _bare(asked: asking.Asked) -> Iterator[bytes]:
    """The table alone, for a pipe: what reads CSV there takes a closing remark for a row."""
    yield rows.CSV.head(asked.about, asked.columns)
    for block, _ in asked.blocks(rows.CSV):
        yield block


def _save(path: Path, chunks: Iterator[bytes]) -> None:
    """Write beside it first, so that a cut answer never stands under the name that was asked for."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.writelines(chunks)
        part.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}. Nothing is there.") from error


def moment(text: str) -> datetime:
    """A day means its end, or now on the day itself. Raises CommandError for what is no time."""
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC) if day else parse_datetime(text)
        if day == timezone.now().date():
            found = timezone.now()
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f'--at "{text}" is no time. Write 2026-03-01 for the end of that day, or 2026-03-01T12:00.')
    return found if found.tzinfo else found.replace(tzinfo=UTC)
