"""The pages of the draft: what they show, ask, refuse and change."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deployments import actions
from deployments.models import PendingImport
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from tests.deployments.factories import SECRETS, SETTINGS, TESTER, deployment, document, make_draft, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def draft() -> None:
    make_draft()
    make_user("grace", "analysts", "engineers")
    make_user("alan", "analysts")
    make_user("kurt")
    make_user("edsger", "analysts", enabled=False)


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


@pytest.fixture
def publisher(client_of: Callable[[Staff], Client], ada: Staff) -> Client:
    return client_of(ada)


def url(verb: str, name: str = "gpt-4o") -> str:
    return reverse(f"deployments:{verb}", args=[deployment(name).pk])


def user_roles(name: str) -> object:
    return document()["models"][name].get("userRoles", "absent")


def test_the_list_counts_people_once_and_only_those_who_are_enabled(editor: Client) -> None:
    page = editor.get(reverse("deployments:list"), {"q": "gpt-4o", "access": "restricted"}).content.decode()
    assert 'data-label="People">2<' in page
    assert "gpt-4o-mini" not in page


def test_lists_are_downloaded_as_they_are_narrowed_and_without_secrets(editor: Client) -> None:
    response = editor.get(reverse("deployments:list"), {"format": "csv", "kind": "model", "columns": "people"})
    assert response.headers["Content-Disposition"] == 'attachment; filename="deployments.csv"'
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert text.splitlines() == ["Name,People", "embeddings,nobody", "gpt-4o,2", "gpt-4o-mini,everyone"]
    keys = editor.get(reverse("deployments:keys"), {"format": "csv"})
    text = b"".join(keys.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert text.splitlines()[1:] == ["reporting,••••••••,reporters"]


def test_the_list_takes_as_many_queries_for_few_rows_as_for_many(editor: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert editor.get(reverse("deployments:list")).status_code == 200
        return len(captured)

    few = queries()
    for number in range(30):
        actions.create_deployment(kind="model", name=f"more-{number}", body={}, by=TESTER)
        actions.attach_role(deployment=deployment(f"more-{number}"), role_name="analysts", by=TESTER)
    assert queries() == few


@pytest.mark.parametrize("page", ["detail", "delete"])
def test_a_deployment_takes_as_many_queries_for_few_roles_as_for_many(editor: Client, page: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert editor.get(url(page)).status_code == 200
        return len(captured)

    few = queries()
    for number in range(20):
        actions.attach_role(deployment=deployment("gpt-4o"), role_name=f"role-{number}", by=TESTER)
        actions.set_limit(role_name=f"role-{number}", deployment_name="gpt-4o", limit={"day": 1}, by=TESTER)
    assert queries() <= few + 1  # the history block, empty before


def test_a_deployment_tells_the_states_of_its_limits_apart(editor: Client) -> None:
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="guests", by=TESTER)
    actions.set_limit(role_name="guests", deployment_name="gpt-4o", limit={"minute": 0}, by=TESTER)
    page = editor.get(url("detail")).content.decode()
    for words in ("Unlimited", "From default", "Denied by limit", "100,000", "50,000"):
        assert words in page


def test_no_page_shows_a_secret(publisher: Client) -> None:
    addresses = [
        *(reverse(f"deployments:{name}") for name in ("list", "keys", "checks", "export", "import")),
        *(url("detail", name) for name in ("gpt-4o", "calendar", "helper", "first")),
        reverse("history:list"),
        reverse("home"),
    ]
    for address in addresses:
        response = publisher.get(address)
        assert response.status_code == 200
        assert not any(secret in response.content.decode() for secret in SECRETS), address


def test_attaching_a_known_role_needs_no_confirmation(editor: Client) -> None:
    make_user("ruth", "legal")
    assert editor.post(url("attach"), {"role": "legal"}).status_code == 302
    assert user_roles("gpt-4o") == ["analysts", "engineers", "legal"]


def test_attaching_an_unknown_name_asks_and_offers_the_nearest(editor: Client) -> None:
    response = editor.post(url("attach", "embeddings"), {"role": "analyst"})
    assert response.status_code == 200
    assert "Did you mean <strong>analysts</strong>" in response.content.decode()
    assert user_roles("embeddings") == []
    editor.post(url("attach", "embeddings"), {"role": "analyst", "confirmed": "analyst"})
    assert user_roles("embeddings") == ["analyst"]


def test_attaching_to_an_open_deployment_asks_first(editor: Client) -> None:
    response = editor.post(url("attach", "gpt-4o-mini"), {"role": "analysts"})
    assert "open to everyone now" in response.content.decode()
    assert user_roles("gpt-4o-mini") == "absent"


@pytest.mark.parametrize("name", [" analysts", "analysts ", "", "x" * 513])
def test_a_role_name_that_would_match_nobody_is_refused_beside_the_field(editor: Client, name: str) -> None:
    response = editor.post(url("attach"), {"role": name})
    assert response.status_code == 400
    assert 'aria-invalid="true"' in response.content.decode()
    assert user_roles("gpt-4o") == ["analysts", "engineers"]


def test_detaching_can_be_undone(editor: Client) -> None:
    page = editor.post(url("detach"), {"role": "analysts"}, follow=True).content.decode()
    assert user_roles("gpt-4o") == ["engineers"]
    assert "Undo" in page
    editor.post(url("attach"), {"role": "analysts", "confirmed": "analysts"})
    assert user_roles("gpt-4o") == ["engineers", "analysts"]


def test_detaching_the_last_role_asks_and_then_closes(editor: Client) -> None:
    editor.post(url("detach"), {"role": "analysts"})
    response = editor.post(url("detach"), {"role": "engineers"})
    assert "It does not become open" in response.content.decode()
    assert user_roles("gpt-4o") == ["engineers"]
    editor.post(url("detach"), {"role": "engineers", "confirmed": "engineers"})
    assert user_roles("gpt-4o") == []


def test_detaching_a_role_that_gives_it_to_many_asks_first(editor: Client) -> None:
    for number in range(10):
        make_user(f"analyst-{number}", "analysts")
    response = editor.post(url("detach"), {"role": "analysts"})
    assert "people lose it" in response.content.decode()
    assert user_roles("gpt-4o") == ["analysts", "engineers"]
    editor.post(url("detach"), {"role": "analysts", "confirmed": "analysts"})
    assert user_roles("gpt-4o") == ["engineers"]


@pytest.mark.parametrize(
    ("name", "access", "words"),
    [
        ("gpt-4o", "open", "1 person gains it"),
        ("gpt-4o", "closed", "2 people lose it"),
        ("gpt-4o-mini", "closed", "3 people lose it"),
    ],
)
def test_a_change_of_access_says_who_gains_or_loses_before_it_is_made(
    editor: Client, name: str, access: str, words: str
) -> None:
    before = user_roles(name)
    assert words in editor.post(url("set-access", name), {"access": access}).content.decode()
    assert user_roles(name) == before
    editor.post(url("set-access", name), {"access": access, "confirmed": access, "note": "asked for by legal"})
    assert user_roles(name) == ("absent" if access == "open" else [])
    entry = Entry.objects.first()
    assert entry is not None
    assert entry.note == "asked for by legal"


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ({"state": "explicit", "minute": "200k", "day": "1.5M"}, {"minute": 200_000, "day": 1_500_000}),
        ({"state": "explicit", "minute": "10,000"}, {"minute": 10_000}),
        ({"state": "explicit", "requestHour": "0"}, {"requestHour": 0}),
        ({"state": "unlimited", "minute": "ignored"}, {}),
    ],
)
def test_a_limit_is_read_as_people_write_it(editor: Client, typed: dict[str, str], stored: dict[str, int]) -> None:
    assert editor.post(f"{url('limit')}?role=analysts", typed).status_code == 302
    assert document()["roles"]["analysts"]["limits"]["gpt-4o"] == stored


def test_inheriting_removes_the_entry(editor: Client) -> None:
    editor.post(f"{url('limit')}?role=analysts", {"state": "inherit"})
    assert document()["roles"]["analysts"]["limits"] == {}


@pytest.mark.parametrize("wrong", ["-1", "1.5", "ten", "1e3", "9223372036854775808", "99999999999999999999B", "١٠k"])
def test_a_limit_that_is_no_whole_number_is_refused_beside_the_field(editor: Client, wrong: str) -> None:
    before = document()
    response = editor.post(f"{url('limit')}?role=analysts", {"state": "explicit", "minute": wrong})
    assert response.status_code == 400
    assert 'id="id_minute_errors"' in response.content.decode()
    assert document() == before


def test_an_explicit_limit_without_a_number_is_refused(editor: Client) -> None:
    assert editor.post(f"{url('limit')}?role=analysts", {"state": "explicit"}).status_code == 400


def test_the_fallback_can_be_set_before_the_role_default_exists(editor: Client) -> None:
    make_draft({"models": {"m": {}}})
    address = f"{url('limit', 'm')}?role=default"
    assert editor.get(address).status_code == 200
    editor.post(address, {"state": "explicit", "minute": "5"})
    assert document()["roles"] == {"default": {"limits": {"m": {"minute": 5}}}}


def test_the_limit_of_a_role_that_is_not_known_is_not_found(editor: Client) -> None:
    assert editor.get(f"{url('limit')}?role=nobody").status_code == 404


def test_htmx_gets_the_form_in_place(editor: Client) -> None:
    response = editor.get(f"{url('limit')}?role=analysts", headers={"HX-Request": "true"})
    assert response.content.decode().strip().startswith('<tr id="role-')
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("gpt-4o", "The name is taken"), ("search", "The name is taken"), ("a/b", "Core 0.38"), ("assistant", "reserves")],
)
def test_a_name_that_core_would_not_keep_apart_is_refused_beside_the_field(
    editor: Client, name: str, words: str
) -> None:
    response = editor.post(reverse("deployments:create"), {"kind": "model", "name": name})
    assert words in response.content.decode()
    assert 'id="id_name_errors"' in response.content.decode()


def test_a_new_deployment_is_closed_until_a_role_is_attached(editor: Client) -> None:
    page = editor.post(
        reverse("deployments:create"), {"kind": "application", "name": "new", "endpoint": "http://n"}, follow=True
    ).content.decode()
    assert "Nobody reaches it yet" in page
    assert document()["applications"]["new"] == {"endpoint": "http://n", "userRoles": []}


def test_deleting_asks_for_the_name(editor: Client) -> None:
    assert editor.post(url("delete"), {"name": "gpt-4"}).status_code == 400
    assert "gpt-4o" in document()["models"]
    editor.post(url("delete"), {"name": "gpt-4o"})
    assert "gpt-4o" not in document()["models"]


def upload(client: Client, text: str) -> str:
    response = client.post(reverse("deployments:import"), {"text": text})
    assert response.status_code == 302, response.content.decode()
    return response.headers["Location"]


def test_an_import_is_previewed_then_applied(editor: Client) -> None:
    changed = {**SETTINGS, "addons": {}}
    preview = upload(editor, json.dumps(changed))
    page = editor.get(preview)
    assert "calendar" in page.content.decode()
    assert document() == SETTINGS
    editor.post(preview, {"draft_version": page.context["draft_version"]})
    assert document() == changed
    assert not PendingImport.objects.exists()


def test_an_import_of_a_draft_that_moved_on_is_shown_again(editor: Client) -> None:
    preview = upload(editor, json.dumps({**SETTINGS, "addons": {}}))
    version = editor.get(preview).context["draft_version"]
    actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    before = document()
    page = editor.post(preview, {"draft_version": version}, follow=True).content.decode()
    assert "was changed since" in page
    assert document() == before


def test_an_uploaded_file_is_kept_encrypted_and_for_its_owner_alone(
    editor: Client, client_of: Callable[[Staff], Client], ada: Staff
) -> None:
    preview = upload(editor, json.dumps(SETTINGS))
    assert not any(secret in PendingImport.objects.get().payload for secret in SECRETS)
    assert client_of(ada).get(preview).status_code == 404


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"models": null}', '{"models": {"m": {"endpont": "x"}}}', "[" * 100_000]
)
def test_what_cannot_be_imported_is_said_and_changes_nothing(editor: Client, text: str) -> None:
    response = editor.post(reverse("deployments:import"), {"text": text})
    assert response.status_code == 400
    assert document() == SETTINGS


def test_the_download_is_the_document_and_is_noted(publisher: Client) -> None:
    response = publisher.post(reverse("deployments:export-download"))
    assert json.loads(response.content) == SETTINGS
    assert "aidial.config.json" in response.headers["Content-Disposition"]
    assert publisher.post(reverse("deployments:export-download")).content == response.content
    assert Entry.objects.filter(act="draft.exported").count() == 2


def test_nothing_is_downloaded_while_core_would_refuse_it(publisher: Client) -> None:
    publisher.post(reverse("deployments:set-version"), {"version": "0.18"})
    actions.set_limit(role_name="analysts", deployment_name="gpt-4o", limit={"week": 1}, by=TESTER)
    page = publisher.post(reverse("deployments:export-download"), follow=True).content.decode()
    assert "Not exported" in page
    assert "roles.analysts.limits.gpt-4o.week" in page
    assert not Entry.objects.filter(act="draft.exported").exists()


def test_a_finding_is_mended_after_a_preview(editor: Client) -> None:
    page = editor.get(reverse("deployments:checks"))
    finding = next(f for f in page.context["findings"] if f.code == "empty-limit")
    preview = editor.post(reverse("deployments:mend"), {"code": finding.code, "place": finding.place})
    page = editor.get(preview.headers["Location"])
    assert "limits.gpt-4o" in page.content.decode()
    assert document() == SETTINGS
    editor.post(preview.headers["Location"], {"draft_version": page.context["draft_version"]})
    assert document()["roles"]["engineers"]["limits"] == {"gone-model": {"day": 5}}


def test_a_finding_that_has_gone_is_said(editor: Client) -> None:
    page = editor.post(reverse("deployments:mend"), {"code": "x", "place": "y"}, follow=True).content.decode()
    assert "no longer there" in page


def test_a_form_leads_back_to_the_page_that_it_names_if_that_is_one_of_ours(editor: Client) -> None:
    back = editor.post(url("detach"), {"role": "analysts", "next": "/deployments/?q=gpt"})
    assert back.headers["Location"] == "/deployments/?q=gpt"
    elsewhere = editor.post(
        url("detach"), {"role": "engineers", "confirmed": "engineers", "next": "//elsewhere.example/"}
    )
    assert elsewhere.headers["Location"] == url("detail")
    asked = editor.post(url("set-access"), {"access": "open", "next": "/deployments/?q=gpt"}).content.decode()
    assert '<input type="hidden" name="next" value="/deployments/?q=gpt">' in asked
