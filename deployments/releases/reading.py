"""Reading releases: their exact bytes, their documents, and what a review of the draft is about."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Self

from django.db.models import Max

from deployments import draft
from deployments.core.text import parse
from deployments.releases.models import Release
from dialadmin.secrets import decrypt
from roles import groups
from roles.models import SyncRun


class DamagedError(ValueError):
    """The stored bytes of a release are not those that its digest was taken of."""


def latest() -> Release | None:
    """The release with the highest number; None before the first. One query."""
    return Release.objects.first()


def by_number(number: int) -> Release | None:
    return Release.objects.filter(number=number).first()


def data(release: Release) -> bytes:
    """The exact bytes of a release, secrets included.

    Raises secrets.UndecryptableError without the key, DamagedError when the bytes do not fit the digest.
    """
    stored = decrypt(release.payload).encode()
    if hashlib.sha256(stored).hexdigest() != release.digest:
        raise DamagedError(
            f"What is stored of release {release.number} does not have its digest {release.digest[:12]}…: the "
            "database was changed behind the product. Restore it from a backup, or release the draft again."
        )
    return stored


def document(release: Release) -> dict[str, Any]:
    """The document of a release, secrets included: never show it, mask it first. Raises as `data` does."""
    result: dict[str, Any] = parse(data(release), f"release {release.number}")
    return result


@dataclass(frozen=True)
class Basis:
    """What a review was made of: the draft, the last applied sync of the pool, the last release, and the last change of
    a group from here (0: none)."""

    draft_version: int
    sync_id: int
    number: int
    group_change: int

    def __str__(self) -> str:
        """The fingerprint of the review, as forms carry it."""
        return f"{self.draft_version}.{self.sync_id}.{self.number}.{self.group_change}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The inverse of `str`; None for what is no fingerprint."""
        match = re.fullmatch(r"\.".join(["([0-9]{1,18})"] * 4), text)
        return cls(*map(int, match.groups())) if match else None


def basis() -> Basis:
    """What a review made now is made of. Four queries."""
    sync = SyncRun.objects.filter(state=SyncRun.State.APPLIED).aggregate(last=Max("pk"))["last"]
    number = Release.objects.aggregate(last=Max("number"))["last"]
    change = groups.changes().aggregate(last=Max("pk"))["last"]
    return Basis(draft.current().version, sync or 0, number or 0, change or 0)
