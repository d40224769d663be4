"""The JSON view: secrets stay masked and stay themselves, errors stand at their line, nothing is saved unseen."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from deployments import actions
from deployments.core.text import locate
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from roles.models import ApiKey, Role
from tests.deployments.factories import SECRETS, SETTINGS, TESTER, deployment, document, make_draft, make_user

pytestmark = pytest.mark.django_db

MASK = "••••••••"


@pytest.fixture(autouse=True)
def rows() -> None:
    make_draft()


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


def address(kind: str) -> str:
    if kind == "role":
        return reverse("deployments:role-json", args=[Role.objects.get(name="analysts").pk])
    if kind == "key":
        return reverse("deployments:key-json", args=[ApiKey.objects.get().pk])
    return reverse("deployments:json", args=[deployment(kind).pk])


def entry(response: Any) -> Any:
    return json.loads(response.context["text"])


def send(client: Client, kind: str, value: object, **extra: str) -> Any:
    """Post a text, or a value as text, with what the page hides in its form."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    seen = client.get(address(kind)).context["seen"]
    return client.post(address(kind), {"text": text, "seen": seen, **extra})


def save(client: Client, kind: str, value: object) -> Any:
    """Both steps: look at what changes, then save just that."""
    shown = send(client, kind, value)
    assert shown.status_code == 200, shown.context["problems"]
    context = shown.context
    form = {name: context[name] for name in ("text", "seen", "sealed")}
    return client.post(address(kind), {**form, "save": "yes"})


@pytest.mark.parametrize("kind", ["gpt-4o", "calendar", "role", "key"])
def test_no_secret_is_shown_to_anybody(
    kind: str, client_of: Callable[[Staff], Client], vera: Staff, ada: Staff
) -> None:
    for staff in (vera, ada):
        page = client_of(staff).get(address(kind))
        assert page.status_code == 200
        assert not [secret for secret in SECRETS if secret in page.content.decode()]
    assert "<textarea" not in client_of(vera).get(address(kind)).content.decode()


def test_who_may_only_read_cannot_post(client_of: Callable[[Staff], Client], vera: Staff) -> None:
    assert client_of(vera).post(address("gpt-4o"), {"text": "{}", "seen": "x"}).status_code == 403


def test_a_mask_that_stays_keeps_its_secret_wherever_it_goes(editor: Client) -> None:
    value = entry(editor.get(address("gpt-4o")))
    assert value["upstreams"][0]["key"] == f"{MASK} 1"
    value["upstreams"] = [{"endpoint": "http://new"}, {"endpoint": "http://second", "key": f"{MASK} 1"}]
    value["displayName"] = "Changed"
    assert save(editor, "gpt-4o", value).status_code == 302
    saved = document()["models"]["gpt-4o"]
    assert saved["upstreams"][1] == {"endpoint": "http://second", "key": "upstream-secret"}
    assert saved["displayName"] == "Changed"
    assert saved["userRoles"] == ["analysts", "engineers"]
    assert saved["pricing"] == SETTINGS["models"]["gpt-4o"]["pricing"]


def test_a_mask_in_the_open_stays_a_mask(editor: Client) -> None:
    value = {**entry(editor.get(address("gpt-4o"))), "description": f"{MASK} 1"}
    save(editor, "gpt-4o", value)
    assert document()["models"]["gpt-4o"]["description"] == f"{MASK} 1"


def test_a_new_secret_is_masked_from_the_preview_on_and_never_in_history(editor: Client) -> None:
    value = entry(editor.get(address("gpt-4o")))
    value["upstreams"][0]["key"] = "brand-new-secret"
    shown = send(editor, "gpt-4o", value)
    assert "brand-new-secret" not in shown.content.decode()
    assert save(editor, "gpt-4o", value).status_code == 302
    assert document()["models"]["gpt-4o"]["upstreams"][0]["key"] == "brand-new-secret"
    noted = Entry.objects.filter(act="deployment.entry-changed").latest("pk")
    assert "secret" not in json.dumps([noted.before, noted.after])
    assert list(noted.after or {}) == ["upstreams"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{\n  "type": "chat",\n}', 3),
        ('{\n  "type": "chat",\n  "nonsense": 1\n}', 3),
        ('{\n  "type": "chat",\n  "upstreams": [\n    {},\n    {"weight": "x"}\n  ]\n}', 5),
        ('{\n  "upstreams": [{"key":\n "•••••••• 9"}]\n}', 3),
        ("null", 1),
        ("[]", 1),
        ("", 0),
    ],
)
def test_what_core_would_refuse_is_refused_at_its_line(editor: Client, text: str, line: int) -> None:
    before = document()
    response = send(editor, "gpt-4o", text)
    assert response.status_code == 400
    assert [problem.line for problem in response.context["problems"]] == [line]
    assert "Nothing was saved" in response.content.decode()
    assert document() == before


def test_nothing_is_saved_before_it_is_shown(editor: Client) -> None:
    make_user("grace")
    before, entries = document(), Entry.objects.count()
    shown = send(editor, "gpt-4o", {"type": "chat", "endpoint": "http://adapter/gpt-4o"})
    assert "restricted to analysts, engineers → open to everyone" in shown.content.decode()
    assert [line.words for line in shown.context["lines"]] == ["restricted → open to everyone"]
    assert (document(), Entry.objects.count()) == (before, entries)


def test_a_role_with_its_limits_and_a_role_that_had_no_entry(editor: Client) -> None:
    assert entry(editor.get(address("role"))) == {"limits": {"gpt-4o": {"minute": "100000"}}}
    save(editor, "role", {"limits": {"gpt-4o-mini": {"day": 5}}})
    assert document()["roles"]["analysts"] == {"limits": {"gpt-4o-mini": {"day": 5}}}
    Role.objects.create(name="new")
    url = reverse("deployments:role-json", args=[Role.objects.get(name="new").pk])
    page = editor.get(url)
    assert entry(page) == {"limits": {}}
    form = {"text": '{"limits": {"gpt-4o": {}}}', "seen": page.context["seen"], "save": "yes"}
    assert editor.post(url, form).status_code == 302
    assert document()["roles"]["new"] == {"limits": {"gpt-4o": {}}}


def test_an_api_key_changes_its_roles_and_keeps_its_value(editor: Client) -> None:
    assert entry(editor.get(address("key"))) == {"project": "reporting", "role": "reporters"}
    save(editor, "key", {"project": "reporting", "roles": ["analysts", "reporters"]})
    assert document()["keys"] == {"api-key-secret": {"project": "reporting", "roles": ["analysts", "reporters"]}}
    assert Entry.objects.filter(act="key.changed").get().target_name == "reporting"


def test_roles_that_a_closed_deployment_keeps_in_mind_stay(editor: Client) -> None:
    actions.set_access(deployment=deployment("gpt-4o"), access="closed", by=TESTER)
    save(editor, "gpt-4o", {**entry(editor.get(address("gpt-4o"))), "description": "Closed for now"})
    row = deployment("gpt-4o")
    assert (row.access, row.attachments.count()) == ("closed", 2)


def test_somebody_elses_change_is_not_overwritten(editor: Client) -> None:
    page = editor.get(address("gpt-4o"))
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="reporters", by=TESTER)
    form = {"text": page.context["text"], "seen": page.context["seen"], "save": "yes"}
    response = editor.post(address("gpt-4o"), form)
    assert response.status_code == 409
    assert "somebody else has changed this entry" in response.content.decode()
    assert "reporters" in document()["models"]["gpt-4o"]["userRoles"]


def test_what_was_not_sealed_here_is_not_believed(editor: Client) -> None:
    response = send(editor, "gpt-4o", "{}", sealed="gAAAAAforged", save="yes")
    assert response.status_code == 400


def test_the_same_text_changes_nothing(editor: Client) -> None:
    entries = Entry.objects.count()
    assert re.search(
        "Core would read the same", send(editor, "role", entry(editor.get(address("role")))).content.decode()
    )
    assert Entry.objects.count() == entries


@pytest.mark.parametrize(
    ("path", "line"),
    [((), 1), (("a",), 2), (("a", 1), 4), (("a", 1, "b"), 5), (("c:d",), 8), (("absent",), 1), (("a", 1, "absent"), 4)],
)
def test_a_path_is_found_on_its_line(path: tuple[str | int, ...], line: int) -> None:
    text = '{\n  "a": [\n    "x, {",\n    {\n      "b": ":"\n    }\n  ],\n  "c\\u003ad": 1\n}'
    assert locate(text, path) == line
