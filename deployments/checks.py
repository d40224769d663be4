"""The checks of the draft, with what the pool knows joined in."""

from __future__ import annotations

from django.core.cache import cache
from django.db.models import Count, Q, Subquery

from deployments import draft
from deployments.core.check import check
from deployments.core.findings import Finding
from deployments.core.versions import Version
from deployments.models import Draft
from roles import groups
from roles.models import Role, SyncRun


def draft_findings() -> list[Finding]:
    """Every finding of the draft for its target version, errors first.

    Computed once per state of the draft and the pool, and then kept by this process.
    """
    return findings_of(draft.current())


def findings_of(row: Draft) -> list[Finding]:
    """The same, for those who have the draft's row already."""
    key = f"findings:{_state(row)}"
    found: list[Finding] | None = cache.get(key)
    if found is None:
        found = check(draft.document(), Version.parse(row.target_version), people=people_of_groups())
        cache.set(key, found)
    return found


def errors_of(row: Draft) -> list[Finding]:
    """The errors among them, mostly none: kept apart, because they are few and each export asks for them."""
    key = f"errors:{_state(row)}"
    found: list[Finding] | None = cache.get(key)
    if found is None:
        found = [finding for finding in findings_of(row) if finding.severity == "error"]
        cache.set(key, found)
    return found


def _state(row: Draft) -> str:
    """What findings depend on: the draft, the last sync that changed anything, the last group changed. One query."""
    synced, changed = (
        Subquery(found.order_by("-pk").values("pk")[:1])
        for found in (SyncRun.objects.filter(state=SyncRun.State.APPLIED), groups.changes())
    )
    return ":".join(map(str, (row.version, *Draft.objects.values_list(synced, changed).get(pk=row.pk))))


def people_of_groups() -> dict[str, int] | None:
    """Group of the pool -> how many people hold it today; None before the first sync. One query."""
    present = Role.objects.filter(pool=Role.Pool.PRESENT).annotate(
        people=Count(
            "memberships",
            filter=Q(
                memberships__until__isnull=True,
                memberships__user__enabled=True,
                memberships__user__gone_at__isnull=True,
            ),
        )
    )
    return dict(present.values_list("name", "people")) or None
