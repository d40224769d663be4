"""Two people at once: edits of different things never meet, and of the same thing neither is lost."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from deployments import actions, draft, seen
from deployments.core.versions import Version
from deployments.models import Deployment, Limit
from dialadmin.accounts.models import Staff
from dialadmin.history.recorder import Actor
from tests.deployments.factories import TESTER, deployment, make_draft

pytestmark = pytest.mark.django_db

OTHER = Actor(id="other", name="Olga")


@pytest.fixture(autouse=True)
def settings_draft() -> None:
    make_draft()


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


def address(verb: str) -> str:
    url = reverse(f"deployments:{verb}", args=[deployment("gpt-4o").pk])
    return f"{url}?role=analysts" if verb == "limit" else url


def shown(client: Client, url: str) -> str:
    """What the page's forms were made from."""
    found: set[str] = set(re.findall('name="seen" value="([^"]+)"', client.get(url).content.decode()))
    (state,) = found
    return state


def _form(text: str) -> str:
    """The form that sends mine again."""
    return text.split("Do mine now")[0].rpartition("<form")[2]


def other_attaches() -> None:
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=OTHER)


def other_closes() -> None:
    actions.set_access(deployment=deployment("gpt-4o"), access="closed", by=OTHER)


def other_limits() -> None:
    actions.set_limit(role_name="analysts", deployment_name="gpt-4o", limit={"minute": 7}, by=OTHER)


def other_describes() -> None:
    actions.change_deployment(deployment=deployment("gpt-4o"), fields={"description": "theirs"}, by=OTHER)


# Verb, page with the form, what is sent, what another does meanwhile, what the page has to say of both.
CASES: list[tuple[str, str, dict[str, Any], Callable[[], None], tuple[str, ...]]] = [
    ("set-access", "detail", {"access": "open", "confirmed": "open"}, other_attaches, ("open to everyone", "legal")),
    ("attach", "detail", {"role": "reporters"}, other_closes, ("reporters attached", "closed")),
    ("detach", "detail", {"role": "analysts"}, other_attaches, ("analysts detached", "legal")),
    ("limit", "limit", {"state": "explicit", "minute": "5"}, other_limits, ("minute 5", "minute 7")),
    ("change", "change", {"displayName": "GPT-4o", "description": "mine"}, other_describes, ("mine", "theirs")),
    ("delete", "delete", {"name": "gpt-4o"}, other_describes, ("deleted", "with changes")),
]


@pytest.mark.parametrize(("verb", "where", "sent", "meanwhile", "told"), CASES, ids=[case[0] for case in CASES])
def test_a_conflict_shows_both_and_loses_neither(
    editor: Client, verb: str, where: str, sent: dict[str, Any], meanwhile: Callable[[], None], told: tuple[str, ...]
) -> None:
    state = shown(editor, address(where))
    meanwhile()
    before = draft.document()
    response = editor.post(address(verb), {**sent, "seen": state})
    text = html.unescape(response.content.decode())
    assert response.status_code == 409
    assert draft.document() == before  # theirs stays
    assert all(word in text for word in (*told, "<strong>Olga</strong>"))
    again = dict(re.findall('<input type="hidden" name="([^"]+)" value="([^"]*)">', _form(text)))
    assert {key: again[key] for key in sent} == sent  # mine can be sent again as it is
    assert editor.post(address(verb), again).status_code == 302
    assert draft.document() != before


@pytest.mark.parametrize(("verb", "where", "sent", "meanwhile", "told"), CASES, ids=[case[0] for case in CASES])
def test_edits_of_other_things_do_not_get_in_the_way(
    editor: Client, verb: str, where: str, sent: dict[str, Any], meanwhile: Callable[[], None], told: tuple[str, ...]
) -> None:
    state = shown(editor, address(where))
    actions.set_access(deployment=deployment("search"), access="open", by=OTHER)
    actions.set_limit(role_name="engineers", deployment_name="gpt-4o", limit={"minute": 7}, by=OTHER)
    actions.set_target_version(version=Version.parse("0.40"), by=OTHER)
    assert editor.post(address(verb), {**sent, "seen": state}).status_code == 302


def test_two_who_attach_two_roles_do_not_meet(editor: Client) -> None:
    state = shown(editor, address("detail"))
    other_attaches()
    assert editor.post(address("attach"), {"role": "reporters", "seen": state}).status_code == 302
    roles = set(deployment("gpt-4o").roles.values_list("name", flat=True))
    assert roles == {"analysts", "engineers", "legal", "reporters"}


def test_a_page_that_asks_once_more_keeps_what_was_seen_first(editor: Client) -> None:
    state = shown(editor, address("detail"))
    other_attaches()
    asked = editor.post(address("set-access"), {"access": "closed", "seen": state})
    assert asked.status_code == 200
    assert f'value="{state}"' in asked.content.decode()
    sent = {"access": "closed", "confirmed": "closed", "seen": state}
    assert editor.post(address("set-access"), sent).status_code == 409
    assert deployment("gpt-4o").access == Deployment.Access.RESTRICTED


def test_the_target_version(editor: Client) -> None:
    page, verb = reverse("deployments:export"), reverse("deployments:set-version")
    state = shown(editor, page)
    actions.set_target_version(version=Version.parse("0.40"), by=OTHER)
    response = editor.post(verb, {"version": "0.42", "seen": state})
    assert response.status_code == 409
    assert "Core 0.42" in response.content.decode()
    assert draft.current().target_version == "0.40"
    assert editor.post(verb, {"version": "0.42", "seen": shown(editor, page)}).status_code == 302
    assert draft.current().target_version == "0.42"


def test_an_import_of_the_same_is_no_conflict_though_secrets_are_encrypted_anew() -> None:
    state = str(seen.of_deployment(deployment("gpt-4o")))
    make_draft()
    assert actions.change_deployment(
        deployment=deployment("gpt-4o"), fields={"description": "mine"}, by=TESTER, seen=state
    )


@pytest.mark.parametrize("state", ["nonsense", "a.b.c.d", ""])
def test_a_state_that_no_page_made_is_a_conflict(state: str) -> None:
    with pytest.raises(actions.ConflictError):
        actions.set_limit(role_name="analysts", deployment_name="gpt-4o", limit={"minute": 1}, by=TESTER, seen=state)
    assert draft.load_text(Limit.objects.get(role__name="analysts").body) == {"minute": "100000"}
