"""Writing the draft out: judged first, then rendered. The same draft gives the same bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from deployments import draft
from deployments.core.check import check
from deployments.core.findings import Finding
from deployments.core.render import render
from deployments.core.versions import Version


@dataclass(frozen=True)
class Export:
    """The settings document as bytes, with its digest (sha256, hexadecimal)."""

    data: bytes
    digest: str
    version: Version


class RefusedError(Exception):
    """Core would refuse this export, or answer 500: nothing was produced."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__(f"{len(findings)} errors")
        self.findings = findings


def export() -> Export:
    """The draft for its target version; raises RefusedError, with every error, when Core could not use it."""
    document = draft.document()
    version = Version.parse(draft.current().target_version)
    errors = [finding for finding in check(document, version) if finding.severity == "error"]
    if errors:
        raise RefusedError(errors)
    data = render(document).encode()
    return Export(data, hashlib.sha256(data).hexdigest(), version)
