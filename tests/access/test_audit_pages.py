"""The pages of the questions, as an auditor sees them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deployments.access import source
from deployments.releases.actions import release
from deployments.releases.reading import basis
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from roles.models import Membership, Role
from tests.deployments.factories import make_draft, make_user

pytestmark = pytest.mark.django_db

WHY, CREDENTIAL = "/access/why/", "/access/why/token/"


@pytest.fixture
def auditor(client_of: Callable[[Staff], Client], vera: Staff) -> Client:
    make_draft()
    return client_of(vera)


def text(client: Client, url: str, status: int = 200, **params: str) -> str:
    response = client.get(url, {name.rstrip("_"): value for name, value in params.items()})
    assert response.status_code == status
    return " ".join(response.content.decode().split())


# --- why --------------------------------------------------------------------------------------------------


def test_why_explains_one_user_and_one_deployment(auditor: Client) -> None:
    make_user("grace", "analysts")
    page = text(auditor, WHY, user="grace", deployment="gpt-4o")
    assert "They reach gpt-4o, with limits." in page
    assert "100,000 tokens per minute" in page
    assert "Detach the role analysts from gpt-4o." in page


def test_why_not_names_the_groups_that_would_let_them_in(auditor: Client) -> None:
    grace = make_user("grace", "guests")
    page = text(auditor, WHY, user=grace.sub, deployment="gpt-4o")
    assert "it does not list any of their roles" in page
    assert "Put them into the group engineers." in page
    assert "Attach their role guests to gpt-4o." in page


def test_why_finds_people_by_part_of_a_name_and_asks_which(auditor: Client) -> None:
    for name in ("grace", "gracie"):
        make_user(name)
    page = text(auditor, WHY, user="grac", deployment="gpt-4o")
    assert "Whom do you mean?" in page
    assert "gracie@example.com" in page
    assert "They reach" not in page
    assert "Nobody in the pool has" in text(auditor, WHY, user="<b>", deployment="gpt-4o")


def test_why_finds_deployments_by_part_of_a_name(auditor: Client) -> None:
    make_user("grace", "analysts")
    assert "Which deployment?" in text(auditor, WHY, user="grace", deployment="gpt")
    assert "Core would serve no deployment called" in text(auditor, WHY, user="grace", deployment="nothing")


def test_somebody_who_gets_no_token_is_told_apart(auditor: Client) -> None:
    make_user("grace", "analysts", enabled=False)
    page = text(auditor, WHY, user="grace", deployment="gpt-4o")
    assert "is disabled in the pool" in page
    assert "What follows holds once they get one." in page


def test_why_answers_for_an_api_key_by_project(auditor: Client) -> None:
    page = text(auditor, WHY, key="reporting", deployment="gpt-4o")
    assert "API key of reporting and gpt-4o" in page
    assert "api-key-secret" not in page
    assert text(auditor, WHY, key="9" * 30)


def test_a_draft_that_core_refuses_gives_no_answer(auditor: Client) -> None:
    make_draft({"models": {"m": {}}, "applications": {"m": {}}, "keys": {"k": {"project": "p"}}})
    make_user("grace")
    assert "is nothing that Core 0.37 would load" in text(auditor, WHY, user="grace", deployment="m")


# --- the box ------------------------------------------------------------------------------------------------


def test_a_list_of_names_is_answered_and_only_that_it_was_asked_is_kept(auditor: Client) -> None:
    response = auditor.post(CREDENTIAL, {"credential": "analysts\nsecret-plan"})
    page = response.content.decode()
    assert response.status_code == 200
    assert "gpt-4o" in page
    assert response.headers["Cache-Control"] == "no-store"
    entry = Entry.objects.first()
    assert entry is not None
    assert entry.sentence == "asked what a pasted token or list of names reaches"
    assert "secret-plan" not in f"{entry.before}{entry.after}{entry.note}{entry.target_name}"
    assert "They reach gpt-4o" in auditor.post(
        CREDENTIAL, {"credential": "analysts", "deployment": "gpt-4o"}
    ).content.decode()  # fmt: skip


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzdWItcGFzdGVkIiwiY29nbml0bzpncm91cHMiOlsiYW5hbHlzdHMiXX0.c2lnbmF0dXJl"


def test_a_token_never_comes_back_and_a_foreign_one_is_not_believed(auditor: Client) -> None:
    page = auditor.post(CREDENTIAL, {"credential": TOKEN}).content.decode()
    assert "Not from this pool" in page
    assert "analysts" in page
    assert TOKEN not in page
    assert "c2lnbmF0dXJl" not in page
    assert 'autocomplete="off"' in page


def test_an_error_report_carries_nothing_of_the_token(
    auditor: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The report that Django would mail to administrators, and what stands in the log."""
    from django.views.debug import ExceptionReporter

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("deployments.access.tokens._judge", broken)
    auditor.raise_request_exception = False
    reports: list[str] = []

    class Reporting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                request = getattr(record, "request", None)
                kind, error, trace = record.exc_info
                report = ExceptionReporter(request, kind, error, trace, is_email=True)
                reports.extend((report.get_traceback_text(), report.get_traceback_html()))

    handler = Reporting()
    logging.getLogger("django.request").addHandler(handler)
    try:
        assert auditor.post(CREDENTIAL, {"credential": TOKEN}).status_code == 500
    finally:
        logging.getLogger("django.request").removeHandler(handler)
    assert reports
    assert all(word not in report for report in reports for word in ("sub-pasted", "c2lnbmF0dXJl", "analysts"))
    assert "c2lnbmF0dXJl" not in caplog.text


@pytest.mark.parametrize("pasted", ["", "[1]", "eyJh.eyJ9.x"])
def test_what_cannot_be_read_is_refused_beside_the_field(pasted: str, auditor: Client) -> None:
    response = auditor.post(CREDENTIAL, {"credential": pasted})
    assert response.status_code == 400
    assert 'aria-invalid="true"' in response.content.decode()
    assert reverse("access:credential") == CREDENTIAL


# --- the questions ------------------------------------------------------------------------------------------


def test_the_overview_counts_what_each_question_finds(auditor: Client) -> None:
    make_user("grace", "analysts", "choir")
    page = text(auditor, "/access/")
    for words in ("of 1 who can sign in", "Open to everyone", "Members without effect", "Roles without members"):
        assert words in page


def test_who_reaches_a_deployment_names_role_limit_and_state(auditor: Client) -> None:
    make_user("grace", "analysts")
    make_user("hugo", "engineers")
    make_user("ida", "guests")
    page = text(auditor, "/access/deployment/", name="gpt-4o", kind="model")
    assert "2 people are listed" in page
    assert "100,000 tokens per minute" in page
    assert "Hugo" in page
    assert "Ida" not in page
    found = text(auditor, "/access/deployment/", name="gpt-4o", q="grac")
    assert "Grace" in found
    assert "Hugo" not in found
    assert "Nobody matches" in text(auditor, "/access/deployment/", name="gpt-4o", q="zzz")


def test_api_keys_stand_beside_people_by_project(auditor: Client) -> None:
    page = text(auditor, "/access/deployment/", name="gpt-4o-mini")
    assert "reporting" in page
    assert "api-key-secret" not in page
    reached = text(auditor, "/access/key/", project="reporting")
    assert "gpt-4o-mini" in reached
    assert "api-key-secret" not in reached
    text(auditor, "/access/key/", 404, project="nothing")


def test_the_first_hundred_stand_on_the_page_with_the_total(auditor: Client) -> None:
    for number in range(130):
        make_user(f"user{number:03}", "analysts")
    page = text(auditor, "/access/deployment/", name="gpt-4o")
    assert "1–100 of 130" in page
    assert "user099@" in page
    assert "user100@" not in page
    second = text(auditor, "/access/deployment/", name="gpt-4o", page="2")
    assert "101–130 of 130" in second
    assert "user100@" in second


@pytest.mark.parametrize(
    "url",
    [
        "/access/", "/access/deployment/?name=gpt-4o", "/access/matrix/", "/access/nothing/?beyond=open",
        "/access/loose-ends/", "/access/why/?user=user1&deployment=gpt-4o",
    ],
)  # fmt: skip
def test_pages_cost_the_same_for_any_number_of_people(
    url: str, auditor: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        make_user(f"user{number}", "analysts", "choir")
    with django_assert_max_num_queries(30):
        assert auditor.get(url).status_code == 200
    with django_assert_max_num_queries(18):  # the index is there
        assert auditor.get(url).status_code == 200


def test_what_a_user_reaches_names_the_role_and_the_limit(auditor: Client) -> None:
    grace = make_user("grace", "analysts", "engineers")
    response = auditor.get(f"/access/users/{grace.pk}/")
    rows = {row.answer.deployment.name: row.answer for row in response.context["rows"]}
    assert rows["gpt-4o"].via == ("analysts", "engineers")
    assert rows["gpt-4o"].state == "unlimited"  # the empty entry of engineers beats the number of analysts
    assert rows["gpt-4o-mini"].via == ()
    assert rows["gpt-4o-mini"].state == "limited"
    assert "embeddings" not in rows
    assert "assistant" in rows  # the base assistant, which nobody can restrict


@pytest.mark.parametrize(("fields", "words"), [({"enabled": False}, "disabled"), ({"gone_at": timezone.now()}, "gone")])
def test_who_cannot_sign_in_reaches_nothing(fields: dict[str, Any], words: str, auditor: Client) -> None:
    person = make_user("edsger", "analysts", **fields)
    response = auditor.get(f"/access/users/{person.pk}/")
    assert response.context["rows"] == []
    assert words in response.content.decode()


def test_what_a_role_reaches(auditor: Client) -> None:
    make_user("grace", "analysts")
    response = auditor.get(f"/access/roles/{Role.objects.get(name='analysts').pk}/")
    assert {row.answer.deployment.name for row in response.context["rows"]} >= {"gpt-4o", "gpt-4o-mini", "helper"}


def test_the_matrix_counts_people_by_role_and_what_is_open_is_asked_of_it(auditor: Client) -> None:
    make_user("grace", "analysts", "engineers")
    response = auditor.get("/access/matrix/")
    lines = {line.deployment.name: line for line in response.context["rows"]}
    assert (lines["gpt-4o"].people, lines["gpt-4o"].roles) == (1, [("analysts", 1), ("engineers", 1)])
    assert (lines["gpt-4o-mini"].people, lines["gpt-4o-mini"].keys) == (1, 1)
    assert lines["embeddings"].access == "closed"
    opened = auditor.get("/access/matrix/", {"access": "open"})
    assert {line.access for line in opened.context["rows"]} == {"open"}
    assert "Everyone who signs in reaches these" in opened.content.decode()


def test_people_who_reach_nothing_and_those_who_reach_no_more_than_what_is_open(auditor: Client) -> None:
    make_user("ida", "guests")
    make_user("grace", "analysts")
    assert "0 of 2 who can sign in" in text(auditor, "/access/nothing/")
    page = text(auditor, "/access/nothing/", beyond="open")
    assert "Ida" in page
    assert "Grace" not in page


def test_loose_ends_are_roles_without_members_and_groups_without_effect(auditor: Client) -> None:
    make_user("grace", "analysts", "choir")
    response = auditor.get("/access/loose-ends/")
    assert [row[0] for row in response.context["empty"]] == ["engineers"]
    assert [(name, people) for name, _, people in response.context["idle"]] == [("choir", 1)]


# --- past moments ---------------------------------------------------------------------------------------------


@pytest.fixture
def past(ada: Staff) -> str:
    """A moment at which Grace was no analyst yet and gpt-4o listed engineers alone, as the field takes it."""
    make_draft()
    made = release(note="first", by=Actor.staff(ada), seen=str(basis()), typed="1")
    ida = make_user("ida", "engineers")
    Membership.objects.filter(user=ida).update(since=made.created_at - timedelta(days=1))
    grace = make_user("grace", "analysts")
    moment = made.created_at + timedelta(seconds=1)
    Membership.objects.filter(user=grace).update(since=moment + timedelta(days=1))
    source.forget()
    return moment.isoformat()


def test_a_question_is_answered_as_of_a_past_moment(
    past: str, client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    moment = datetime.fromisoformat(past)
    with time_machine.travel(moment + timedelta(days=10), tick=True):
        client = client_of(vera)
        assert "Grace" in text(client, "/access/deployment/", name="gpt-4o")
        page = text(client, "/access/deployment/", name="gpt-4o", at=past)
        assert "Ida" in page
        assert "Grace" not in page
        assert "By release 1" in page
        why = text(client, WHY, user="grace", deployment="gpt-4o", at=past)
        assert "could not sign in then" in why
        assert "They do not reach gpt-4o" in why
        compared = text(client, "/access/compare/", from_=past)
        assert "1 person gained something" in compared
        people = text(client, "/access/compare/", from_=past, name="gpt-4o", kind="model", change="gained")
        assert "Who gained gpt-4o" in people
        assert "Grace" in people


@pytest.mark.parametrize("url", ["/access/", "/access/deployment/?name=gpt-4o", "/access/matrix/", "/access/nothing/"])
@pytest.mark.parametrize("at", ["yesterday", "1066-10-14", "9000-01-01", "0001-01-01T00:00"])
def test_a_moment_that_cannot_be_asked_of_is_said(url: str, at: str, auditor: Client) -> None:
    response = auditor.get(f"{url}{'&' if '?' in url else '?'}{urlencode({'at': at})}")
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()


def test_a_comparison_says_what_is_wrong_with_its_moments(auditor: Client) -> None:
    assert "Write the moment like" in text(auditor, "/access/compare/", 400, from_="then")
    assert text(auditor, "/access/compare/")


@pytest.mark.parametrize("q", ["%", "_", "\\", "' OR 1=1", "é", "x" * 3000])
def test_searches_take_any_text(q: str, auditor: Client) -> None:
    make_user("grace", "analysts")
    for url in ("/access/deployment/?name=gpt-4o", "/access/matrix/?", "/access/nothing/?beyond=open"):
        assert auditor.get(f"{url}&{urlencode({'q': q, 'page': q})}").status_code == 200
    assert auditor.get(WHY, {"user": q, "deployment": q}).status_code == 200
