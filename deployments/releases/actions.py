"""The only writers of releases."""

from __future__ import annotations

from django.utils import timezone

from deployments import actions, exports
from deployments.releases import acts, reading
from deployments.releases.models import Release
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.secrets import encrypt


class ReleaseRefusedError(Exception):
    """Nothing was released. The text says why and what to do."""


class StaleReviewError(ReleaseRefusedError):
    """The draft, the pool or the last release has changed since the review was shown."""


class NoteMissingError(ReleaseRefusedError):
    """A release without a note says nothing to whoever reads history."""


def target(release: Release) -> Target:
    return Target("release", str(release.number), str(release))


def release(*, note: str, by: Actor, seen: str, typed: str | None = None) -> Release:
    """Make the draft the next numbered release.

    `seen` is the fingerprint (`str(reading.basis())`) of the review that was read; `typed` the number that
    somebody typed, which risky releases ask for. Raises a ReleaseRefusedError, or exports.RefusedError with
    every error when Core could not use the draft; then nothing was done.
    """
    if not note.strip():
        raise NoteMissingError("Write a note: what changes, and why. It stays with the release.")
    with actions.changing() as draft:
        basis = reading.basis()
        if seen != str(basis):
            raise StaleReviewError(
                "The draft or the pool has changed since this review was shown. Read the new one, then release it."
            )
        export = exports.export()
        made = Release.objects.create(
            number=basis.number + 1,
            created_at=timezone.now(),
            author_id=by.id,
            author_name=by.name,
            note=note.strip(),
            digest=export.digest,
            payload=encrypt(export.data.decode()),
            target_version=str(export.version),
            draft_version=draft.version,
            sync_id=basis.sync_id or None,
        )
        record(
            acts.RELEASED,
            by=by,
            target=target(made),
            after={"number": made.number, "sha256": made.digest, "target_version": made.target_version},
            note=made.note,
        )
        return made


def record_download(*, release: Release, by: Actor) -> None:
    """Note that somebody took a release out, secrets included."""
    record(acts.DOWNLOADED, by=by, target=target(release), after={"sha256": release.digest})
