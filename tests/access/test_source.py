"""The index rests on the draft and the people of now, or on the release and the people of a past moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from deployments.access import source
from deployments.access.index import Index, members
from deployments.actions import set_access
from deployments.models import Deployment
from deployments.releases import reading
from deployments.releases.actions import release
from dialadmin.history.models import Entry
from roles.models import Absence, Membership, Role, SyncRun, User
from tests.deployments.factories import TESTER, make_draft, make_user

pytestmark = pytest.mark.django_db
NOW = timezone.now()


@pytest.fixture(autouse=True)
def fresh() -> None:
    source.forget()


def listed(index: Index, name: str) -> set[str]:
    deployment = index.find(name)
    assert deployment is not None
    return {index.people.names[number] for number in members(index.listed(deployment))}


def test_people_of_now_are_those_who_can_sign_in() -> None:
    make_draft()
    make_user("grace", "analysts")
    make_user("gone", "analysts", gone_at=NOW)
    make_user("disabled", "analysts", enabled=False)
    left = make_user("left", "analysts")
    Membership.objects.filter(user=left).update(until=timezone.now())
    index = source.current()
    assert listed(index, "gpt-4o") == {"grace"}
    assert listed(index, "gpt-4o-mini") == {"grace", "left"}
    assert index.people.roles_of(index.people.names.index("grace")) == {"analysts"}


def test_the_index_is_kept_while_nothing_changes_and_built_anew_when_something_does() -> None:
    make_draft()
    first = source.current()
    assert source.current() is first
    set_access(deployment=Deployment.objects.get(name="gpt-4o"), access="open", by=TESTER)
    second = source.current()
    assert second is not first
    SyncRun.objects.create(state=SyncRun.State.APPLIED, by="test", finished_at=timezone.now())
    assert source.current() is not second


def test_building_takes_the_same_queries_at_any_size() -> None:
    make_draft()
    make_user("grace", "analysts")
    with CaptureQueriesContext(connection) as few:
        source.current()
    for number in range(30):
        make_user(f"user-{number}", "analysts", f"group-{number}")
    source.forget()
    with CaptureQueriesContext(connection) as many:
        source.current()
    assert len(many) <= len(few)


def test_a_draft_that_core_refuses_is_no_ground_for_an_answer() -> None:
    make_draft({"models": {"m": {"surprise": 1}}})
    with pytest.raises(source.UnansweredError, match=r"models\.m\.surprise.*Checks"):
        source.current()


def released(document: dict[str, Any]) -> None:
    make_draft(document)
    basis = reading.basis()
    release(note="for a test", by=TESTER, seen=str(basis), typed=str(basis.number + 1))


def test_a_past_moment_has_the_release_in_force_and_the_members_of_then() -> None:
    grace = make_user("grace", "analysts")
    Membership.objects.update(since=NOW - timedelta(days=30))
    User.objects.update(pool_created_at=NOW - timedelta(days=30))
    released({"models": {"m": {"userRoles": ["analysts"]}}})
    then = timezone.now()
    released({"models": {"m": {"userRoles": []}}})
    Membership.objects.filter(user=grace).update(until=timezone.now())
    assert listed(source.at(then), "m") == {"grace"}
    assert listed(source.at(timezone.now()), "m") == set()
    assert source.at(then).notes["settings"] == "release 1"


def test_who_was_absent_at_a_moment_reached_nothing_then() -> None:
    grace = make_user("grace", "analysts")
    Membership.objects.update(since=NOW - timedelta(days=30))
    released({"models": {"m": {"userRoles": ["analysts"]}}})
    then = timezone.now()
    Absence.objects.create(user=grace, kind="disabled", since=NOW - timedelta(hours=1), until=timezone.now())
    assert listed(source.at(then), "m") == set()
    assert listed(source.at(timezone.now()), "m") == {"grace"}


def test_before_the_first_release_the_unchanged_draft_answers_and_nothing_else() -> None:
    make_draft()
    assert source.at(timezone.now()).notes["settings"].startswith("draft")
    with pytest.raises(source.UnansweredError, match="No release was in force"):
        source.at(NOW - timedelta(days=1))
    with pytest.raises(source.UnansweredError, match="still to come"):
        source.at(timezone.now() + timedelta(days=1))


def test_an_act_on_a_group_is_seen_at_once() -> None:
    make_draft()
    user = make_user("grace")
    assert listed(source.current(), "gpt-4o") == set()
    Membership.objects.create(user=user, role=Role.objects.get(name="analysts"), since=NOW)
    Entry.objects.create(act="group.user-added", actor_id="x", actor_name="x")
    assert listed(source.current(), "gpt-4o") == {"grace"}
