"""Reviews: frozen once, decided one by one or together, signed off whole, and what they lead to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.db.models import QuerySet

from deployments.access import actions
from deployments.access.actions import Basis, Frozen, ReviewRefusedError, RowsChangedError
from deployments.access.models import AccessReview, ReviewAnswer, ReviewRow
from deployments.access.removals import Decided, Detachment, Plan, plan
from deployments.models import Deployment
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from tests.deployments.factories import deployment, make_draft

BY = Actor("sub-vera", "Vera")
BASIS = Basis(draft_version=1, target_version="0.37", sync_id=7)


def frozen(number: int, via: tuple[str, ...] = ("analysts",), name: str = "gpt-4o", **more: Any) -> Frozen:
    fields: dict[str, Any] = {
        "kind": "model", "deployment": name, "via": via, "limit": (("minute", 10),), "state": "limited",
        "subject_kind": "user", "subject_id": number, "subject": f"sub-{number}", "label": f"Person {number}",
    }  # fmt: skip
    return Frozen(**{**fields, **more})


def opened(rows: Iterable[Frozen] = (frozen(1), frozen(2), frozen(3, ("engineers",))), **more: Any) -> AccessReview:
    return actions.open_review(
        **{
            "title": "Third quarter",
            "deployments": [("model", "gpt-4o")],
            "rows": rows,
            "basis": BASIS,
            "by": BY,
            **more,
        }
    )


def rows_of(review: AccessReview, *numbers: int) -> QuerySet[ReviewRow]:
    return ReviewRow.objects.filter(review=review, subject_id__in=numbers)


def decide(review: AccessReview, decision: str, *numbers: int, reason: str = "left the project") -> int:
    return actions.decide(review=review, rows=rows_of(review, *numbers), decision=decision, reason=reason, by=BY)


# --- opening ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_opening_freezes_the_rows_compactly_and_notes_their_digest() -> None:
    review = opened(frozen(number) for number in range(5_000))
    assert (review.rows_count, review.state, review.release) == (5_000, "open", None)
    assert ReviewRow.objects.count() == 5_000
    assert ReviewAnswer.objects.get().limit == {"minute": 10}
    entry: Any = Entry.objects.get()
    assert (entry.act, entry.after["rows"], entry.after["sha256"]) == ("review.opened", 5_000, review.digest)


@pytest.mark.django_db
def test_the_same_rows_give_the_same_digest_and_others_another() -> None:
    digests = [opened([frozen(1)]).digest, opened([frozen(1)]).digest, opened([frozen(1, state="denied")]).digest]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.django_db
@pytest.mark.parametrize("more", [{"rows": []}, {"title": "  "}])
def test_a_review_of_nothing_or_without_a_title_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ReviewRefusedError):
        opened(**more)
    assert AccessReview.objects.count() == Entry.objects.count() == 0


@pytest.mark.django_db
def test_too_many_rows_are_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_ROWS", 3)
    monkeypatch.setattr(actions, "BATCH", 2)
    with pytest.raises(ReviewRefusedError, match="Choose fewer"):
        opened(frozen(number) for number in range(4))
    assert ReviewRow.objects.count() == AccessReview.objects.count() == 0


# --- deciding and signing off -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_each_decision_is_counted_dated_and_in_history() -> None:
    review = opened()
    assert decide(review, "keep", 1, reason="") == 1
    assert decide(review, "remove", 2, 3) == 2
    assert actions.progress(review) == {"": 0, "keep": 1, "remove": 2}
    row = rows_of(review, 2).get()
    assert (row.reason, row.decided_by) == ("left the project", "Vera")
    assert row.decided_at is not None
    entry: Any = Entry.objects.first()
    assert entry.sentence == "said remove to 2 rows of Third quarter: left the project"
    assert entry.after["first"] == ["Person 2 on gpt-4o", "Person 3 on gpt-4o"]
    decide(review, "", 2, reason="")
    assert rows_of(review, 2).get().decided_at is None


@pytest.mark.django_db
def test_removing_needs_a_reason_and_rows() -> None:
    review = opened()
    for decision, numbers, reason in (("remove", (1,), " "), ("keep", (), ""), ("both", (1,), "why")):
        with pytest.raises(ReviewRefusedError):
            decide(review, decision, *numbers, reason=reason)
    assert actions.progress(review)[""] == 3


@pytest.mark.django_db
def test_rows_of_another_review_and_a_changed_selection_are_left_alone() -> None:
    review, other = opened(), opened()
    with pytest.raises(ReviewRefusedError):
        actions.decide(review=review, rows=rows_of(other, 1), decision="keep", reason="", by=BY)
    with pytest.raises(RowsChangedError, match="2 rows now, not 3"):
        actions.decide(review=review, rows=rows_of(review, 1, 2), decision="keep", reason="", by=BY, expected=3)


@pytest.mark.django_db
def test_signing_off_wants_every_row_decided_and_then_nothing_changes() -> None:
    review = opened()
    decide(review, "keep", 1, 2)
    with pytest.raises(ReviewRefusedError, match="1 rows are undecided"):
        actions.close_review(review=review, note="", by=BY)
    decide(review, "remove", 3)
    closed = actions.close_review(review=review, note="Done with Ops.", by=BY)
    assert (closed.state, closed.closed_by, len(closed.report_digest)) == ("closed", "Vera", 64)
    entry: Any = Entry.objects.first()
    assert entry.after == {"kept": 2, "removed": 1, "sha256": closed.report_digest}
    for act in (
        lambda: decide(review, "keep", 3),
        lambda: actions.close_review(review=review, note="", by=BY),
        lambda: actions.discard_review(review=review, by=BY),
    ):
        with pytest.raises(ReviewRefusedError, match="signed off"):
            act()


@pytest.mark.django_db
def test_rows_that_were_tampered_with_are_not_signed_off() -> None:
    review = opened([frozen(1)])
    decide(review, "keep", 1)
    ReviewRow.objects.update(label="Somebody else")
    with pytest.raises(ReviewRefusedError, match="not those that were frozen"):
        actions.close_review(review=review, note="", by=BY)


@pytest.mark.django_db
def test_discarding_drops_the_rows_and_keeps_that_it_was_there() -> None:
    review = opened()
    actions.discard_review(review=review, by=BY)
    review.refresh_from_db()
    assert (review.state, review.rows.count(), review.answers.count()) == ("discarded", 0, 0)
    assert [entry.act for entry in Entry.objects.all()] == ["review.discarded", "review.opened"]


# --- removals ---------------------------------------------------------------------------------------------------

M, N = ("model", "m"), ("model", "n")


def row(number: int, via: tuple[str, ...], *, remove: bool, place: tuple[str, str] = M, kind: str = "user") -> Decided:
    return Decided(place, (kind, number), f"Person {number}", via, remove)


def test_a_role_whose_holders_all_go_is_detached() -> None:
    found = plan([row(1, ("a",), remove=True), row(2, ("a",), remove=True), row(3, ("b",), remove=False)])
    assert found == Plan((Detachment(M, "a", (("user", 1), ("user", 2))),), (), (), ())


def test_somebody_leaves_a_group_that_others_need_and_every_way_in_is_closed() -> None:
    found = plan([row(1, ("a", "b"), remove=True), row(2, ("a",), remove=False), row(1, ("a",), remove=True, place=N)])
    assert [(step.role, step.label, step.places) for step in found.people] == [("a", "Person 1", (M,))]
    assert [(step.place, step.role) for step in found.detachments] == [(M, "b"), (N, "a")]


def test_keys_lose_roles_and_open_deployments_are_told_apart() -> None:
    found = plan([
        row(1, ("a",), remove=True, kind="key"), row(2, ("a",), remove=False), row(3, (), remove=True, place=N),
    ])  # fmt: skip
    assert [(step.role, step.subject) for step in found.keys] == [("a", ("key", 1))]
    assert found.open == ((N, 1),)
    assert (found.people, found.detachments) == ((), ())


@pytest.mark.django_db
def test_a_removal_is_applied_once_the_review_is_signed_off() -> None:
    make_draft()
    review = opened([frozen(1)])
    decide(review, "remove", 1)
    gpt = deployment("gpt-4o")
    with pytest.raises(ReviewRefusedError, match="Sign the review off"):
        actions.apply_detachment(review=review, deployment=gpt, role_name="analysts", by=BY)
    closed = actions.close_review(review=review, note="", by=BY)
    assert actions.apply_detachment(review=closed, deployment=gpt, role_name="analysts", by=BY)
    assert not actions.apply_detachment(review=closed, deployment=gpt, role_name="analysts", by=BY)
    assert list(Deployment.objects.get(pk=gpt.pk).roles.values_list("name", flat=True)) == ["engineers"]
    assert [entry.act for entry in Entry.objects.all()[:2]] == ["review.applied", "deployment.role-detached"]
