"""The only writers of releases, publications and proofs."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from deployments import actions, draft, exports
from deployments.changes import compare, summary
from deployments.document import split
from deployments.releases import acts, drafts, reading
from deployments.releases.models import Proof, Publication, Release
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.redaction import Redaction
from dialadmin.secrets import encrypt, rotate


class ReleaseRefusedError(Exception):
    """Nothing was released. The text says why and what to do."""


class StaleReviewError(ReleaseRefusedError):
    """The draft, the pool or the last release has changed since the review was shown."""


class UnchangedError(ReleaseRefusedError):
    """The release would be the last one over again."""


class FourEyesError(ReleaseRefusedError):
    """FOUR_EYES is set, and the releaser alone has edited the draft since the last release."""


class NumberNotTypedError(ReleaseRefusedError):
    """The release opens something to everyone, or takes access from many, and its number was not typed."""


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
    with actions.changing() as row:
        basis = reading.basis()
        if seen != str(basis):
            raise StaleReviewError(
                "The draft or the pool has changed since this review was shown. Read the new one, then release it."
            )
        if alone(by):
            raise FourEyesError(
                "You alone have edited the draft since the last release, and FOUR_EYES asks for two people. "
                "Ask another publisher to read the review and release it."
            )
        export = exports.export()
        told = drafts.draft_review()
        if told.unchanged:
            raise UnchangedError(f"The draft is what release {told.against} says already: there is nothing to release.")
        if told.risks and (typed or "").strip() != str(told.number):
            raise NumberNotTypedError(
                f"{' '.join(told.risks)} Type {told.number}, the number of the new release, to say that this is meant."
            )
        made = Release.objects.create(
            number=basis.number + 1,
            created_at=timezone.now(),
            author_id=by.id,
            author_name=by.name,
            note=note.strip(),
            digest=export.digest,
            payload=encrypt(export.data.decode()),
            target_version=str(export.version),
            draft_version=row.version,
            sync_id=basis.sync_id or None,
            restored_from=drafts.restored_from(),
        )
        record(
            acts.RELEASED,
            by=by,
            target=target(made),
            after={
                "number": made.number,
                "sha256": made.digest,
                "target_version": made.target_version,
                **({"restored_from": made.restored_from} if made.restored_from else {}),
            },
            note=made.note,
        )
        return made


def alone(by: Actor) -> bool:
    """Whether FOUR_EYES keeps this person from releasing: nobody else has edited since the last release.

    Commands are nobody: whoever may start one could be the same person.
    """
    if not settings.FOUR_EYES:
        return False
    return {who for who, _ in drafts.edits_since_last_release() if not who.startswith("command:")} == {by.id}


def restore(*, release: Release, by: Actor, version: int) -> bool:
    """Make the draft what a release says; False when it says so already. Release it then as a new number.

    `version` is the draft's, as the review showed it; raises actions.ConflictError when the draft has moved on.
    The target version stays: it tells which Core runs, not what was released.
    """
    parts = split(reading.document(release))
    changes = compare(draft.read(), parts)
    if not changes:
        return False
    actions.replace_draft(
        parts=parts,
        by=by,
        note=release.note,
        summary={"number": release.number, "sha256": release.digest, **summary(changes)},
        version=version,
        act=acts.RESTORED,
    )
    return True


def record_download(*, release: Release, by: Actor) -> None:
    """Note that somebody took a release out, secrets included."""
    record(acts.DOWNLOADED, by=by, target=target(release), after={"sha256": release.digest})


def rotate_payloads(*, by: Actor) -> int:
    """Encrypt the bytes of every release anew with the first key; the number of releases.

    The bytes stay what they are: only how they are kept changes. Raises secrets.UndecryptableError, having
    changed nothing, when one has no key.
    """
    with transaction.atomic():
        count = 0
        for pk, payload in Release.objects.values_list("pk", "payload").iterator(20):
            # The one update that a release allows, past its own refusal.
            count += QuerySet.update(Release.objects.filter(pk=pk), payload=rotate(payload))
        if count:
            record(acts.PAYLOADS_ROTATED, by=by, after={"rows": count})
        return count


def forget_person(person: Redaction) -> int:
    """Take an erased person out of releases and publications, as author and in notes. The exported bytes stay."""
    releases = person.rows(Release, "author_id", "author_name", "note")
    return len(releases) + len(person.rows(Publication, "by", "error")) + len(person.rows(Proof, "by", "detail"))


# --- Publications and proofs -----------------------------------------------------------------------

ENDS = {
    Publication.State.PUBLISHED: acts.PUBLISHED,
    Publication.State.UNCHANGED: acts.PUBLISH_UNCHANGED,
    Publication.State.FAILED: acts.PUBLISH_FAILED,
}


def start_publication(*, release: Release, target_name: str, process: str, by: Actor) -> Publication:
    """Say, for every other process to see, that a target is about to be written.

    Raises IntegrityError while another publication to the target is started: the row is the lock.
    """
    with transaction.atomic(durable=True):
        row = Publication.objects.create(number=release.number, target=target_name, by=by.name[:255], process=process)
        record(acts.PUBLISH_STARTED, by=by, target=target(release), after=_facts(release, target_name))
        return row


def finish_publication(
    *, publication: Publication, release: Release, state: Publication.State, words: str, by: Actor
) -> None:
    """End a started publication, unless another process took it for dead and ended it before."""
    with transaction.atomic(durable=True):
        ended = Publication.objects.filter(pk=publication.pk, state=Publication.State.STARTED).update(
            state=state, error=words, finished_at=timezone.now()
        )
        if ended:
            note = words or f"sha256 {release.digest[:12]}…"
            record(ENDS[state], by=by, target=target(release), after=_facts(release, publication.target), note=note)


def _facts(release: Release, target_name: str) -> dict[str, object]:
    return {"number": release.number, "to": target_name, "sha256": release.digest}


def record_proof(
    *,
    place: str,
    state: str,
    number: int | None,
    expected: int | None,
    detail: str,
    differences: Sequence[str],
    by: Actor,
) -> Proof:
    """Keep what was found at a place. History gets an entry when it is something else than the last time."""
    facts = {"state": state, "number": number, "expected": expected}
    with transaction.atomic():
        before = Proof.objects.select_for_update().filter(place=place).first()
        proof, _ = Proof.objects.update_or_create(
            place=place,
            defaults={
                **facts,
                "detail": detail,
                "differences": list(differences),
                "checked_at": timezone.now(),
                "by": by.name[:255],
            },
        )
        old = {fact: getattr(before, fact) for fact in facts} if before else None
        if old != facts:
            note = f"{proof.get_state_display().lower()}. {detail}".rstrip(". ") + "."
            record(acts.PROVED, by=by, target=Target("target", place, place), before=old, after=facts, note=note)
        return proof
