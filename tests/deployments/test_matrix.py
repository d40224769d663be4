"""The matrix: what its cells say, which part of it is shown, and what a cell offers when it is opened."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deployments import actions
from deployments.core.evaluate import evaluate
from deployments.core.versions import DEFAULT
from deployments.matrix import COLUMNS, LOOKS, ROWS
from deployments.models import Deployment, Limit
from dialadmin.accounts.models import Staff
from roles.models import Role
from tests.deployments.factories import SETTINGS, TESTER, deployment, document, make_draft, make_user

pytestmark = pytest.mark.django_db

URL = "/deployments/matrix/"


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    make_draft()
    make_user("grace", "analysts", "engineers")
    make_user("alan", "analysts")
    make_user("kurt", "newcomers")
    return client_of(edit)


def cells(response: Any) -> dict[tuple[str, str], str]:
    """(deployment, role) -> the words of the cell."""
    return {
        (line.row.name, cell.column.name): cell.look.words
        for _, group in response.context["groups"]
        for line in group
        for cell in line.cells
    }


def cell_of(name: str, role: str) -> str:
    return f"{deployment(name).pk}.{Role.objects.get(name=role).pk}"


def test_a_cell_says_what_a_holder_of_the_role_meets(editor: Client) -> None:
    actions.set_limit(role_name="reporters", deployment_name="gpt-4o", limit={"day": 5}, by=TESTER)
    actions.set_limit(role_name="engineers", deployment_name="gpt-4o-mini", limit={"minute": 0}, by=TESTER)
    actions.set_access(deployment=deployment("helper"), access="closed", by=TESTER)
    found = cells(editor.get(URL))
    assert found["gpt-4o", "analysts"] == "attached, limited"
    assert found["gpt-4o", "engineers"] == "attached, unlimited"
    assert found["gpt-4o", "reporters"] == "not attached, its limit has no effect"
    assert found["gpt-4o", "newcomers"] == "not attached"
    assert found["gpt-4o-mini", "newcomers"] == "open to everyone, limited"
    assert found["gpt-4o-mini", "engineers"] == "open to everyone, denied by a limit"
    assert found["embeddings", "analysts"] == "closed to everybody"
    assert found["helper", "analysts"].startswith("closed, the role is kept")
    assert ("gpt-4o", "default") not in found


def test_every_cell_agrees_with_the_plain_evaluator(editor: Client) -> None:
    shown = cells(editor.get(URL))
    assert len(shown) == Deployment.objects.count() * Role.objects.exclude(name="default").count()
    roles = {role for _, role in shown}
    told = evaluate([document()], [{"id": role, "roles": [role]} for role in roles], version=DEFAULT)["results"]
    reached = {(row["deployment"], row["principal"]): row["access"] for row in told}
    for cell, words in shown.items():
        assert reached[cell] == words.startswith(("attached", "open")), cell


def test_the_edges_count_people(editor: Client) -> None:
    response = editor.get(URL)
    people = {column.name: column.people for column in response.context["columns"].shown}
    assert people == {"analysts": 2, "engineers": 1, "newcomers": 1, "reporters": 0}
    reached = {line.row.name: line.people for _, group in response.context["groups"] for line in group}
    assert (reached["gpt-4o"], reached["gpt-4o-mini"], reached["embeddings"]) == (2, 3, 0)


def test_both_sides_are_filtered_sorted_and_undone_by_pills(editor: Client) -> None:
    asked = {"kind": "model", "q": "gpt", "held": "people", "order": "-people", "sort": "-people"}
    response = editor.get(URL, asked)
    assert [line.row.name for _, group in response.context["groups"] for line in group] == ["gpt-4o-mini", "gpt-4o"]
    assert [column.name for column in response.context["columns"].shown] == ["analysts", "engineers", "newcomers"]
    pills = {pill.label: pill.without for pill in response.context["asked"].pills}
    assert set(pills) == {"Deployment: gpt", "Kind: Model", "Roles: Somebody holds"}
    assert "kind" not in pills["Kind: Model"]
    nothing = editor.get(URL, {"q": "no such"}).content.decode()
    assert "No deployment matches" in nothing
    odd = editor.get(URL, {"kind": "nonsense", "sort": "nonsense", "page": "-3", "columns": "99999"})
    assert odd.status_code == 200
    assert cells(odd)


def test_only_what_is_seen_is_rendered_at_a_bounded_cost(editor: Client) -> None:
    def queries() -> tuple[int, int, bytes]:
        editor.get(URL)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            response = editor.get(URL)
        return len(captured), len(cells(response)), response.content

    few, *_ = queries()
    Role.objects.bulk_create([Role(name=f"team-{number:03}", pool=Role.Pool.PRESENT) for number in range(500)])
    make_draft(
        {
            **SETTINGS,
            "models": {f"model-{number:04}": {"userRoles": [f"team-{number % 500:03}"]} for number in range(1000)},
        }
    )
    many, shown, content = queries()
    assert many <= few
    assert shown == ROWS * COLUMNS
    assert len(content) < 400_000
    last = editor.get(URL, {"page": "999", "columns": "999"})
    assert last.context["rows"].last == last.context["rows"].total
    assert last.context["columns"].last == last.context["columns"].total


def test_a_cell_opens_on_the_page_and_alone_for_htmx(editor: Client) -> None:
    cell = cell_of("gpt-4o", "newcomers")
    page = editor.get(URL, {"cell": cell, "kind": "model"})
    assert "<!DOCTYPE html>" in page.content.decode()
    part = editor.get(URL, {"cell": cell, "kind": "model"}, headers={"HX-Request": "true", "HX-Target": "cell"})
    text = part.content.decode()
    assert text.strip() in re.sub(r"name=\"csrfmiddlewaretoken\" value=\"[^\"]*\"", "", page.content.decode()) or (
        "<!DOCTYPE html>" not in text
    )
    assert "newcomers on gpt-4o" in text
    assert "1 person gains it" in text
    assert f'name="next" value="{URL}?kind=model#c{cell}"' in text


def test_attaching_in_a_cell_leads_back_to_it(editor: Client) -> None:
    cell = cell_of("gpt-4o", "newcomers")
    opened = editor.get(URL, {"cell": cell}).context["opened"]
    sent = {"role": "newcomers", "seen": str(opened["seen"]), "next": opened["next"]}
    response = editor.post(f"/deployments/{deployment('gpt-4o').pk}/attach/", sent)
    assert response.headers["Location"] == f"{URL}?#c{cell}"
    assert "newcomers" in document()["models"]["gpt-4o"]["userRoles"]


def test_a_limit_is_shown_for_whom_it_changes_before_it_is_saved(editor: Client) -> None:
    url = f"/deployments/{deployment('gpt-4o').pk}/limit/?role=analysts"
    sent = {"state": "explicit", "minute": "50k", "preview": "yes"}
    before = document()
    whole = editor.post(url, sent).content.decode()
    assert "The limit falls for 1 person" in whole  # Grace is an engineer too, and they are unlimited
    assert "50,000" in whole
    part = editor.post(url, sent, headers={"HX-Request": "true"}).content.decode()
    assert "<!DOCTYPE html>" not in part
    assert "The limit falls for 1 person" in part
    wrong = editor.post(url, {**sent, "minute": "much"}, headers={"HX-Request": "true"})
    assert "Tokens per minute: Write a whole number" in wrong.content.decode()
    removed = editor.post(url, {"state": "inherit", "preview": "yes"}).content.decode()
    assert "The limit falls for 1 person" in removed  # to the 1,000 of default
    assert document() == before
    assert Limit.objects.filter(role__name="analysts").count() == 1


def test_a_limit_and_the_attachment_are_made_undone_and_shown_together(editor: Client) -> None:
    url = f"/deployments/{deployment('gpt-4o').pk}/limit/?role=newcomers"
    assert (
        'name="attach" value="yes" checked'
        in editor.get(URL, {"cell": cell_of("gpt-4o", "newcomers")}).content.decode()
    )
    assert 'name="attach" value="yes">' in editor.get(url).content.decode()  # on its own page one has to ask for it
    sent = {"state": "explicit", "day": "2k", "attach": "yes"}
    before = document()
    assert "1 person gains it" in editor.post(url, {**sent, "preview": "yes"}).content.decode()
    assert document() == before
    message = editor.post(url, sent, follow=True).content.decode()
    assert "newcomers is attached to gpt-4o, with its limit" in message
    assert "newcomers" in document()["models"]["gpt-4o"]["userRoles"]
    assert document()["roles"]["newcomers"]["limits"] == {"gpt-4o": {"day": 2000}}
    editor.post(re.findall(r'action="(/deployments/undo/\d+/)"', message)[0], {"together": "yes"})
    assert document()["models"] == before["models"]
    assert document()["roles"].get("newcomers", {"limits": {}})["limits"] == {}
    closed = f"/deployments/{deployment('embeddings').pk}/limit/?role=newcomers"
    editor.post(closed, sent)
    assert document()["models"]["embeddings"]["userRoles"] == []  # nothing closed is opened by the way


@pytest.mark.parametrize("cell", ["nonsense", "1.", ".1", "999999.1", "1.999999", "1" * 50])
def test_a_cell_that_there_is_none_of_is_not_found(editor: Client, cell: str) -> None:
    assert editor.get(URL, {"cell": cell}).status_code == 404


def test_an_auditor_sees_the_cells_and_nothing_to_change_them_by(
    client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    make_draft()
    page = client_of(vera).get(URL, {"cell": cell_of("gpt-4o", "analysts")}).content.decode()
    assert "analysts on gpt-4o" in page
    for control in ('name="ids"', 'id="toggle"', "/attach/", "/limit/", 'id="bulk"'):
        assert control not in page


def test_a_draft_that_core_would_refuse_still_shows_who_is_attached(editor: Client) -> None:
    make_draft({**SETTINGS, "addons": {"surprising": {"surprise": 1}}})
    response = editor.get(URL, {"cell": cell_of("embeddings", "analysts"), "kind": "model"})
    assert "Mend the errors" in response.context["problem"]
    assert cells(response)["gpt-4o", "analysts"] == "attached"


def test_an_empty_draft_says_what_to_do_next(client_of: Callable[[Staff], Client], edit: Staff) -> None:
    page = client_of(edit).get(URL).content.decode()
    assert "No deployments yet" in page
    assert "Import settings" in page


def test_the_shapes_differ_without_colour() -> None:
    by_shape: dict[str, set[str]] = {}
    for look in LOOKS.values():
        by_shape.setdefault(look.shape, set()).add(look.css)
    assert all(len(css) == 1 for css in by_shape.values())
