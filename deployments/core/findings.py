"""What the engine reports: a finding says where, what, what it means for people, and how to mend it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Path = tuple[str | int, ...]
Severity = Literal["error", "warning", "note"]

# Operations that a program may carry out on the document to mend a finding:
#   ("set", path, value)       put the value there
#   ("remove", path)           take the key out
#   ("rename", path, new_key)  the key at `path` gets another name and keeps its place
Mend = tuple[Literal["set"], Path, object] | tuple[Literal["remove"], Path] | tuple[Literal["rename"], Path, str]

_PLAIN = re.compile(r"[A-Za-z0-9_$:-]+\Z")
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about a settings document.

    `severity`: error = Core refuses the document or answers 500; warning = access or limits differ from
    what one would think; note = worth knowing. `code` is stable and is an anchor in `docs/checks.md`.
    `path` leads to the place in the document; under `keys` the second step is the position of the API
    key (from 0), never the key itself. No field ever holds a secret.
    `operation` is a mend that is safe and mechanical, or None.
    """

    severity: Severity
    code: str
    path: Path
    message: str
    consequence: str
    mend: str
    operation: Mend | None = None

    @property
    def place(self) -> str:
        """The path for people: `models.gpt-4o.userRoles[2]`; the whole document is the empty text."""
        return display(self.path)

    def as_dict(self) -> dict[str, str]:
        """For JSON output: everything a person reads, as texts."""
        return {
            "severity": self.severity,
            "code": self.code,
            "path": self.place,
            "message": self.message,
            "consequence": self.consequence,
            "mend": self.mend,
        }


# Every code with its severity. Each has a paragraph of the same name in docs/checks.md.
CODES: Mapping[str, Severity] = {
    # Core refuses the file
    "unknown-key": "error",
    "key-of-other-version": "error",
    "value-refused": "error",
    "value-invalid": "error",
    "pattern-refused": "error",
    "price-refused": "error",
    "schema-refused": "error",
    "null-section": "error",
    "null-entry": "error",
    "null-upstreams": "error",
    "reserved-name": "error",
    "duplicate-name": "error",
    "key-without-project": "error",
    "key-without-role": "error",
    # Core loads the file and fails later
    "role-without-limits": "error",
    "null-cost-limit": "error",
    "null-retriable-codes": "error",
    # access differs from what one would think
    "null-user-roles": "warning",
    "base-assistant": "warning",
    "role-spelling": "warning",
    "role-unbacked": "warning",
    "default-role": "warning",
    "admin-group": "warning",
    "shadowed-name": "warning",
    "name-dropped": "warning",
    "section-ignored": "warning",
    "two-spellings": "warning",
    "inner-key": "warning",
    # limits differ from what one would think
    "null-limit": "warning",
    "zero-lifted": "warning",
    "empty-limit": "warning",
    "limit-unknown-deployment": "warning",
    "limit-not-enforced": "warning",
    # worth knowing
    "open-deployment": "note",
    "closed-deployment": "note",
    "no-limit": "note",
    "name-with-slash": "note",
    "shared-name": "note",
    "reserved-id": "note",
    "unknown-reference": "note",
    "key-role-is-group": "note",
    "large-for-secrets-manager": "note",
    "large-for-helm": "note",
    "large-for-kubernetes": "note",
    "helm-template": "note",
}


def report(code: str, path: Path, message: str, consequence: str, mend: str, operation: Mend | None = None) -> Finding:
    """A finding with the severity of its code. Raises KeyError for a code that is not in CODES."""
    return Finding(CODES[code], code, path, message, consequence, mend, operation)


def display(path: Path) -> str:
    """A path in the form that people read: plain names after dots, other names quoted in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.match(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def sort_key(finding: Finding) -> tuple[int, str, str]:
    """Errors first, then by place, so that output is stable."""
    return (SEVERITIES.index(finding.severity), finding.place, finding.code)
