"""The review of the draft against the last release: what it says, what it asks for, and what it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.core.cache import cache

from deployments import acts as draft_acts
from deployments import draft
from deployments.access import source
from deployments.access.index import Population
from deployments.changes import Change, compare
from deployments.checks import people_of_groups
from deployments.core.check import check
from deployments.core.findings import Finding
from deployments.core.load import UNLIMITED, WINDOWS, load
from deployments.core.versions import Version
from deployments.document import SECTIONS, Parts, join, split
from deployments.models import Deployment
from deployments.releases import acts, reading
from deployments.releases.models import Release
from deployments.releases.review import Line, Review, review, review_edit
from dialadmin.history.models import Entry

_KEPT = 600  # seconds for which this process keeps the last review


@dataclass(frozen=True)
class DraftReview:
    """The draft against the last release (`against` 0: against nothing).

    `review` is None where Core refuses the draft; `errors` say why. `risks` are the sentences for which the
    number of the release has to be typed.
    """

    basis: reading.Basis
    version: str
    review: Review | None
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    risks: tuple[str, ...]
    same_bytes: bool

    @property
    def against(self) -> int:
        return self.basis.number

    @property
    def number(self) -> int:
        """The number that the release would get."""
        return self.basis.number + 1

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def unchanged(self) -> bool:
        """A release would be the last one over again."""
        return self.same_bytes


def draft_review() -> DraftReview:
    """The review of the draft as it stands, computed once per state of the draft, the pool and the releases."""
    basis = reading.basis()
    kept: DraftReview | None = cache.get("releases:review")
    if kept is not None and kept.basis == basis:
        return kept
    made = _review(basis)
    cache.set("releases:review", made, _KEPT)
    return made


def _review(basis: reading.Basis) -> DraftReview:
    last = reading.latest()
    before = reading.document(last) if last else {}
    parts = draft.read()
    after = join(parts)
    version = draft.current().target_version
    told = between(before, last.target_version if last else version, after, version)
    return DraftReview(
        basis=basis,
        version=version,
        review=told,
        changes=tuple(compare(split(before), parts)),
        findings=tuple(check(after, Version.parse(version), people=people_of_groups())),
        risks=tuple(_risks(told)) if told else (),
        same_bytes=last is not None
        and last.target_version == version
        and last.digest == hashlib.sha256(draft.text(draft.current()).encode()).hexdigest(),
    )


def between(
    before: Mapping[str, Any], before_version: str, after: Mapping[str, Any], after_version: str
) -> Review | None:
    """What it means for the people of today that one document becomes another; None where Core refuses one."""
    one = load(before, Version.parse(before_version)).settings
    other = load(after, Version.parse(after_version)).settings
    return None if one is None or other is None else review(one, other, population())


def population() -> Population:
    """The people of today. Counted by the index of the audit, which this process keeps."""
    try:
        return source.current().people
    except source.UnansweredError:  # Core would refuse the draft
        return source.people_now()


def of_parts(parts: Parts) -> Review | None:
    """What it means for the people of today that the draft becomes these parts."""
    version = draft.current().target_version
    return between(draft.document(), version, join(parts), version)


def of_access(deployment: Deployment, roles: tuple[str, ...] | None) -> Line | None:
    """What it means for the people of today that a deployment gets these `userRoles` (None: open to everyone).

    None where nothing changes for anybody, or Core refuses the draft as it is.
    """
    try:
        index = source.current()
    except source.UnansweredError:
        return None
    old = index.find(deployment.name, SECTIONS[deployment.kind][-1])
    if old is None:
        return None
    new = replace(old, user_roles=None if roles is None else frozenset(roles))
    return review_edit(index.settings, index.settings, old, new, index.people)


def of_limit(
    deployment: Deployment, role: str, limit: Mapping[str, int] | None, *, attach: bool = False
) -> Line | None:
    """What it means for the people of today that a role gets this limit on a deployment; None: it loses its own.

    With `attach`, that the role is attached to the deployment, which is restricted, as well. None where nothing
    changes for anybody, or Core refuses the draft as it is.
    """
    try:
        index = source.current()
    except source.UnansweredError:
        return None
    found = index.find(deployment.name, SECTIONS[deployment.kind][-1])
    if found is None:
        return None
    before = index.settings
    own = {name: numbers for name, numbers in before.limits.get(role, {}).items() if name != deployment.name}
    if limit is not None:
        own[deployment.name] = tuple(limit.get(window, UNLIMITED) for window in WINDOWS)
    # Whatever had no limits at all has them once one is written.
    after = replace(before, limits={**before.limits, role: own}, without_limits=before.without_limits - {role})
    new = replace(found, user_roles=(found.user_roles or frozenset()) | {role}) if attach else found
    return review_edit(before, after, found, new, index.people)


def _risks(told: Review) -> list[str]:
    """Why this release asks for its number to be typed."""
    found = []
    if told.opened:
        names = ", ".join(line.name for line in told.opened[:3])
        more = f" and {len(told.opened) - 3} more" if len(told.opened) > 3 else ""
        found.append(f"It opens {names}{more} to everyone.")
    if told.losing_share > settings.RELEASE_REMOVAL_SHARE:
        found.append(
            f"It takes access from {told.losing.bit_count():,} of {told.people:,} people, more than "
            f"{settings.RELEASE_REMOVAL_SHARE:.0%} of them."
        )
    return found


@dataclass(frozen=True)
class Since:
    """What has happened between a review and now, newest first."""

    entries: tuple[Entry, ...]
    more: int
    synced: bool
    regrouped: bool
    released: tuple[Release, ...]


def since(seen: reading.Basis, limit: int = 20) -> Since:
    """What has changed since a review that was made of `seen`. Each act on the draft raised its version by one."""
    now = reading.basis()
    changes = max(0, now.draft_version - seen.draft_version)
    entries = Entry.objects.filter(act__in=draft_acts.ON_DRAFT).order_by("-id")[: min(changes, limit)]
    return Since(
        entries=tuple(entries),
        more=max(0, changes - limit),
        synced=now.sync_id > seen.sync_id,
        regrouped=now.group_change > seen.group_change,
        released=tuple(Release.objects.filter(number__gt=seen.number).defer("payload")[:limit]),
    )


def edits_since_last_release() -> list[tuple[str, str]]:
    """(id, name) of everyone who has changed the draft since the last release. Two queries."""
    last = Entry.objects.filter(act=acts.RELEASED.code).order_by("-id").values_list("pk", flat=True).first()
    edits = Entry.objects.filter(act__in=draft_acts.edits(), pk__gt=last or 0)
    return list(edits.order_by("actor_id").values_list("actor_id", "actor_name").distinct())


def restored_from() -> int | None:
    """The number of the release that the draft was restored from since the last one, whatever was edited after."""
    last = Entry.objects.filter(act=acts.RELEASED.code).order_by("-id").values_list("pk", flat=True).first()
    whole = (acts.RESTORED.code, draft_acts.IMPORTED.code)
    entry = Entry.objects.filter(act__in=whole, pk__gt=last or 0).order_by("-id").first()
    return entry.after["number"] if entry and entry.after and entry.act == acts.RESTORED.code else None
