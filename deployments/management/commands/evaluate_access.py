"""Who reaches what under some settings files, as JSON; with `--expect`, a test of one's own policy."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from deployments.core.evaluate import differences, evaluate
from deployments.core.text import SettingsError, parse
from deployments.core.versions import DEFAULT, Version


class Command(BaseCommand):
    help = (
        "Print what DIAL Core answers to each principal about each deployment. "
        "Settings that Core refuses are an answer, too: loaded is false. No database is needed."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "files", nargs="*", metavar="FILE", help="settings files in the order in which Core merges them"
        )
        parser.add_argument(
            "--principals",
            required=True,
            metavar="P.json",
            help='JSON list of {"id", "roles"} or {"id", "key"}, or an object with such a list under "principals"',
        )
        parser.add_argument("--core-version", default=str(DEFAULT), metavar="V", help=f"default {DEFAULT}")
        parser.add_argument(
            "--overwrite-arrays", action="store_true", help="as Core with jsonMergeStrategy.overwriteArrays"
        )
        parser.add_argument(
            "--expect", metavar="EXPECTED.json", help="compare with this answer; exit 1 where it differs"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = Version.parse(options["core_version"])
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from None
        principals = _principals(options["principals"])
        answer = _answer(options["files"], principals, version, overwrite_arrays=options["overwrite_arrays"])
        if options["expect"]:
            self.compare(_expected(options["expect"]), answer)
        else:
            self.stdout.write(json.dumps(answer, indent=2))

    def compare(self, expected: dict[str, Any], answer: dict[str, Any]) -> None:
        found = list(differences(expected, answer))
        for difference in found:
            self.stdout.write(difference)
        self.stdout.write(f"{len(found)} differences." if found else "As expected.")
        if found:
            sys.exit(1)


def _answer(
    files: list[str], principals: list[dict[str, Any]], version: Version, *, overwrite_arrays: bool
) -> dict[str, Any]:
    """The answer to a file that cannot be read is Core's: nothing is loaded."""
    try:
        documents = [parse(Path(file).read_bytes(), file) for file in files]
    except OSError as error:
        return {"loaded": False, "error": f"{error.filename}: {error.strerror}"}
    except SettingsError as error:
        return {"loaded": False, "error": str(error)}
    return evaluate(documents, principals, version=version, overwrite_arrays=overwrite_arrays)


def _principals(file: str) -> list[dict[str, Any]]:
    content = _json(file)
    principals = content.get("principals") if isinstance(content, dict) else content
    if not isinstance(principals, list) or not all(isinstance(p, dict) and _is_principal(p) for p in principals):
        raise CommandError(f'{file}: a JSON list of {{"id", "roles"}} or {{"id", "key"}} is needed.', returncode=2)
    return principals


def _is_principal(principal: dict[str, Any]) -> bool:
    if not isinstance(principal.get("id"), str):
        return False
    return isinstance(principal.get("key"), str) or isinstance(principal.get("roles"), list)


def _expected(file: str) -> dict[str, Any]:
    content = _json(file)
    expected = content.get("expected", content) if isinstance(content, dict) else content
    if not isinstance(expected, dict) or "loaded" not in expected or not isinstance(expected.get("results", []), list):
        raise CommandError(f"{file}: an object as this command prints it is needed.", returncode=2)
    return {"results": [], **expected}


def _json(file: str) -> Any:
    try:
        return json.loads(Path(file).read_bytes())
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", returncode=2) from None
    except ValueError:
        raise CommandError(f"{file}: this is not valid JSON.", returncode=2) from None
