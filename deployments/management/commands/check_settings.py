"""Findings on settings files, for people or for a pipeline."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments.core.check import check
from deployments.core.findings import SEVERITIES, Finding
from deployments.core.merge import merge
from deployments.core.text import SettingsError, parse
from deployments.core.versions import DEFAULT, Version


class Command(BaseCommand):
    help = (
        "Check settings files as DIAL Core would read them. Exits 1 where Core would refuse them, or answer 500. "
        "No database is needed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help="settings files in the order in which Core merges them"
        )
        parser.add_argument("--core-version", default=str(DEFAULT), metavar="V", help=f"default {DEFAULT}")
        parser.add_argument(
            "--overwrite-arrays", action="store_true", help="as Core with jsonMergeStrategy.overwriteArrays"
        )
        parser.add_argument("--format", choices=("text", "json"), default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = Version.parse(options["core_version"])
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from None
        try:
            documents = [parse(Path(file).read_bytes(), file) for file in options["files"]]
        except OSError as error:
            self.unreadable(options["format"], f"{error.filename}: {error.strerror}. Core does not start without it.")
        except SettingsError as error:
            self.unreadable(options["format"], str(error))
        else:
            findings = check(merge(documents, overwrite_arrays=options["overwrite_arrays"]), version)
            self.print(options["format"], version, findings)
            if any(finding.severity == "error" for finding in findings):
                sys.exit(1)

    def unreadable(self, form: str, message: str) -> None:
        """A file that Core does not read: there is nothing to check."""
        if form == "json":
            self.stdout.write(json.dumps({"error": message, "findings": []}, indent=2))
        else:
            self.stdout.write(message)
        sys.exit(1)

    def print(self, form: str, version: Version, findings: list[Finding]) -> None:
        if form == "json":
            content = {"core_version": str(version), "findings": [finding.as_dict() for finding in findings]}
            self.stdout.write(json.dumps(content, indent=2))
            return
        for finding in findings:
            self.stdout.write(_printable(f"{finding.severity}: {finding.place or 'the file'}  [{finding.code}]"))
            for line in (finding.message, finding.consequence, finding.mend):
                self.stdout.write(_printable(f"    {line}"))
        number = Counter(finding.severity for finding in findings)
        summary = ", ".join(f"{number[severity]} {severity}s" for severity in SEVERITIES)
        self.stdout.write(f"Core {version}: {summary}.")


def _printable(line: str) -> str:
    """Names may hold half a character of UTF-16, which no terminal can write."""
    return line.encode("utf-8", "replace").decode()
