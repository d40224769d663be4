"""Erasing somebody who has gone: their data is nowhere any more, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deployments.access import actions as reviews
from deployments.access.models import AccessReview, ReviewAnswer, ReviewRow
from deployments.releases.models import Release
from dialadmin.accounts.actions import lose_groups
from dialadmin.accounts.models import ApiToken, Staff
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.redaction import Redaction
from dialadmin.history.registry import Act
from dialadmin.search import index
from dialadmin.search.models import Cut, Item, Word
from roles import actions, acts
from roles.models import Membership, SyncRun, User
from roles.reading import RemoteUser
from tests.roles.test_sync import BY, remote, run

pytestmark = pytest.mark.django_db
ACT = Act("test.done", "Done", "did {note}")
NAMES = ("sub-5", "grace", "Grace Okafor", "grace.okafor@example.com", "g.miller@example.com", "Grace Miller")
LEFT = "left of her own accord"


@pytest.fixture
def grace() -> User:
    """Somebody who was renamed, worked here as a publisher, appears all over, and has gone from the pool."""
    pool = remote(9, analysts="0156", engineers="5")
    pool.users["sub-5"] = RemoteUser("sub-5", "grace", "g.miller@example.com", "Grace Miller")
    run(pool)
    pool.users["sub-5"] = RemoteUser("sub-5", "grace", "grace.okafor@example.com", "Grace Okafor")
    run(pool)
    staff = Staff.objects.create(
        sub="sub-5", username="grace", email="grace.okafor@example.com", name="Grace Okafor", level="publisher",
        groups=["dial-publishers"],
    )  # fmt: skip
    by = Actor.staff(staff)
    record(ACT, by=by, target=Target("staff", "sub-5", "Grace Okafor"), after={"email": "grace.okafor@example.com"})
    record(ACT, by=by, note="gave grace what Grace Miller had", after={"people": ["Grace Okafor", "User 1"]})
    record(ACT, by=BY, note="asked by grace.okafor@example.com; Grace Okafor, and nobody else", before={"sub-5": 1})
    record(ACT, by=Actor("sub-1", "User 1"), note="thanked for the grace period")
    ApiToken.objects.create(
        name="of Grace Okafor", prefix="x", digest="x", created_by="Grace Okafor", expires_at=timezone.now()
    )
    Release.objects.create(
        number=1, created_at=timezone.now(), author_id="sub-5", author_name="Grace Okafor", note="by grace", digest="d",
        payload="p", target_version="0.46.0", draft_version=1,
    )  # fmt: skip
    del pool.users["sub-5"]
    left = run(replace(pool, members={"analysts": frozenset({"sub-0", "sub-1", "sub-6"})}), allow_removals=True)
    assert left.state == "applied"
    SyncRun.objects.filter(pk=left.pk).update(by="Grace Okafor", order={"by": "sub-5", "note": "grace"})
    return User.objects.get(sub="sub-5")


def everything() -> str:
    """Every text of every table, as one."""
    texts: list[str] = []
    for model in apps.get_models():
        if model._meta.app_label in ("search", "contenttypes", "sessions", "auth"):
            continue
        names = [field.attname for field in model._meta.concrete_fields if not isinstance(field, models.DateTimeField)]
        texts += [repr(row) for row in models.QuerySet(model).values_list(*names)]
    return "\n".join(texts)


def counts() -> dict[str, int]:
    return {
        model._meta.label: models.QuerySet(model).count() for model in apps.get_models() if model.__name__ != "Entry"
    }


def test_nothing_of_the_person_is_left_and_no_row_goes(grace: User) -> None:
    before, entries, held = counts(), Entry.objects.count(), Membership.objects.filter(user=grace).count()
    changed = actions.erase_user(user=grace, reason=f"Grace Okafor {LEFT}", by=BY)
    kept = everything()
    for name in NAMES:
        if name != "grace":
            assert name.lower() not in kept.lower(), name
    assert "'grace'" not in kept
    assert "gave erased-" in kept
    assert "thanked for the grace period" in kept  # an ordinary word of somebody else
    assert "'User 1'" in kept
    assert counts() == before
    assert Entry.objects.count() == entries + 1
    assert Membership.objects.filter(user=grace).count() == held
    assert {"history", "releases", "staff", "syncs"} <= changed.keys()
    grace.refresh_from_db()
    token = f"erased-{grace.pk}"
    assert (grace.sub, grace.username, grace.email, grace.name, str(grace)) == (token, token, "", "", token)
    assert grace.gone_at is not None


def test_the_search_forgets_too(grace: User, django_capture_on_commit_callbacks: Any) -> None:
    Release.objects.create(
        number=2, created_at=timezone.now(), author_id="sub-5", author_name="x", digest="e",
        note="for grace.okafor@example.com",
        payload="p", target_version="0.46.0", draft_version=1,
    )  # fmt: skip
    index.refresh()
    assert Item.objects.filter(text__icontains="okafor").count() == 2
    assert Cut.objects.filter(word="okafor").exists()
    with django_capture_on_commit_callbacks(execute=True):
        actions.erase_user(user=grace, reason="asked", by=BY)
    assert not Item.objects.filter(text__icontains="okafor").exists()
    assert not Word.objects.filter(word__icontains="okafor").exists()
    assert not Cut.objects.filter(word__icontains="okafor").exists()


def test_history_says_that_it_was_done_and_not_whom(grace: User) -> None:
    actions.erase_user(user=grace, reason=f"Grace Okafor {LEFT}", by=BY)
    entry = Entry.objects.first()
    assert entry is not None
    token = f"erased-{grace.pk}"
    assert (entry.act, entry.target_id, entry.target_name) == (acts.USER_ERASED.code, str(grace.pk), token)
    assert entry.sentence == f"erased the personal data of {token}: {token} {LEFT}"
    assert entry.after is not None
    assert entry.after["rows changed"]["history"] > 0


def test_the_staff_of_that_person_can_do_nothing_any_more(grace: User) -> None:
    actions.erase_user(user=grace, reason="asked", by=BY)
    staff = Staff.objects.get(sub=f"erased-{grace.pk}")
    assert (staff.level, staff.is_active, staff.groups, str(staff)) == ("none", False, [], f"erased-{grace.pk}")


def test_a_later_sync_neither_brings_them_back_nor_stumbles(grace: User) -> None:
    actions.erase_user(user=grace, reason="asked", by=BY)
    pool = remote(9, analysts="016", engineers="")
    del pool.users["sub-5"]
    assert run(pool).state in ("applied", "unchanged")
    assert run(pool).state == "unchanged"
    assert not User.objects.filter(sub="sub-5").exists()
    lose_groups(lost={"sub-5": {"dial-publishers"}}, by=BY)


def test_who_is_in_the_pool_or_was_erased_is_not_erased(grace: User) -> None:
    User.objects.filter(pk=grace.pk).update(gone_at=None)
    with pytest.raises(actions.EraseRefusedError, match="the next sync would bring back"):
        actions.erase_user(user=grace, reason="asked", by=BY)
    User.objects.filter(pk=grace.pk).update(gone_at=timezone.now())
    actions.erase_user(user=grace, reason="asked", by=BY)
    with pytest.raises(actions.EraseRefusedError, match="already"):
        actions.erase_user(user=grace, reason="asked", by=BY)


def test_an_access_review_forgets_too_and_an_open_one_can_still_be_signed_off(grace: User) -> None:
    def review(state: str) -> AccessReview:
        found = AccessReview.objects.create(
            title="Q3", state=state, opened_at=timezone.now(), opened_by_id="sub-5", opened_by="Grace Okafor",
            digest="", draft_version=1, target_version="0.46.0",
        )  # fmt: skip
        answer = ReviewAnswer.objects.create(**{
            field.name: found for field in ReviewAnswer._meta.concrete_fields if field.name == "review"
        }, kind="model", deployment="gpt-4o", state="reaches")  # fmt: skip
        ReviewRow.objects.create(
            review=found, answer=answer, subject_kind="user", subject_id=grace.pk, subject="sub-5",
            label="Grace Okafor", detail="grace.okafor@example.com", reason="Grace left",
        )  # fmt: skip
        AccessReview.objects.filter(pk=found.pk).update(digest=reviews.frozen_digest(found))
        found.refresh_from_db()
        return found

    open_one, closed = review(AccessReview.State.OPEN), review(AccessReview.State.CLOSED)
    signed = closed.digest
    actions.erase_user(user=grace, reason="asked", by=BY)
    assert "okafor" not in everything().lower()
    for one in (open_one, closed):
        one.refresh_from_db()
    assert open_one.digest == reviews.frozen_digest(open_one)
    assert closed.digest == signed


@pytest.mark.parametrize(
    ("text", "about", "free", "result"),
    [
        ("Grace Okafor", False, False, "T"),
        ("with GRACE OKAFOR.", False, False, "with T."),
        ("grace.okafor@example.com,", False, False, "T,"),
        ("not.grace.okafor@example.com", False, False, "not.grace.okafor@example.com"),
        ("grace.okafor@example.com.au", False, False, "grace.okafor@example.com.au"),
        ("grace", False, False, "grace"),
        ("grace", True, False, "T"),
        ("grace period", True, False, "grace period"),
        ("Grace left", True, True, "T left"),
        ("disgrace", True, True, "disgrace"),
        ("a-sub-0", False, True, "a-sub-0"),
        ("of sub-0", False, True, "of T"),
        ("", True, True, ""),
    ],
)
def test_names_are_replaced_as_whole_words_and_common_ones_only_where_it_is_about_them(
    text: str, about: bool, free: bool, result: str
) -> None:
    person = Redaction("sub-0", "7", "T", frozenset({"Grace Okafor", "grace.okafor@example.com"}), frozenset({"grace"}))
    assert person.text(text, about=about, free=free) == result


def test_inside_a_list_only_the_objects_about_the_person_lose_a_common_name() -> None:
    person = Redaction("sub-0", "7", "T", common=frozenset({"max"}))
    value = [{"key": "sub-0", "name": "max", "detail": "max is back"}, {"key": "sub-1", "name": "max", "n": [1, None]}]
    assert person.value(value, about=False) == [
        {"key": "T", "name": "T", "detail": "T is back"},
        {"key": "sub-1", "name": "max", "n": [1, None]},
    ]


def test_a_name_that_two_people_bear_stays_the_others(grace: User) -> None:
    User.objects.filter(sub="sub-6").update(name="Grace Okafor")
    record(ACT, by=Actor("sub-6", "Grace Okafor"), note="did it")
    actions.erase_user(user=grace, reason="asked", by=BY)
    assert Entry.objects.filter(actor_id="sub-6", actor_name="Grace Okafor").exists()
    assert User.objects.get(sub="sub-6").name == "Grace Okafor"
    assert not Entry.objects.filter(actor_id="sub-5").exists()


# --- The page and the command ------------------------------------------------------------------------


@pytest.fixture
def publisher(client_of: Callable[[Staff], Client], ada: Staff) -> Client:
    return client_of(ada)


def test_a_publisher_erases_after_typing_the_username(publisher: Client, grace: User) -> None:
    url = reverse("roles:erase", args=[grace.pk])
    assert url in publisher.get(reverse("roles:user", args=[grace.pk])).content.decode()
    assert f"erased-{grace.pk}" in publisher.get(url).content.decode()
    for wrong in ({}, {"reason": "asked"}, {"reason": "asked", "confirmation": "Grace"}, {"confirmation": "grace"}):
        assert publisher.post(url, wrong).status_code == 400
    assert User.objects.filter(sub="sub-5").exists()
    page = publisher.post(url, {"reason": "asked", "confirmation": "grace"}, follow=True).content.decode()
    assert "The personal data was erased" in page
    assert "was erased on request" in page
    assert url not in page
    assert "Okafor" not in page
    again = publisher.post(url, {"reason": "asked", "confirmation": f"erased-{grace.pk}"})
    assert (again.status_code, "erased already" in again.content.decode()) == (400, True)


def test_the_page_says_why_somebody_in_the_pool_stays(publisher: Client, grace: User) -> None:
    User.objects.filter(pk=grace.pk).update(gone_at=None)
    url = reverse("roles:erase", args=[grace.pk])
    assert url not in publisher.get(reverse("roles:user", args=[grace.pk])).content.decode()
    for response in (publisher.get(url), publisher.post(url, {"reason": "asked", "confirmation": "grace"})):
        assert "Delete them in Cognito" in response.content.decode()
    assert User.objects.filter(sub="sub-5").exists()


def test_an_editor_may_not_and_is_offered_nothing(client_of: Any, edit: Staff, grace: User) -> None:
    editor = client_of(edit)
    url = reverse("roles:erase", args=[grace.pk])
    assert url not in editor.get(reverse("roles:user", args=[grace.pk])).content.decode()
    assert editor.post(url, {"reason": "asked", "confirmation": "grace"}).status_code == 403
    assert User.objects.filter(sub="sub-5").exists()


@pytest.mark.parametrize("named", ["grace", "sub-5", "Grace.Okafor@example.com"])
def test_the_command_erases_whom_it_names(named: str, grace: User) -> None:
    with pytest.raises(CommandError, match=r"This would erase Grace Okafor .* --yes"):
        call_command("erase_user", named, "--reason", "asked")
    out = StringIO()
    call_command("erase_user", named, "--reason", "asked", "--yes", stdout=out)
    assert f"They are erased-{grace.pk} now." in out.getvalue()
    assert not User.objects.filter(sub="sub-5").exists()


def test_the_command_says_whom_it_cannot_erase(grace: User) -> None:
    with pytest.raises(CommandError, match="Nobody is known"):
        call_command("erase_user", "x", "--reason", "asked", "--yes")
    User.objects.filter(sub="sub-6").update(username="grace")
    with pytest.raises(CommandError, match="several people; name one by the sub:\n  sub-5  grace\n  sub-6  grace"):
        call_command("erase_user", "grace", "--reason", "asked", "--yes")
    with pytest.raises(CommandError, match="Delete them in Cognito"):
        call_command("erase_user", "sub-6", "--reason", "asked", "--yes")


def test_the_page_of_a_person_tells_when_they_were_away(publisher: Client, grace: User) -> None:
    grace.absences.create(kind="disabled", since=timezone.now() - timedelta(days=9), until=timezone.now())
    page = publisher.get(reverse("roles:user", args=[grace.pk])).content.decode()
    assert "Gone from the pool" in page
    assert "Disabled" in page
