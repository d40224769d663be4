"""One change of many deployments: chosen, counted again, shown, then made as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from deployments import actions, bulk
from deployments.document import DeploymentEntry
from deployments.models import Deployment, Draft
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from tests.deployments.factories import TESTER, deployment, document, make_draft, make_user

pytestmark = pytest.mark.django_db

URL = "/deployments/bulk/"


def entry(roles: tuple[str, ...] | None) -> DeploymentEntry:
    return DeploymentEntry("model", "m", roles, {})


@pytest.mark.parametrize(
    ("verb", "before", "after", "acts"),
    [
        ("attach", ("b",), ("b", "a"), True),
        ("attach", ("a",), ("a",), False),
        ("attach", (), ("a",), True),
        ("attach", None, ("a",), True),
        ("detach", ("a", "b"), ("b",), True),
        ("detach", ("a",), (), True),
        ("detach", ("b",), ("b",), False),
        ("detach", None, None, False),
        ("close", None, (), True),
        ("close", ("a",), (), True),
        ("close", (), (), False),
    ],
)
def test_the_plan_says_what_is_done(
    verb: str, before: tuple[str, ...] | None, after: tuple[str, ...] | None, acts: bool
) -> None:
    (step,) = bulk.plan(verb, "a", [entry(before)])
    assert (step.after, not step.skipped) == (after, acts)


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    make_draft()
    make_user("grace", "analysts")
    make_user("alan", "engineers")
    return client_of(edit)


def ids(*names: str) -> list[int]:
    return [deployment(name).pk for name in names]


def confirm(client: Client, shown: Any) -> Any:
    """Send what the preview hides in its form."""
    names = ("verb", "role", "ids", "version", "query")
    return client.post(URL, {**{name: shown.context[name] for name in names}, "confirmed": "yes"})


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.mark.parametrize("verb", ["attach", "detach", "close"])
def test_what_is_shown_is_what_is_done(editor: Client, verb: str) -> None:
    before = document()
    everything = list(Deployment.objects.values_list("pk", flat=True))
    shown = editor.post(URL, {"verb": verb, "role": "analysts", "ids": everything})
    assert shown.status_code == 200
    assert document() == before
    expected = {(s.entry.kind, s.entry.name): s.after for s in shown.context["acting"]}
    response = confirm(editor, shown)
    assert response.status_code == 302
    assert f"{len(expected)} changed" in said(response)
    for row in Deployment.objects.all():
        if (row.kind, row.name) in expected:
            roles = tuple(row.attachments.order_by("pk").values_list("role__name", flat=True))
            assert (roles if row.access == "restricted" else ()) == expected[row.kind, row.name], row
    codes = {"attach": "deployment.role-attached", "detach": "deployment.role-detached"}
    noted = Entry.objects.filter(act=codes.get(verb, "deployment.access-changed")).count()
    assert noted == len(expected)


def test_the_preview_says_who_gains_and_who_loses(editor: Client) -> None:
    shown = editor.post(URL, {"verb": "attach", "role": "analysts", "ids": ids("search", "gpt-4o-mini")})
    told = shown.context["told"]
    assert told.gaining.bit_count() == 1  # Grace gets the application that engineers had alone
    assert told.losing.bit_count() == 1  # Alan loses the model that was open to everyone
    assert "Detach" not in shown.content.decode()


def test_all_that_match_are_found_again_on_the_server(editor: Client) -> None:
    sent = {"verb": "close", "scope": "matching", "query": "?kind=model", "expected": "3"}
    shown = editor.post(URL, sent)
    assert {step.entry.name for step in shown.context["acting"]} == {"gpt-4o", "gpt-4o-mini"}
    confirm(editor, shown)
    assert set(Deployment.objects.filter(kind="model").values_list("access", flat=True)) == {"closed"}
    assert deployment("search").access == "restricted"


def test_another_number_than_was_seen_is_refused(editor: Client) -> None:
    sent = {"verb": "close", "scope": "matching", "query": "?kind=model", "expected": "2"}
    response = editor.post(URL, sent)
    assert response.headers["Location"] == f"{reverse('deployments:list')}?kind=model"
    assert "3 deployments now" in said(response)


def test_a_draft_that_moved_on_is_shown_again_and_nothing_is_done(editor: Client) -> None:
    shown = editor.post(URL, {"verb": "close", "ids": ids("gpt-4o", "search")})
    actions.attach_role(deployment=deployment("search"), role_name="reporters", by=TESTER)
    response = confirm(editor, shown)
    assert response.status_code == 200
    assert deployment("gpt-4o").access == "restricted"
    assert response.context["version"] == Draft.objects.get().version


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"verb": "close"}, "Nothing is ticked"),
        ({"verb": "close", "ids": "nonsense,99999999"}, "Nothing is ticked"),
        ({"verb": "attach", "real": True}, "Name the role"),
        ({"verb": "attach", "role": " analysts", "real": True}, "begins or ends with a space"),
        ({"verb": "nonsense", "real": True}, "not one of the available choices"),
        ({"verb": "close", "scope": "matching", "expected": "", "query": "?"}, "another number"),
    ],
)
def test_what_cannot_be_meant_is_refused(editor: Client, sent: dict[str, Any], problem: str) -> None:
    if sent.pop("real", False):
        sent = {**sent, "ids": ids("gpt-4o")}
    before = document()
    response = editor.post(URL, sent)
    assert response.status_code == 302
    assert problem in said(response)
    assert document() == before


def test_an_auditor_sees_no_boxes(client_of: Callable[[Staff], Client], vera: Staff) -> None:
    make_draft()
    page = client_of(vera).get(reverse("deployments:list")).content.decode()
    assert 'type="checkbox" name="ids"' not in page
    assert URL not in page
