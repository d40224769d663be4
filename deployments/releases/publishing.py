"""Bringing a release to a target.

The row of an attempt is committed before the target is touched, and it is the target, read back, that
decides how the attempt ended. So a process that is killed in between leaves a started row, the target
holds the old or the new, and the next look tells which.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone
from django.utils.timesince import timesince

from deployments.releases import actions, process, reading
from deployments.releases.models import Publication, Release
from deployments.releases.targets.interface import Target, TargetError
from dialadmin.history.recorder import Actor

logger = logging.getLogger(__name__)

# Longer than any attempt: its few calls, each with its repetitions and time limits, take about 200 s at worst.
STALE_AFTER = timedelta(minutes=10)

SHOWN = 20

State = Publication.State


class AlreadyPublishingError(Exception):
    """Another process is publishing to the target. Nothing was done; the text says who and since when."""


def publish(*, release: Release, target: Target, by: Actor) -> Publication:
    """Bring a release to a target; the publication that is returned says what came of it, also a failure.

    Where the target holds the release already, nothing is written. Raises AlreadyPublishingError;
    secrets.UndecryptableError or reading.DamagedError when the release itself cannot be read; TargetError
    when an earlier attempt was killed and the target cannot be read to tell how that ended. In all four
    cases nothing was begun.
    """
    data = reading.data(release)
    if settle(target=target, by=by) is not None:
        raise AlreadyPublishingError(_in_progress(target))
    row = _start(release, target, by)
    try:
        state, trouble = _bring(target, data, release.digest)
    except Exception as error:
        logger.exception("publishing release %s to %s failed unexpectedly", release.number, target.name)
        state, trouble = _outcome(
            target, release.digest, f"It failed unexpectedly ({type(error).__name__}). The log has the details."
        )
    actions.finish_publication(publication=row, release=release, state=state, words=trouble, by=by)
    row.refresh_from_db()
    return row


def settle(*, target: Target, by: Actor) -> Publication | None:
    """End what a killed process began on this target, by looking at what the target holds.

    Returns a publication that is still under way, if there is one. Raises TargetError when the target
    cannot be read: then the row stays as it is.
    """
    row = Publication.objects.filter(target=target.name, state=State.STARTED).first()
    if row is None or not is_interrupted(row):
        return row
    release = Release.objects.get(number=row.number)
    if _held(target) == release.digest:
        state, words = State.PUBLISHED, f"Its process was killed, and {target.where} held the release afterwards."
    else:
        state, words = State.FAILED, f"Its process was killed before {target.where} held the release. Publish it again."
    actions.finish_publication(publication=row, release=release, state=state, words=words, by=by)
    return None


def of_release(number: int) -> list[tuple[Publication, bool]]:
    """The last publications of a release, newest first, and whether each was interrupted. One query."""
    return [(row, is_interrupted(row)) for row in Publication.objects.filter(number=number)[:SHOWN]]


def is_interrupted(row: Publication) -> bool:
    """Whether a started publication has no process any more. Reads no target."""
    if row.state != State.STARTED:
        return False
    return process.is_gone(row.process) or row.started_at < timezone.now() - STALE_AFTER


def _start(release: Release, target: Target, by: Actor) -> Publication:
    try:
        return actions.start_publication(release=release, target_name=target.name, process=process.identity(), by=by)
    except IntegrityError as error:
        raise AlreadyPublishingError(_in_progress(target)) from error


def _in_progress(target: Target) -> str:
    other = Publication.objects.filter(target=target.name, state=State.STARTED).first()
    if other is None:
        return f"Somebody else published to {target.name} at the same moment. Look at what it holds, then try again."
    return (
        f"{other.by} began to publish release {other.number} to {target.name} {timesince(other.started_at)} ago and "
        "has not finished. Wait for it, then look at what it did."
    )


def _bring(target: Target, data: bytes, digest: str) -> tuple[State, str]:
    """How it ended, and what to tell people about it."""
    try:
        held = _held(target)
        if held == digest:
            return State.UNCHANGED, ""
        target.write(data, digest)
    except TargetError as error:
        return _outcome(target, digest, str(error))
    state, trouble = _outcome(target, digest, "")
    return state, trouble or _replaced(held)


def _outcome(target: Target, digest: str, trouble: str) -> tuple[State, str]:
    """What the target holds decides: a write whose answer was lost may have arrived all the same."""
    try:
        arrived = _held(target) == digest
    except TargetError as error:
        return State.FAILED, trouble or f"It was written, and could not be read back. {error}"
    if arrived:
        return State.PUBLISHED, ""
    return State.FAILED, trouble or (
        f"{target.where} was written and reads back as something else. Find out who else writes it, then publish again."
    )


def _held(target: Target) -> str | None:
    """The digest of what a target holds; None for nothing."""
    data = target.read()
    return None if data is None else hashlib.sha256(data).hexdigest()


def _replaced(held: str | None) -> str:
    """A word about content that somebody else had put there, so that nobody loses it unawares."""
    if held is None or Release.objects.filter(digest=held).exists():
        return ""
    return f"It replaced content that was no release (sha256 {held[:12]}…), which is kept as the version before."
