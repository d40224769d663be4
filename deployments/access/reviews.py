"""What a review is made of and leads to: rows to freeze, removals to carry out, and who would lose by them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployments import draft
from deployments.access.actions import Basis, Frozen
from deployments.access.index import Answer, Index, some_members, union
from deployments.access.models import AccessReview, ReviewRow
from deployments.access.removals import Decided, Detachment, Leaving, Place, Plan, Subject, plan
from deployments.core.load import Deployment as Core
from deployments.document import SECTIONS
from deployments.models import Attachment, Deployment
from roles.models import Membership, User

BATCH = 2_000
NAMED = 20  # who loses, by name


def basis(index: Index) -> Basis:
    """What rows of this index rest on."""
    row = draft.current()
    sync = index.notes["sync"]
    return Basis(row.version, str(index.settings.version), sync_id=int(sync) if sync.isdecimal() else None)


def counts(index: Index, chosen: Sequence[Deployment]) -> list[tuple[Deployment, int, int]]:
    """(deployment, people, API keys) that a review of these would have rows for."""
    found = []
    for row in chosen:
        deployment = _find(index, (row.kind, row.name))
        if deployment is not None:
            keys = sum(1 for _, key in index.keys if index.answer(deployment, set(key.roles)))
            found.append((row, index.listed(deployment).bit_count(), keys))
    return found


def rows_of(index: Index, places: Iterable[Place]) -> Iterator[Frozen]:
    """Whoever is let in to these deployments, place by place: people by user name, then API keys."""
    people: dict[int, tuple[str, str, str]] = {}
    for user in User.objects.filter(enabled=True, gone_at=None).iterator(BATCH):
        people[user.pk] = (user.sub, str(user), user.email)
    for place in places:
        deployment = _find(index, place)
        if deployment is None:
            continue
        for number, answer in index.answers_of_people(deployment):
            pk = index.people.ids[number]
            if pk in people:
                sub, label, email = people[pk]
                yield _frozen(answer, "user", pk, sub, label, email)
        for label, key in index.keys:
            answered = index.answer(deployment, set(key.roles))
            if answered is not None:
                yield _frozen(answered, "key", 0, key.project, label)


def _find(index: Index, place: Place) -> Core | None:
    kind, name = place
    return index.find(name, SECTIONS[kind][-1])


def _frozen(answer: Answer, kind: str, pk: int, subject: str, label: str, detail: str = "") -> Frozen:
    limit = tuple(answer.limit.items()) if answer.state in ("limited", "denied") else ()
    return Frozen(
        answer.kind, answer.deployment.name, answer.via, limit, answer.state, kind, pk, subject, label, detail
    )


@dataclass(frozen=True)
class Loss:
    """Who stops reaching a deployment when a role is detached: of those marked, and others besides.

    `named` are the first of the others. `closes`: it was the last role, so that nobody reaches it any more.
    """

    marked: int
    others: int
    named: tuple[str, ...]
    closes: bool

    @property
    def total(self) -> int:
        return self.marked + self.others


def losses(index: Index, deployment: Deployment, role: str, marked: Collection[Subject]) -> Loss:
    """By the draft and the groups of today. One query."""
    core = _find(index, (deployment.kind, deployment.name))
    if core is None or core.user_roles is None or role not in core.user_roles:
        return Loss(0, 0, (), closes=False)
    rest = core.user_roles - {role}
    holding = index.people.holding
    lost = holding.get(role, 0) & ~union(holding[name] for name in rest if name in holding)
    keys = {("key", label) for label, key in index.keys if role in key.roles and rest.isdisjoint(key.roles)}
    plane = bytearray((len(index.people.ids) + 7) // 8)
    for kind, subject in marked:
        number = index.people.number_of.get(int(subject)) if kind == "user" else None
        if number is not None:
            plane[number >> 3] |= 1 << (number & 7)
    others = lost & ~int.from_bytes(plane, "little")
    other_keys = keys.difference(marked)
    first = [index.people.ids[number] for number in some_members(others, 0, NAMED)]
    named = [str(user) for user in User.objects.filter(pk__in=first).order_by("username")]
    named += [f"API key of {label}" for _, label in sorted(other_keys)]
    other_count = others.bit_count() + len(other_keys)
    total = lost.bit_count() + len(keys)
    return Loss(total - other_count, other_count, tuple(named[:NAMED]), closes=not rest)


def removals_of(review: AccessReview) -> Plan:
    """The plan of a review, from its frozen rows. Two queries."""
    answers = {answer.pk: answer for answer in review.answers.all()}
    rows = review.rows.values_list("answer_id", "subject_kind", "subject_id", "label", "decision")
    return plan(
        Decided(
            place=(answers[answer].kind, answers[answer].deployment),
            subject=(kind, str(pk) if kind == ReviewRow.Subject.USER else label),
            label=label,
            via=tuple(answers[answer].via),
            remove=decision == ReviewRow.Decision.REMOVE,
        )
        for answer, kind, pk, label, decision in rows.iterator(BATCH)
    )


def still_attached(steps: Iterable[Detachment]) -> Mapping[tuple[str, str, str], int]:
    """(kind, name, role) of what can still be detached -> the id of the deployment. One query."""
    names = {step.place[1] for step in steps}
    return {
        (kind, name, role): pk
        for kind, name, role, pk in Attachment.objects.filter(deployment__name__in=names).values_list(
            "deployment__kind", "deployment__name", "role__name", "deployment_id"
        )
    }


def still_held(review: AccessReview, steps: Iterable[Leaving]) -> Collection[tuple[str, str]]:
    """(role, row of the person) of those who are still in a group that they have to leave. One query."""
    leaving = review.rows.filter(subject_kind=ReviewRow.Subject.USER, decision=ReviewRow.Decision.REMOVE)
    held = Membership.objects.filter(
        until=None,
        user__gone_at=None,
        role__name__in={step.role for step in steps},
        user__in=leaving.values("subject_id"),
    )
    return {(role, str(pk)) for role, pk in held.values_list("role__name", "user_id")}


def names(places: Sequence[Place]) -> str:
    return ", ".join(name for _, name in places)
