"""The checks of the draft, with what the pool knows joined in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.core.check import check
from deployments.core.findings import Finding
from deployments.core.versions import Version


def draft_findings(document: Mapping[str, Any], version: Version) -> list[Finding]:
    """Every finding of the draft, errors first."""
    return check(document, version)
