"""Reviews: frozen once, decided one by one or together, signed off whole, and what they lead to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deployments.access import actions, source
from deployments.access.actions import Frozen, ReviewRefusedError, RowsChangedError
from deployments.access.models import AccessReview, ReviewAnswer, ReviewRow
from deployments.access.removals import Decided, Detachment, Plan, plan
from deployments.models import Deployment
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from roles.models import Membership, Role
from tests.access.factories import BASIS, BY, frozen
from tests.deployments.factories import deployment, make_draft, make_user


def opened(rows: Iterable[Frozen] = (frozen(1), frozen(2), frozen(3, ("engineers",))), **more: Any) -> AccessReview:
    given = {"title": "Third quarter", "deployments": [("model", "gpt-4o")], "rows": rows, "basis": BASIS, "by": BY}
    return actions.open_review(**{**given, **more})


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
    assert entry.sentence == "decided remove on 2 of Third quarter: left the project"
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
    return Decided(place, (kind, str(number)), f"Person {number}", via, remove)


def test_a_role_whose_holders_all_go_is_detached() -> None:
    found = plan([row(1, ("a",), remove=True), row(2, ("a",), remove=True), row(3, ("b",), remove=False)])
    assert found == Plan((Detachment(M, "a", (("user", "1"), ("user", "2"))),), (), (), ())


def test_somebody_leaves_a_group_that_others_need_and_every_way_in_is_closed() -> None:
    found = plan([row(1, ("a", "b"), remove=True), row(2, ("a",), remove=False), row(1, ("a",), remove=True, place=N)])
    assert [(step.role, step.label, step.places) for step in found.people] == [("a", "Person 1", (M,))]
    assert [(step.place, step.role) for step in found.detachments] == [(M, "b"), (N, "a")]


def test_keys_lose_roles_and_open_deployments_are_told_apart() -> None:
    found = plan([
        row(1, ("a",), remove=True, kind="key"), row(2, ("a",), remove=False), row(3, (), remove=True, place=N),
    ])  # fmt: skip
    assert [(step.role, step.subject) for step in found.keys] == [("a", ("key", "1"))]
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


# --- the pages ----------------------------------------------------------------------------------------------------

REVIEWS = "/access/reviews/"


@pytest.fixture
def people(db: None) -> None:
    make_draft()
    make_user("grace", "analysts", "engineers")
    make_user("hugo", "analysts")
    make_user("ida", "engineers")
    make_user("gone", "analysts", enabled=False)


@pytest.fixture
def auditor(client_of: Callable[[Staff], Client], vera: Staff, people: None) -> Client:
    return client_of(vera)


def open_one(client: Client, *names: str) -> AccessReview:
    """Through the pages: choose, count, open."""
    ids = [deployment(name).pk for name in names]
    asked = {"title": "Quarter", "deployment": ids, "step": "count"}
    page = client.post(f"{REVIEWS}new/", asked).content.decode()
    total = re.search(r'name="confirmed" value="(\d+)"', page)
    assert total is not None
    response = client.post(f"{REVIEWS}new/", {**asked, "step": "open", "confirmed": total[1]})
    assert response.status_code == 302, response.content.decode()
    review = AccessReview.objects.first()
    assert review is not None
    return review


def test_the_rows_are_counted_before_they_are_frozen(auditor: Client) -> None:
    gpt = deployment("gpt-4o")
    page = auditor.post(f"{REVIEWS}new/", {"title": "Q", "deployment": [gpt.pk], "step": "count"}).content.decode()
    assert "Open the review of 3 rows" in page
    assert AccessReview.objects.count() == 0
    make_user("late", "analysts")
    source.forget()
    again = auditor.post(f"{REVIEWS}new/", {"title": "Q", "deployment": [gpt.pk], "step": "open", "confirmed": "3"})
    assert "Open the review of 4 rows" in again.content.decode()


@pytest.mark.parametrize(("given", "words"), [({"title": "Q"}, "Choose at least one"), ({"deployment": "1"}, "title")])
def test_what_lacks_for_a_review_is_said(given: dict[str, str], words: str, auditor: Client) -> None:
    if "deployment" in given:
        given = {"deployment": str(deployment("gpt-4o").pk)}
    response = auditor.post(f"{REVIEWS}new/", {**given, "step": "count"})
    assert response.status_code == 400
    assert words in response.content.decode()


def test_the_search_keeps_what_is_chosen(auditor: Client) -> None:
    gpt = deployment("gpt-4o")
    page = auditor.post(f"{REVIEWS}new/", {"deployment": [gpt.pk], "q": "search", "step": "search"}).content.decode()
    assert f'value="{gpt.pk}" checked' in page
    assert "embeddings" not in page


def test_rows_hold_people_and_api_keys_as_core_answers(auditor: Client) -> None:
    review = open_one(auditor, "gpt-4o", "gpt-4o-mini")
    found = {(row.label, row.answer.deployment): row.answer for row in review.rows.select_related("answer")}
    assert set(found) == {
        *((name, "gpt-4o") for name in ("Grace", "Hugo", "Ida")),
        *((name, "gpt-4o-mini") for name in ("Grace", "Hugo", "Ida", "reporting")),
    }
    assert found["Grace", "gpt-4o"].via == ["analysts", "engineers"]
    assert (found["Grace", "gpt-4o"].state, found["Grace", "gpt-4o"].limit) == ("unlimited", {})
    assert found["Hugo", "gpt-4o"].limit == {"minute": 100000}
    assert (found["reporting", "gpt-4o-mini"].via, found["reporting", "gpt-4o-mini"].limit) == ([], {"minute": 2000})


def test_marked_rows_and_all_that_match_are_decided(auditor: Client) -> None:
    review = open_one(auditor, "gpt-4o")
    url = f"{REVIEWS}{review.pk}/decide/"
    hugo = review.rows.get(label="Hugo")
    response = auditor.post(url, {"row": [hugo.pk], "decision": "remove", "reason": "left", "query": "q=hu"})
    assert response.headers["Location"] == f"{REVIEWS}{review.pk}/?q=hu"
    auditor.post(url, {"scope": "all", "decision": "keep", "query": "decision=undecided", "expected": "2"})
    assert actions.progress(review) == {"": 0, "keep": 2, "remove": 1}
    page = auditor.post(url, {"scope": "all", "decision": "keep", "query": "", "expected": "9"}, follow=True)
    assert "3 rows now, not 9" in page.content.decode()
    page = auditor.post(url, {"row": [hugo.pk], "decision": "remove"}, follow=True)
    assert "Write why access is to be removed" in page.content.decode()


def test_a_review_is_signed_off_reported_and_its_removals_planned(
    auditor: Client, client_of: Callable[[Staff], Client], edit: Staff
) -> None:
    review = open_one(auditor, "gpt-4o")
    page = auditor.get(f"{REVIEWS}{review.pk}/").content.decode()
    assert "0 of 3 decided" in page
    assert auditor.get(f"{REVIEWS}{review.pk}/report/").status_code == 404
    url = f"{REVIEWS}{review.pk}/decide/"
    auditor.post(url, {"scope": "all", "decision": "keep", "query": ""})
    marked = review.rows.filter(label__in=("Grace", "Ida")).values_list("pk", flat=True)
    auditor.post(url, {"row": list(marked), "decision": "remove", "reason": "=cmd|x"})
    report = auditor.post(f"{REVIEWS}{review.pk}/close/", {"note": "Seen by Ops."}, follow=True).content.decode()
    review.refresh_from_db()
    assert review.report_digest in report
    assert "1 kept, 2 to be removed" in report
    csv = b"".join(auditor.get(f"{REVIEWS}{review.pk}/report.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert csv.count("\r\n") == 1 + 3 + 5
    assert "'=cmd|x" in csv
    assert review.report_digest in csv.splitlines()[-1]

    plan_page = auditor.get(f"{REVIEWS}{review.pk}/removals/").content.decode()
    assert "Take" in plan_page
    assert "An editor applies it." in plan_page
    gpt = deployment("gpt-4o")
    apply = f"{REVIEWS}{review.pk}/removals/apply/"
    asked: dict[str, str] = {"deployment": str(gpt.pk), "role": "engineers"}
    assert auditor.get(apply, asked).status_code == 403
    editor = client_of(edit)
    make_user("late", "engineers")
    source.forget()
    confirm = editor.get(apply, asked).content.decode()
    assert "1 other would lose it too" in confirm
    assert "Late" in confirm
    assert editor.post(apply, asked).status_code == 200  # nothing is applied before the numbers were seen
    assert gpt.roles.filter(name="engineers").exists()
    done = editor.post(apply, {**asked, "confirmed": "2"}, follow=True).content.decode()
    assert "engineers is detached from gpt-4o" in done
    assert "Done" in done
    assert editor.get(apply, {**asked, "role": "analysts"}).status_code == 404
    assert not gpt.roles.filter(name="engineers").exists()


def test_a_removal_leads_to_the_group_where_groups_are_managed(
    auditor: Client, client_of: Callable[[Staff], Client], edit: Staff, settings: Any
) -> None:
    review = open_one(auditor, "gpt-4o")
    url = f"{REVIEWS}{review.pk}/decide/"
    auditor.post(url, {"scope": "all", "decision": "keep", "query": ""})
    grace = review.rows.get(label="Grace")
    auditor.post(url, {"row": [grace.pk], "decision": "remove", "reason": "left the team"})
    auditor.post(f"{REVIEWS}{review.pk}/close/")
    removals = f"{REVIEWS}{review.pk}/removals/"
    assert "members/remove" not in client_of(edit).get(removals).content.decode()
    settings.MANAGE_GROUPS = True
    assert "members/remove" not in auditor.get(removals).content.decode()
    page = client_of(edit).get(removals).content.decode()
    role = Role.objects.get(name="analysts")
    assert f"{reverse('groups:remove')}?role={role.pk}&amp;user={grace.subject_id}" in page
    assert "Done" not in page
    Membership.objects.filter(role=role, user=grace.subject_id).update(until=timezone.now())
    page = client_of(edit).get(removals).content.decode()
    assert f"?role={role.pk}&amp;" not in page
    assert "Done" in page


def test_a_review_is_discarded_after_a_question(auditor: Client) -> None:
    review = open_one(auditor, "gpt-4o")
    url = f"{REVIEWS}{review.pk}/discard/"
    assert "Discard Quarter?" in auditor.get(url).content.decode()
    auditor.post(url)
    assert "Discarded" in auditor.get(REVIEWS).content.decode()
    assert auditor.get(f"{REVIEWS}{review.pk}/").status_code == 200


def test_the_pages_of_a_review_cost_the_same_for_any_number_of_rows(
    auditor: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        make_user(f"user{number}", "analysts")
    review = open_one(auditor, "gpt-4o")
    with django_assert_max_num_queries(18):
        assert auditor.get(f"{REVIEWS}{review.pk}/").status_code == 200
    with django_assert_max_num_queries(26):
        auditor.post(f"{REVIEWS}new/", {"title": "Q", "deployment": [deployment("gpt-4o").pk], "step": "count"})
    auditor.post(f"{REVIEWS}{review.pk}/decide/", {"scope": "all", "decision": "keep", "query": ""})
    auditor.post(f"{REVIEWS}{review.pk}/close/")
    for page in ("report/", "removals/"):
        with django_assert_max_num_queries(15):
            assert auditor.get(f"{REVIEWS}{review.pk}/{page}").status_code == 200
