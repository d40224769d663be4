"""The checks of the draft, with what the pool knows joined in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q

from deployments.core.check import check
from deployments.core.findings import Finding
from deployments.core.versions import Version
from roles.models import Role


def people_of_groups() -> dict[str, int] | None:
    """Group of the pool -> how many people hold it today; None before the first sync. One query."""
    groups = Role.objects.filter(pool=Role.Pool.PRESENT).annotate(
        people=Count(
            "memberships",
            filter=Q(
                memberships__until__isnull=True,
                memberships__user__enabled=True,
                memberships__user__gone_at__isnull=True,
            ),
        )
    )
    return dict(groups.values_list("name", "people")) or None


def draft_findings(document: Mapping[str, Any], version: Version) -> list[Finding]:
    """Every finding of the draft, errors first."""
    return check(document, version, people=people_of_groups())
