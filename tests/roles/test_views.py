"""The pages of roles, users and syncs: what each shows, and that nobody seems to hold what they lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dialadmin.accounts.models import Staff
from roles.models import ApiKey, Role, SyncRun, User
from tests.deployments.factories import make_user
from tests.roles.test_sync import remote, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(client_of: Callable[[Staff], Client], vera: Staff) -> Client:
    return client_of(vera)


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


def page(client: Client, name: str, *args: object, **query: str) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def role(name: str) -> Role:
    return Role.objects.get(name=name)


def person(number: int) -> User:
    return User.objects.get(sub=f"sub-{number}")


def test_an_auditor_reads_and_is_offered_no_change(auditor: Client) -> None:
    run(remote(6, analysts="01"))
    stopped = run(remote(6, analysts=""))
    assert stopped.state == "stopped"
    assert "New role" not in page(auditor, "roles:list")
    assert "Sync now" not in page(auditor, "roles:syncs")
    shown = page(auditor, "roles:sync", stopped.pk)
    assert "Is it right?" not in shown
    assert "2 of 2 memberships (100%)" in shown


def test_the_list_of_roles_counts_people_who_can_use_them_and_keys_once_each(auditor: Client) -> None:
    run(remote(6, analysts="0123"))
    User.objects.filter(sub="sub-3").update(enabled=False)
    for number in range(2):
        ApiKey.objects.create(project=f"p{number}", secret="x").roles.add(role("analysts"))
    shown = page(auditor, "roles:list")
    assert 'data-label="People">3<' in shown
    assert 'data-label="API keys">2<' in shown


def test_groups_made_for_identity_providers_are_listed_when_asked_for(auditor: Client) -> None:
    name = "eu-west-1_TestPool1_Okta"
    run(remote(6, **{"analysts": "01", name: "2"}))
    assert name not in (shown := page(auditor, "roles:list"))
    assert "1 group that Cognito made for identity providers is not listed" in shown
    assert name in page(auditor, "roles:list", pool="provider")
    assert name in page(auditor, "roles:list", q="okta")
    assert name not in page(auditor, "roles:list", pool="present")


def test_a_role_shows_its_people_of_today_and_apart_from_them_those_of_earlier(auditor: Client) -> None:
    run(remote(6, analysts="01234"))
    run(remote(6, analysts="0123"))
    User.objects.filter(sub="sub-0").update(enabled=False)
    ApiKey.objects.create(project="reporting", secret="x").roles.add(role("analysts"))
    today = page(auditor, "roles:detail", role("analysts").pk)
    assert "User 3" in today
    assert "User 4" not in today
    assert "1 of 4 disabled" in today
    assert "reporting" in today
    assert reverse("access:role", args=[role("analysts").pk]) in today
    earlier = page(auditor, "roles:detail", role("analysts").pk, members="earlier")
    assert "User 4" in earlier
    assert "User 3" not in earlier


def test_a_group_that_has_gone_shows_nobody_as_holding_it(auditor: Client) -> None:
    run(remote(6, analysts="01", engineers="2"))
    run(remote(6, engineers="2"), allow_removals=True)
    shown = page(auditor, "roles:detail", role("analysts").pk)
    assert "This group has gone from the pool" in shown
    assert "Nobody holds it" in shown
    assert "User 0" not in shown


def test_somebody_who_has_gone_holds_nothing(auditor: Client) -> None:
    run(remote(6, analysts="05"))
    User.objects.filter(sub="sub-5").update(gone_at="2026-05-05T00:00:00Z")  # with the membership left open
    assert "User 5" not in page(auditor, "roles:detail", role("analysts").pk)
    shown = page(auditor, "roles:user", person(5).pk)
    assert "Gone from the pool" in shown
    assert "Nobody who has gone from the pool holds a group" in shown
    assert "2026-05-05" in shown
    assert 'data-label="Groups">0<' in page(auditor, "roles:users", state="gone")


def test_a_user_shows_groups_status_and_what_they_reach(auditor: Client) -> None:
    run(remote(6, analysts="0", engineers="0"))
    User.objects.filter(sub="sub-0").update(status="FORCE_CHANGE_PASSWORD")
    shown = page(auditor, "roles:user", person(0).pk)
    assert "analysts" in shown
    assert "engineers" in shown
    assert "has to set a password at the next sign-in" in shown
    assert reverse("access:user", args=[person(0).pk]) in shown


@pytest.mark.parametrize(("state", "number"), [("enabled", 1), ("disabled", 2), ("gone", 3)])
def test_users_are_filtered_by_state(state: str, number: int, auditor: Client) -> None:
    run(remote(4))
    User.objects.exclude(sub="sub-1").update(enabled=False)
    User.objects.exclude(sub__in=["sub-1", "sub-2"]).update(gone_at="2026-05-05T00:00:00Z")
    shown = page(auditor, "roles:users", state=state)
    assert [n for n in range(1, 4) if f">User {n}<" in shown] == [number]


def test_a_failed_sync_is_said_where_its_data_is_shown(auditor: Client) -> None:
    SyncRun.objects.create(state="failed", by="x", error="Cognito throttled the sync.")
    for name in ("roles:list", "roles:users", "roles:syncs"):
        assert "The pool was never read" in (shown := page(auditor, name))
        assert "Cognito throttled the sync." in shown
    run(remote(6, analysts="0"))
    assert "Cognito throttled the sync." not in page(auditor, "roles:list")


def test_each_change_of_a_sync_leads_to_whom_it_is_about(auditor: Client) -> None:
    first = run(remote(6, analysts="0"))
    shown = page(auditor, "roles:sync", first.pk)
    assert f'href="{reverse("roles:detail", args=[role("analysts").pk])}"' in shown
    assert f'href="{reverse("roles:user", args=[person(0).pk])}"' in shown


def test_names_are_escaped(auditor: Client) -> None:
    result = run(remote(6, **{"<script>alert(1)</script>": "0"}))
    role = Role.objects.get()
    for shown in (
        page(auditor, "roles:list"),
        page(auditor, "roles:detail", role.pk),
        page(auditor, "roles:user", person(0).pk),
        page(auditor, "roles:sync", result.pk),
    ):
        assert "<script>alert(1)" not in shown
        assert "&lt;script&gt;alert(1)" in shown


@pytest.mark.parametrize("members", ["", "earlier"])
def test_a_role_and_a_sync_take_as_many_queries_for_few_rows_as_for_many(members: str, editor: Client) -> None:
    def queries(sync: SyncRun) -> int:
        with CaptureQueriesContext(connection) as captured:
            page(editor, "roles:detail", role("analysts").pk, members=members)
            page(editor, "roles:sync", sync.pk)
            page(editor, "roles:user", person(0).pk)
        return len(captured)

    run(remote(9, analysts="012"))
    few = queries(run(remote(9, analysts="01", engineers="0"), allow_removals=True))
    run(remote(9, analysts="012345678", engineers="0", legal="0", finance="0"))
    many = run(remote(9, analysts="0", engineers="0", legal="0", finance="0", sales="01"), allow_removals=True)
    assert queries(many) == few


@pytest.mark.parametrize("name", ["roles:detail", "roles:user", "roles:sync"])
def test_what_is_not_there_is_not_found(name: str, auditor: Client) -> None:
    assert auditor.get(reverse(name, args=[10**9])).status_code == 404


@pytest.mark.parametrize("name", ["roles:list", "roles:users", "roles:detail"])
def test_lists_of_people_are_downloaded_with_all_their_columns(
    name: str, client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    make_user("=grace", "analysts")
    args = [Role.objects.get(name="analysts").pk] if name == "roles:detail" else []
    address = reverse(name, args=args)
    page = client_of(vera).get(address)
    names = [column.name for column in page.context["listing"].columns]
    assert client_of(vera).get(address, {"columns": names}).status_code == 200
    response = client_of(vera).get(address, {"format": "csv", "columns": names})
    header, first = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()[:2]  # type: ignore[attr-defined]
    assert header.count(",") == len(names) - 1
    assert first.startswith("analysts," if name == "roles:list" else "'=Grace,")


def test_one_column_of_the_syncs_says_how_they_are_sorted(auditor: Client) -> None:
    SyncRun.objects.create(state=SyncRun.State.UNCHANGED, by="test")
    assert page(auditor, "roles:syncs").count("aria-sort=") == 1
