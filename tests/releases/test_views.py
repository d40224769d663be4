"""Review, release and restore, as people do it on pages."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from deployments import actions as draft_actions
from deployments import exports
from deployments.releases import reading
from deployments.releases.models import Release
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from tests.deployments.factories import SECRETS, SETTINGS, deployment, document, make_draft, make_user
from tests.releases.test_release import release

pytestmark = pytest.mark.django_db

REVIEW, MAKE = reverse("releases:review"), reverse("releases:make")


@pytest.fixture(autouse=True)
def draft() -> None:
    make_draft()
    for name, groups in (("grace", ["analysts"]), ("alan", ["engineers"]), ("ruth", ["analysts", "engineers"])):
        make_user(name, *groups)
    make_user("nobody")


@pytest.fixture
def publisher(client_of: Callable[[Staff], Client], ada: Staff) -> Client:
    return client_of(ada)


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


def page(client: Client, url: str = REVIEW, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status
    return html.unescape(response.content.decode())


def detach(by: Staff | None, name: str = "gpt-4o", role: str = "analysts") -> None:
    actor = Actor.staff(by) if by else Actor.command("tests")
    draft_actions.detach_role(deployment=deployment(name), role_name=role, by=actor)


def form(client: Client) -> dict[str, str]:
    """What the form of the review sends, with a note."""
    (seen,) = re.findall('name="seen" value="([^"]+)"', page(client))
    return {"seen": seen, "note": "asked for"}


def test_the_first_review_says_that_nothing_was_released(publisher: Client) -> None:
    text = page(publisher)
    assert "Nothing has been released yet" in text
    assert "Opens to everyone:" in text
    assert "Nothing has been released yet" in page(publisher, reverse("releases:list"))


def test_a_review_says_who_loses_what_and_names_them(publisher: Client, edit: Staff) -> None:
    release()
    detach(edit)
    text = page(publisher)
    assert "The draft against release 1" in text
    assert "takes away analysts" in text
    assert 'aria-label="1 person loses gpt-4o"' in text  # ruth keeps it as an engineer
    names = page(publisher, reverse("releases:people") + "?change=loses&section=models&name=gpt-4o")
    assert "grace" in names
    assert "ruth" not in names
    assert "grace" in page(publisher, reverse("releases:people") + "?change=loses")
    page(publisher, reverse("releases:people") + "?change=loses&section=models&name=other", status=404)
    page(publisher, reverse("releases:people") + "?change=nonsense", status=404)


def test_no_page_shows_a_secret(publisher: Client) -> None:
    release()
    changed = json.loads(json.dumps(SETTINGS).replace("upstream-secret", "upstream-secret-2"))
    changed["keys"]["odd-key-secret"] = None
    make_draft(changed)
    for url in (REVIEW, reverse("releases:detail", args=[1]), reverse("releases:restore", args=[1])):
        text = page(publisher, url)
        assert not any(secret in text for secret in (*SECRETS, "odd-key-secret")), url
    assert "upstreams" in page(publisher)  # that it differs is told


def test_a_review_that_was_read_is_released(publisher: Client) -> None:
    release()
    detach(None)
    response = publisher.post(MAKE, form(publisher) | {"typed": "2"})
    assert response.headers["Location"] == reverse("releases:detail", args=[2])
    made = reading.by_number(2)
    assert made is not None
    assert (made.note, made.author_name) == ("asked for", "Ada")
    assert reading.data(made) == exports.export().data
    text = page(publisher, reverse("releases:detail", args=[2]))
    assert made.digest in text
    assert "restricted to analysts, engineers → restricted to engineers" in text
    assert "Release 2" in page(publisher, reverse("releases:list"))


def test_a_stale_review_is_shown_anew_with_what_changed_since(publisher: Client, edit: Staff) -> None:
    release()
    detach(None)
    sent = form(publisher)
    detach(edit, "search", "engineers")
    response = publisher.post(MAKE, sent)
    text = html.unescape(response.content.decode())
    assert response.status_code == 409
    assert Release.objects.count() == 1
    assert "<strong>Edit</strong> detached engineers from search" in text
    assert "detached analysts from gpt-4o" not in text.split("What changes for people")[0]
    assert "asked for" in text  # the note is not lost
    assert f'value="{reading.basis()}"' in text


def test_what_opens_to_everyone_asks_for_the_number(publisher: Client) -> None:
    release()
    draft_actions.set_access(deployment=deployment("gpt-4o"), access="open", by=Actor.command("tests"))
    sent = form(publisher)
    response = publisher.post(MAKE, sent)
    assert response.status_code == 400
    assert "It opens gpt-4o to everyone." in response.content.decode()
    assert publisher.post(MAKE, sent | {"typed": "3"}).status_code == 400
    assert publisher.post(MAKE, sent | {"typed": " 2 "}).status_code == 302


def test_taking_access_from_many_asks_for_the_number(publisher: Client, settings: Settings) -> None:
    release()
    detach(None)
    settings.RELEASE_REMOVAL_SHARE = 0.2
    response = publisher.post(MAKE, form(publisher))
    assert "It takes access from 1 of 4 people, more than 20% of them." in response.content.decode()
    detach(None, "search", "engineers")
    settings.RELEASE_REMOVAL_SHARE = 0.75
    assert publisher.post(MAKE, form(publisher)).status_code == 302


def test_four_eyes(publisher: Client, ada: Staff, edit: Staff, settings: Settings) -> None:
    release()
    settings.FOUR_EYES = True
    detach(ada)
    assert "You alone have edited the draft" in page(publisher)
    sent = {"seen": str(reading.basis()), "note": "mine", "typed": "2"}
    assert "FOUR_EYES asks for two people" in publisher.post(MAKE, sent).content.decode()
    assert Release.objects.count() == 1
    detach(edit, "search", "engineers")
    assert "Edited since the last release by Ada, Edit." in page(publisher)
    assert publisher.post(MAKE, form(publisher) | {"typed": "2"}).status_code == 302


def test_four_eyes_lets_somebody_release_what_another_edited(
    publisher: Client, edit: Staff, settings: Settings
) -> None:
    release()
    settings.FOUR_EYES = True
    detach(edit)
    assert publisher.post(MAKE, form(publisher) | {"typed": "2"}).status_code == 302


def test_what_was_released_already_is_not_released_again(publisher: Client) -> None:
    release()
    assert "Nothing has changed" in page(publisher)
    sent = {"seen": str(reading.basis()), "note": "again"}
    assert "there is nothing to release" in publisher.post(MAKE, sent).content.decode()


def test_an_editor_reads_a_review_and_cannot_release(editor: Client) -> None:
    text = page(editor)
    assert "Releasing takes the level <strong>publisher</strong>" in text
    assert "Make release 1" not in text


def test_a_draft_that_core_refuses_shows_why(publisher: Client) -> None:
    make_draft({"models": {"m": {"type": "chat", "typo": 1}}})
    text = page(publisher)
    assert "could not use this draft: 1 error" in text
    assert "Make release" not in text
    sent = {"seen": str(reading.basis()), "note": "again"}
    assert publisher.post(MAKE, sent).status_code == 400


def test_a_download_is_exact_and_recorded(publisher: Client, editor: Client) -> None:
    made = release()
    url = reverse("releases:download", args=[1])
    response = publisher.post(url)
    assert response.content == reading.data(made)
    assert response.headers["ETag"] == f'"{made.digest}"'
    entry = Entry.objects.first()
    assert entry is not None
    assert (entry.act, entry.target_id, entry.actor_name) == ("release.downloaded", "1", "Ada")
    assert editor.post(url).status_code == 403


def test_restoring_brings_back_the_same_bytes(publisher: Client) -> None:
    first = release()
    detach(None)
    draft_actions.set_limit(
        role_name="analysts", deployment_name="search", limit={"minute": 3}, by=Actor.command("tests")
    )
    release()
    make_draft({"models": {"other": {"type": "chat"}}})
    restore = reverse("releases:restore", args=[1])
    text = page(publisher, restore)
    assert 'aria-label="2 people gain search"' in text or 'aria-label="2 people gain gpt-4o"' in text
    assert "grace" in page(publisher, reverse("releases:people") + "?change=gains&restore=1")
    (version,) = re.findall('name="draft_version" value="([0-9]+)"', text)
    response = publisher.post(restore, {"draft_version": version})
    assert response.headers["Location"] == REVIEW
    assert exports.export().data == reading.data(first)
    assert publisher.post(MAKE, form(publisher) | {"typed": "3"}).status_code == 302
    made = reading.by_number(3)
    assert made is not None
    assert made.restored_from == 1
    assert made.digest == first.digest
    assert "restored from 1" in page(publisher, reverse("releases:list"))


def test_restoring_over_a_changed_draft_shows_it_first(publisher: Client) -> None:
    release()
    detach(None)
    restore = reverse("releases:restore", args=[1])
    (version,) = re.findall('name="draft_version" value="([0-9]+)"', page(publisher, restore))
    detach(None, "search", "engineers")
    before = document()
    response = publisher.post(restore, {"draft_version": version})
    assert response.headers["Location"] == restore
    assert document() == before


def test_restoring_what_the_draft_says_changes_nothing(publisher: Client) -> None:
    release()
    assert "The draft says this already" in page(publisher, reverse("releases:restore", args=[1]))
    entries = Entry.objects.count()
    publisher.post(reverse("releases:restore", args=[1]), {"draft_version": str(reading.basis().draft_version)})
    assert Entry.objects.count() == entries


@pytest.mark.parametrize("name", ["review", "detail", "restore", "list", "people"])
def test_pages_take_as_many_queries_for_much_as_for_little(publisher: Client, name: str) -> None:
    def queries() -> int:
        url = reverse(f"releases:{name}", args=[1] if name in ("detail", "restore") else [])
        with CaptureQueriesContext(connection) as captured:
            assert publisher.get(url + ("?change=loses" if name == "people" else "")).status_code == 200
        return len(captured)

    release()
    detach(None)
    little = queries()
    much: dict[str, Any] = {
        **SETTINGS,
        "models": {**SETTINGS["models"], **{f"m{n}": {"type": "chat", "userRoles": ["analysts"]} for n in range(30)}},
        "roles": {**SETTINGS["roles"], **{f"r{n}": {"limits": {"gpt-4o": {"day": n}}} for n in range(30)}},
        "keys": {f"k{n}": {"project": "p", "role": f"r{n}"} for n in range(30)},
    }
    for number in range(30):
        make_user(f"user{number}", f"r{number}")
    make_draft(much)
    assert queries() <= little
