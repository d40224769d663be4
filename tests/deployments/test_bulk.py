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
    (step,) = bulk.plan(bulk.Wish(verb, ("a",)), [entry(before)], {})
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
    sent: dict[str, list[str]] = {"confirmed": ["yes"]}
    for name, value in shown.context["sent"]:
        sent.setdefault(name, []).append(value)
    return client.post(URL, sent)


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


@pytest.mark.parametrize("verb", ["attach", "detach", "close"])
def test_what_is_shown_is_what_is_done(editor: Client, verb: str) -> None:
    before = document()
    everything = list(Deployment.objects.values_list("pk", flat=True))
    shown = editor.post(URL, {"verb": verb, "roles": "analysts", "ids": everything})
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
    shown = editor.post(URL, {"verb": "attach", "roles": "analysts", "ids": ids("search", "gpt-4o-mini")})
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
    assert dict(response.context["sent"])["version"] == str(Draft.objects.get().version)


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"verb": "close"}, "No deployment is ticked"),
        ({"verb": "close", "ids": "nonsense,99999999"}, "No deployment is ticked"),
        ({"verb": "attach", "real": True}, "Name the role"),
        ({"verb": "attach", "roles": " analysts", "real": True}, "begins or ends with a space"),
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


WRITTEN = {"a": {"m": {"day": 5}}, "b": {}}


@pytest.mark.parametrize(
    ("wish", "before", "after", "limits"),
    [
        (bulk.Wish("attach", ("a", "b", "c")), ("b",), ("b", "a", "c"), {}),
        (bulk.Wish("detach", ("a", "b")), ("b", "c"), ("c",), {}),
        (bulk.Wish("limit", ("a", "b"), {"day": 5}), ("b",), ("b",), {"b": {"day": 5}}),
        (bulk.Wish("limit", ("a", "b"), {}), ("b",), ("b",), {"a": {}, "b": {}}),
        (bulk.Wish("limit", ("a", "b"), None), ("b",), ("b",), {"a": None}),
        (bulk.Wish("limit", ("a",), {"day": 5}), ("b",), ("b",), None),
        (bulk.Wish("copy", ("b",), source="a"), ("a",), ("a", "b"), {}),
        (bulk.Wish("copy", ("b",), source="a", limits_too=True), ("a",), ("a", "b"), {"b": {"day": 5}}),
        (bulk.Wish("copy", ("b",), source="a", limits_too=True), None, None, {"b": {"day": 5}}),
        (bulk.Wish("copy", ("b",), source="a", limits_too=True), ("b",), ("b",), None),
        (bulk.Wish("copy", ("a",), source="b", limits_too=True), ("b",), ("b", "a"), {}),
    ],
)
def test_many_roles_limits_and_copies_are_planned(
    wish: bulk.Wish, before: tuple[str, ...] | None, after: tuple[str, ...] | None, limits: dict[str, Any] | None
) -> None:
    (step,) = bulk.plan(wish, [entry(before)], WRITTEN)
    assert (step.after, step.limits) == (after, limits or {})
    assert bool(step.skipped) == (limits is None)


def test_a_limit_of_many_is_asked_shown_and_set(editor: Client) -> None:
    sent = {
        "verb": "limit",
        "roles": ["analysts", "newcomers"],
        "ids": ids("gpt-4o", "search"),
        "next": "/deployments/",
    }
    asked = editor.post(URL, sent)
    assert "Which limit?" in asked.content.decode()
    wrong = editor.post(URL, {**sent, "state": "explicit", "day": "a lot"})
    assert wrong.status_code == 400
    assert "Write a whole number" in wrong.content.decode()
    before = document()
    shown = editor.post(URL, {**sent, "state": "explicit", "day": "1.5M"})
    assert document() == before
    assert shown.context["told"].limits
    assert shown.context["unknown"] == ["newcomers"]
    assert confirm(editor, shown).headers["Location"] == "/deployments/"
    roles = document()["roles"]
    assert roles["analysts"]["limits"] == {"gpt-4o": {"day": 1_500_000}, "search": {"day": 1_500_000}}
    assert roles["newcomers"]["limits"] == {"gpt-4o": {"day": 1_500_000}, "search": {"day": 1_500_000}}


def test_the_access_of_a_role_is_copied_to_another_with_its_limits(editor: Client) -> None:
    page = editor.get("/deployments/copy/", {"source": "engineers"}).content.decode()
    assert 'value="engineers"' in page
    shown = editor.post(URL, {"verb": "copy", "source": "engineers", "roles": "reporters", "limits_too": "on"})
    assert {step.entry.name for step in shown.context["acting"]} == {"gpt-4o", "search"}
    confirm(editor, shown)
    assert document()["models"]["gpt-4o"]["userRoles"] == ["analysts", "engineers", "reporters"]
    assert document()["roles"]["reporters"]["limits"] == {"gpt-4o": {}}
    again = editor.post(URL, {"verb": "copy", "source": "engineers", "roles": "reporters", "limits_too": "on"})
    assert again.context["acting"] == []
    itself = editor.post(URL, {"verb": "copy", "source": "engineers", "roles": "engineers"})
    assert "its own access" in said(itself)
    nothing = editor.post(URL, {"verb": "copy", "source": "nobodies", "roles": "engineers"})
    assert "attached to nothing" in said(nothing)
