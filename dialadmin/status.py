"""How fresh the two sides are: one line on every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from deployments.models import Draft
from deployments.releases.models import Release
from roles.models import SyncRun
from roles.sync import GOOD


@dataclass(frozen=True)
class Status:
    """The last good reading of the pool, whether a later one failed, and the release that the draft follows."""

    read_at: datetime | None = None
    sync: int | None = None  # the number of the newest finished sync
    trouble: str = ""  # its state, when it is not a good one
    release: int | None = None
    released_at: datetime | None = None
    ahead: bool = False  # the draft has changed since the release

    @property
    def old(self) -> bool:
        """Whether the pool was read longer ago than it should be."""
        return self.read_at is not None and timezone.now() - self.read_at > timedelta(hours=settings.SYNC_MAX_AGE)


def status() -> Status:
    """Three queries by index, four when the newest sync is not a good one."""
    ended = SyncRun.objects.exclude(state__in=(SyncRun.State.RUNNING, SyncRun.State.PREVIEW))
    newest = ended.values_list("pk", "state", "finished_at").first()
    good = newest is None or newest[1] in GOOD
    last_good = newest if good else ended.filter(state__in=GOOD).values_list("pk", "state", "finished_at").first()
    release = Release.objects.values_list("number", "created_at", "draft_version").first()
    version = Draft.objects.values_list("version", flat=True).first() or 0
    return Status(
        read_at=last_good[2] if last_good else None,
        sync=newest[0] if newest else None,
        trouble="" if newest is None or good else newest[1],
        release=release[0] if release else None,
        released_at=release[1] if release else None,
        ahead=release is not None and version != release[2],
    )
