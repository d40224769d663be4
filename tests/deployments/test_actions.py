"""Each act changes the draft as Core would read it, and history with it, or neither."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from deployments import actions
from deployments.document import split
from deployments.models import Deployment, Draft, Limit
from dialadmin.history.models import Entry
from roles.models import Role
from tests.deployments.factories import SECRETS, SETTINGS, TESTER, deployment, document, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def draft() -> None:
    make_draft()


def user_roles(name: str) -> Any:
    return document()["models"][name].get("userRoles", "absent")


def latest() -> Entry:
    entry = Entry.objects.first()
    assert entry is not None
    return entry


def test_attaching_a_role_adds_it_to_user_roles() -> None:
    assert actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    assert user_roles("gpt-4o") == ["analysts", "engineers", "legal"]
    assert (latest().act, latest().target_name) == ("deployment.role-attached", "gpt-4o")


def test_attaching_what_is_attached_changes_nothing() -> None:
    entries, version = Entry.objects.count(), Draft.objects.get().version
    assert not actions.attach_role(deployment=deployment("gpt-4o"), role_name="analysts", by=TESTER)
    assert Entry.objects.count() == entries
    assert Draft.objects.get().version == version


def test_attaching_to_a_closed_deployment_opens_it_to_that_role_alone() -> None:
    actions.attach_role(deployment=deployment("embeddings"), role_name="legal", by=TESTER)
    assert user_roles("embeddings") == ["legal"]


def test_attaching_to_a_deployment_closed_by_hand_does_not_bring_back_its_old_roles() -> None:
    actions.set_access(deployment=deployment("gpt-4o"), access="closed", by=TESTER)
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    assert user_roles("gpt-4o") == ["legal"]


def test_attaching_to_an_open_deployment_restricts_it() -> None:
    actions.attach_role(deployment=deployment("gpt-4o-mini"), role_name="legal", by=TESTER)
    assert user_roles("gpt-4o-mini") == ["legal"]


def test_detaching_the_last_role_closes_and_never_opens() -> None:
    actions.detach_role(deployment=deployment("gpt-4o"), role_name="analysts", by=TESTER)
    assert user_roles("gpt-4o") == ["engineers"]
    actions.detach_role(deployment=deployment("gpt-4o"), role_name="engineers", by=TESTER)
    assert user_roles("gpt-4o") == []
    assert deployment("gpt-4o").access == "closed"


def test_opening_leaves_user_roles_out_and_restricting_brings_the_roles_back() -> None:
    actions.set_access(deployment=deployment("gpt-4o"), access="open", by=TESTER, note="for the pilot")
    assert user_roles("gpt-4o") == "absent"
    assert latest().note == "for the pilot"
    actions.set_access(deployment=deployment("gpt-4o"), access="restricted", by=TESTER)
    assert user_roles("gpt-4o") == ["analysts", "engineers"]


def test_restricting_without_roles_closes() -> None:
    actions.set_access(deployment=deployment("gpt-4o-mini"), access="restricted", by=TESTER)
    assert user_roles("gpt-4o-mini") == []


@pytest.mark.parametrize("limit", [{}, {"minute": 5000}, {"minute": 0, "requestDay": 10}])
def test_a_limit_is_written_under_its_role(limit: dict[str, int]) -> None:
    assert actions.set_limit(role_name="analysts", deployment_name="gpt-4o", limit=limit, by=TESTER)
    assert document()["roles"]["analysts"]["limits"]["gpt-4o"] == limit


def test_inheriting_takes_the_entry_out_and_keeps_the_role() -> None:
    actions.set_limit(role_name="analysts", deployment_name="gpt-4o", limit=None, by=TESTER)
    assert document()["roles"]["analysts"] == {"limits": {}}


def test_a_limit_of_a_role_without_an_entry_makes_one_with_limits() -> None:
    actions.set_limit(role_name="legal", deployment_name="gpt-4o", limit={"day": 7}, by=TESTER)
    roles = document()["roles"]
    assert roles["legal"] == {"limits": {"gpt-4o": {"day": 7}}}
    assert list(roles)[-1] == "legal"


def test_an_equal_limit_is_no_change() -> None:
    entries = Entry.objects.count()
    assert not actions.set_limit(role_name="analysts", deployment_name="gpt-4o", limit={"minute": "100000"}, by=TESTER)
    assert not actions.set_limit(role_name="legal", deployment_name="gpt-4o", limit=None, by=TESTER)
    assert Entry.objects.count() == entries


def test_a_new_deployment_is_closed() -> None:
    actions.create_deployment(kind="model", name="new", body={"endpoint": "http://n"}, by=TESTER)
    assert document()["models"]["new"] == {"endpoint": "http://n", "userRoles": []}


def test_a_deleted_deployment_leaves_the_document_and_limits_of_its_name_stay() -> None:
    actions.delete_deployment(deployment=deployment("gpt-4o"), by=TESTER)
    assert "gpt-4o" not in document()["models"]
    assert Limit.objects.filter(deployment_name="gpt-4o").count() == 3


def test_changing_the_display_name_keeps_the_rest_of_the_entry() -> None:
    before = document()["models"]["gpt-4o"]
    assert actions.change_deployment(deployment=deployment("gpt-4o"), fields={"displayName": "Four o"}, by=TESTER)
    assert document()["models"]["gpt-4o"] == {**before, "displayName": "Four o"}
    assert Deployment.objects.get(name="gpt-4o").display_name == "Four o"
    assert not actions.change_deployment(deployment=deployment("gpt-4o"), fields={"description": ""}, by=TESTER)


def test_what_is_not_edited_stays_value_for_value() -> None:
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    expected = {**SETTINGS, "models": {**SETTINGS["models"]}}
    expected["models"]["gpt-4o"] = {**SETTINGS["models"]["gpt-4o"], "userRoles": ["analysts", "engineers", "legal"]}
    assert document() == expected


def test_nothing_is_changed_when_history_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    before = document()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no history")

    monkeypatch.setattr(actions, "record", broken)
    changes: list[Any] = [
        lambda: actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER),
        lambda: actions.detach_role(deployment=deployment("gpt-4o"), role_name="analysts", by=TESTER),
        lambda: actions.set_access(deployment=deployment("gpt-4o"), access="open", by=TESTER),
        lambda: actions.set_limit(role_name="legal", deployment_name="gpt-4o", limit={}, by=TESTER),
        lambda: actions.create_deployment(kind="model", name="new", body={}, by=TESTER),
        lambda: actions.delete_deployment(deployment=deployment("gpt-4o"), by=TESTER),
        lambda: make_draft({"models": {}}),
        lambda: actions.rotate_secrets(by=TESTER),
    ]
    for change in changes:
        with pytest.raises(RuntimeError, match="no history"):
            change()
    assert document() == before
    assert not Role.objects.filter(name="legal").exists()


def test_a_stale_import_is_refused() -> None:
    version = Draft.objects.get().version
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    before = document()
    with pytest.raises(actions.ConflictError):
        actions.replace_draft(parts=split({}), by=TESTER, note="", summary={}, version=version)
    assert document() == before


def test_secrets_are_encrypted_at_rest_and_absent_from_history() -> None:
    actions.change_deployment(deployment=deployment("gpt-4o"), fields={"displayName": "x"}, by=TESTER)
    for model in apps.get_models():
        for row in model._default_manager.values():
            assert not any(secret in str(row) for secret in SECRETS), model


def test_rotation_moves_every_secret_to_the_first_key(settings: Any) -> None:
    before = document()
    new = "v2mQZ8mV2o9f1rQxkZC7xqWmV1l4yqU0mD3pS3k9X0A="
    settings.ENCRYPTION_KEYS = [new, *settings.ENCRYPTION_KEYS]
    assert actions.rotate_secrets(by=TESTER) >= 3
    settings.ENCRYPTION_KEYS = [new]
    assert document() == before


def test_an_import_drops_roles_that_only_the_settings_named_and_keeps_those_made_by_hand() -> None:
    Role.objects.create(name="made-for-later")
    make_draft({"models": {"gpt-4o": {"userRoles": ["engineers"]}}})
    kept = set(Role.objects.values_list("name", flat=True))
    assert kept == {"made-for-later", "engineers"}
