"""Writing the draft out: judged first, then rendered. The same draft gives the same bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from deployments import draft
from deployments.checks import errors_of
from deployments.core.findings import Finding
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
    """The draft for its target version; raises RefusedError, with every error, when Core could not use it.

    Eight queries at any size, once the draft is judged: the verdict is that of the checks, which this process
    keeps per state of the draft and the pool.
    """
    row = draft.current()
    errors = errors_of(row)
    if errors:
        raise RefusedError(errors)
    data = draft.text(row).encode()
    if draft.current().version != row.version:  # what was judged is not what was written: somebody was faster
        return export()
    return Export(data, hashlib.sha256(data).hexdigest(), Version.parse(row.target_version))
