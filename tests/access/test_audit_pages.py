"""The pages of the questions, as an auditor sees them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from tests.deployments.factories import make_draft, make_user

pytestmark = pytest.mark.django_db

WHY, CREDENTIAL = "/access/why/", "/access/why/token/"


@pytest.fixture
def auditor(client_of: Callable[[Staff], Client], vera: Staff) -> Client:
    make_draft()
    return client_of(vera)


def text(client: Client, url: str, status: int = 200, **params: Any) -> str:
    response = client.get(url, params)
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
                reports.append(ExceptionReporter(request, kind, error, trace, is_email=True).get_traceback_text())

    handler = Reporting()
    logging.getLogger("django.request").addHandler(handler)
    try:
        assert auditor.post(CREDENTIAL, {"credential": TOKEN}).status_code == 500
    finally:
        logging.getLogger("django.request").removeHandler(handler)
    assert reports
    assert all("sub-pasted" not in report and "c2lnbmF0dXJl" not in report for report in reports)
    assert "c2lnbmF0dXJl" not in caplog.text


@pytest.mark.parametrize("pasted", ["", "[1]", "eyJh.eyJ9.x"])
def test_what_cannot_be_read_is_refused_beside_the_field(pasted: str, auditor: Client) -> None:
    response = auditor.post(CREDENTIAL, {"credential": pasted})
    assert response.status_code == 400
    assert 'aria-invalid="true"' in response.content.decode()
    assert reverse("access:credential") == CREDENTIAL
