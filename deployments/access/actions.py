"""The only writers of access reviews, and the one note of what was asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from deployments import actions as draft_actions
from deployments.access import acts
from deployments.access.models import AccessReview, ReviewAnswer, ReviewRow
from deployments.access.removals import Place
from deployments.models import Deployment
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.redaction import Redaction

BATCH = 2_000
MOST_ROWS = 50_000  # more than people decide, and what is stored within one request
NAMED = 20  # subjects that a history entry names


class ReviewRefusedError(Exception):
    """Nothing was done. The text says why and what to do."""


class RowsChangedError(ReviewRefusedError):
    """The selection holds another number of rows than the page showed."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """One row to be frozen: who, on what, through which roles, with which limit, in which state."""

    kind: str
    deployment: str
    via: tuple[str, ...]
    limit: tuple[tuple[str, int], ...]
    state: str
    subject_kind: str
    subject_id: int
    subject: str
    label: str
    detail: str = ""


@dataclass(frozen=True)
class Basis:
    """What the rows were read from; `release` is None for the draft."""

    draft_version: int
    target_version: str
    release: int | None = None
    sync_id: int | None = None


def target(review: AccessReview) -> Target:
    return Target("review", str(review.pk), review.title)


def open_review(
    *, title: str, deployments: Sequence[Place], rows: Iterable[Frozen], basis: Basis, by: Actor
) -> AccessReview:
    """Freeze the rows as they are now. Raises ReviewRefusedError for none, or for more than MOST_ROWS."""
    title = title.strip()[:200]
    if not title:
        raise ReviewRefusedError("Give the review a title: it stands on the report.")
    with transaction.atomic():
        review = AccessReview.objects.create(
            title=title,
            opened_at=timezone.now(),
            opened_by_id=by.id,
            opened_by=by.name,
            deployments=[list(place) for place in deployments],
            draft_version=basis.draft_version,
            release=basis.release,
            sync_id=basis.sync_id,
            target_version=basis.target_version,
        )
        count = _store(review, rows)
        if not count:
            raise ReviewRefusedError("Nobody reaches these deployments, so there is nothing to review.")
        review.rows_count, review.digest = count, frozen_digest(review)
        review.save(update_fields=["rows_count", "digest"])
        record(
            acts.REVIEW_OPENED,
            by=by,
            target=target(review),
            after={"deployments": [name for _, name in deployments], "rows": count, "sha256": review.digest},
        )
        return review


def _store(review: AccessReview, rows: Iterable[Frozen]) -> int:
    """Write the rows in batches, each distinct answer once; how many rows there were."""
    answers: dict[tuple[object, ...], ReviewAnswer] = {}
    source = iter(rows)
    count = 0
    while batch := list(islice(source, BATCH)):
        count += len(batch)
        if count > MOST_ROWS:
            raise ReviewRefusedError(
                f"These deployments have more than {MOST_ROWS:,} rows: nobody decides that many. Choose fewer "
                "deployments, or leave out those that are open to everyone."
            )
        ReviewRow.objects.bulk_create(
            [
                ReviewRow(
                    review=review,
                    answer=_answer(review, row, answers),
                    subject_kind=row.subject_kind,
                    subject_id=row.subject_id,
                    subject=row.subject,
                    label=row.label,
                    detail=row.detail,
                )
                for row in batch
            ]
        )
    return count


def _answer(review: AccessReview, row: Frozen, known: dict[tuple[object, ...], ReviewAnswer]) -> ReviewAnswer:
    key = (row.kind, row.deployment, row.via, row.limit, row.state)
    if key not in known:
        known[key] = ReviewAnswer.objects.create(
            review=review,
            kind=row.kind,
            deployment=row.deployment,
            via=list(row.via),
            limit=dict(row.limit),
            state=row.state,
        )
    return known[key]


def decide(
    *,
    review: AccessReview,
    rows: QuerySet[ReviewRow],
    decision: str,
    reason: str,
    by: Actor,
    expected: int | None = None,
) -> int:
    """Keep or remove the rows (of this review; others are left alone), or take a decision back; how many.

    Removing needs a reason. `expected`: how many rows the page showed; raises RowsChangedError for another
    number, ReviewRefusedError for a review that is not open.
    """
    reason = reason.strip()[:1000]
    if decision not in ReviewRow.Decision.values:
        raise ReviewRefusedError("Choose keep or remove.")
    if decision == ReviewRow.Decision.REMOVE and not reason:
        raise ReviewRefusedError("Write why access is to be removed: the reason stands in the report.")
    with _open(review) as locked:
        chosen = rows.filter(review=locked)
        count = chosen.count()
        if not count:
            raise ReviewRefusedError("No row is chosen: mark the rows that the decision is about.")
        if expected is not None and expected != count:
            raise RowsChangedError(f"The selection has {count:,} rows now, not {expected:,}. Look at it, then decide.")
        named = [f"{row.label} on {row.answer.deployment}" for row in chosen.select_related("answer")[:NAMED]]
        undecided = decision == ReviewRow.Decision.NONE
        ReviewRow.objects.filter(pk__in=chosen.order_by().values("pk")).update(
            decision=decision,
            reason=reason,
            decided_at=None if undecided else timezone.now(),
            decided_by="" if undecided else by.name,
        )
        record(
            acts.REVIEW_DECIDED,
            by=by,
            target=target(locked),
            after={"decision": decision or "undecided", "rows": count, "first": named},
            note=reason,
        )
        return count


@contextmanager
def _open(review: AccessReview) -> Iterator[AccessReview]:
    """One transaction that holds the review; raises ReviewRefusedError when it is not open any more."""
    with transaction.atomic():
        locked = AccessReview.objects.select_for_update().get(pk=review.pk)
        if locked.state != AccessReview.State.OPEN:
            raise ReviewRefusedError(
                f"This review was {locked.get_state_display().lower()}: its decisions do not change any more."
            )
        yield locked


def close_review(*, review: AccessReview, note: str, by: Actor) -> AccessReview:
    """Sign the review off.

    Raises ReviewRefusedError while a row is undecided, or when the rows are not those that were frozen.
    """
    with _open(review) as locked:
        counts = progress(locked)
        if counts[ReviewRow.Decision.NONE]:
            raise ReviewRefusedError(f"{counts[ReviewRow.Decision.NONE]:,} rows are undecided: decide them first.")
        if frozen_digest(locked) != locked.digest:
            raise ReviewRefusedError(
                "The rows are not those that were frozen: the database was changed behind the product. Restore it "
                "from a backup, or discard this review and open another."
            )
        locked.state, locked.note = AccessReview.State.CLOSED, note.strip()
        locked.closed_at, locked.closed_by_id, locked.closed_by = timezone.now(), by.id, by.name
        locked.report_digest = _digest(locked, _decided_line)
        locked.save()
        record(
            acts.REVIEW_CLOSED,
            by=by,
            target=target(locked),
            after={
                "kept": counts[ReviewRow.Decision.KEEP],
                "removed": counts[ReviewRow.Decision.REMOVE],
                "sha256": locked.report_digest,
            },
            note=locked.note,
        )
        return locked


def discard_review(*, review: AccessReview, by: Actor) -> None:
    """Throw an open review away: its rows go, that it was there stays."""
    with _open(review) as locked:
        counts = progress(locked)
        locked.rows.all().delete()
        locked.answers.all().delete()
        locked.state, locked.closed_at = AccessReview.State.DISCARDED, timezone.now()
        locked.closed_by_id, locked.closed_by = by.id, by.name
        locked.save()
        record(
            acts.REVIEW_DISCARDED,
            by=by,
            target=target(locked),
            before={key or "undecided": n for key, n in counts.items()},
        )


def apply_detachment(*, review: AccessReview, deployment: Deployment, role_name: str, by: Actor) -> bool:
    """Detach a role as the removals of a signed-off review ask for; False when it is detached already."""
    with transaction.atomic():
        if review.state != AccessReview.State.CLOSED:
            raise ReviewRefusedError("Sign the review off first: only then its removals are applied.")
        if not draft_actions.detach_role(deployment=deployment, role_name=role_name, by=by):
            return False
        record(
            acts.REMOVAL_APPLIED,
            by=by,
            target=target(review),
            after={"role": role_name, "deployment": deployment.name, "kind": deployment.kind},
        )
        return True


def record_asked(*, by: Actor) -> None:
    """Note that somebody asked what a pasted credential reaches. Nothing of it is kept."""
    record(acts.ASKED, by=by)


# --- counts and digests ---------------------------------------------------------------------------------


def progress(review: AccessReview) -> dict[str, int]:
    """Decision -> how many rows. One query."""
    found = dict(review.rows.order_by().values_list("decision").annotate(n=Count("pk")))
    return {str(decision): found.get(decision, 0) for decision in ReviewRow.Decision.values}


def frozen_digest(review: AccessReview) -> str:
    """The sha256 of the frozen rows in their order, hexadecimal; decisions play no part."""
    return _digest(review, _frozen_line)


def _digest(review: AccessReview, line: Callable[[ReviewRow], list[object]]) -> str:
    digest = hashlib.sha256()
    for row in review.rows.select_related("answer").order_by("pk").iterator(BATCH):
        digest.update(json.dumps(line(row), ensure_ascii=False, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _frozen_line(row: ReviewRow) -> list[object]:
    answer = row.answer
    subject = [row.subject_kind, row.subject, row.label, row.detail]
    return [answer.kind, answer.deployment, *subject, answer.via, answer.limit, answer.state]


def _decided_line(row: ReviewRow) -> list[object]:
    moment = row.decided_at.isoformat() if row.decided_at else ""
    return [*_frozen_line(row), row.decision, row.reason, moment, row.decided_by]


# --- people who are erased --------------------------------------------------------------------------------


def forget_person(person: Redaction) -> int:
    """Take an erased person out of reviews, as subject and as reviewer.

    The digest of an open review is made anew, so that it can still be signed off. One that is closed keeps the digests
    that were signed: they prove what it said then, and history says why it says something else now.
    """
    rows = person.rows(ReviewRow, "subject", "label", "detail", "reason", "decided_by")
    for review in AccessReview.objects.filter(state=AccessReview.State.OPEN, rows__subject=person.token).distinct():
        AccessReview.objects.filter(pk=review.pk).update(digest=frozen_digest(review))
    reviews = person.rows(AccessReview, "title", "note", "opened_by_id", "opened_by", "closed_by_id", "closed_by")
    return len(rows) + len(reviews)
