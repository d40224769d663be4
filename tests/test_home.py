"""The home page in every state of the workspace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from roles.models import SyncRun

pytestmark = pytest.mark.django_db


def test_an_empty_workspace_says_what_to_do_first(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    page = client_of(ada).get("/").content.decode()
    assert "What to do next" in page
    assert "Read the pool" in page


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_a_first_sync_that_changed_nothing_is_told(
    state: str, client_of: Callable[[Staff], Client], ada: Staff
) -> None:
    SyncRun.objects.create(state=state, by="test", error="Cognito refused the read.")
    response = client_of(ada).get("/")
    assert response.status_code == 200
    assert f"{state} " in response.content.decode()
    assert "Last good one: never" in response.content.decode()


@pytest.mark.parametrize(
    ("act", "done"), [("draft.exported", False), ("release.downloaded", True), ("publication.published", True)]
)
def test_the_last_step_is_done_by_a_release_and_not_by_an_export_of_the_draft(
    act: str, done: bool, client_of: Callable[[Staff], Client], ada: Staff
) -> None:
    Entry.objects.create(act=act, actor_name="Ada", note="for the test")
    page = client_of(ada).get("/").content.decode()
    assert ('Review and release <span class="visually-hidden">(done)</span>' in page) is done
