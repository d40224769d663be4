"""An act on access or limits can be taken back, to the letter, unless somebody has changed the same thing since."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments import actions, draft
from deployments.actions import ConflictError
from deployments.bulk import Wish
from deployments.core.text import parse
from deployments.models import Deployment, Draft
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from roles.models import Role
from tests.deployments.factories import TESTER, deployment, make_draft, make_user

pytestmark = pytest.mark.django_db

OTHER = Actor(id="other", name="Olga")

# Roles out of order, several ways to write a number, a limit of null, roles with and without an entry.
DOCUMENT = """{
  "models": {
    "gpt-4o": {"userRoles": ["engineers", "analysts"], "displayName": "GPT-4o"},
    "mini": {"type": "chat"},
    "shut": {"userRoles": [], "type": "chat"}
  },
  "roles": {
    "default": {"limits": {"gpt-4o": {"minute": 1e3, "day": "50000"}, "mini": {"day": 1.0}, "shut": null}},
    "analysts": {"limits": {"mini": {}, "gpt-4o": {"minute": "100000"}}},
    "engineers": {"costLimit": {"day": 1.50}}
  }
}"""


@pytest.fixture(autouse=True)
def settings_draft() -> None:
    make_draft(parse(DOCUMENT, "the test"))


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


def text() -> str:
    return draft.text(draft.current())


def attach(name: str, role: str) -> Entry | None:
    return actions.attach_role(deployment=deployment(name), role_name=role, by=TESTER)


def detach(name: str, role: str) -> Entry | None:
    return actions.detach_role(deployment=deployment(name), role_name=role, by=TESTER)


def access(name: str, wanted: str) -> Entry | None:
    return actions.set_access(deployment=deployment(name), access=wanted, by=TESTER)


def limit(name: str, role: str, value: dict[str, int] | None) -> Entry | None:
    return actions.set_limit(role_name=role, deployment_name=name, limit=value, by=TESTER)


def attach_over_a_closed_list() -> Entry | None:
    access("gpt-4o", "closed")
    return attach("gpt-4o", "legal")


ACTS: dict[str, Callable[[], Entry | None]] = {
    "attach": lambda: attach("gpt-4o", "legal"),
    "attach to open": lambda: attach("mini", "legal"),
    "attach to closed": lambda: attach("shut", "legal"),
    "attach to one that keeps roles in mind": attach_over_a_closed_list,
    "detach the first": lambda: detach("gpt-4o", "engineers"),
    "open": lambda: access("gpt-4o", "open"),
    "close an open one": lambda: access("mini", "closed"),
    "limit of a role that has none": lambda: limit("mini", "engineers", {"minute": 5}),
    "limit of a role without an entry": lambda: limit("mini", "newcomers", {}),
    "another limit": lambda: limit("gpt-4o", "default", {"minute": 0}),
    "no limit": lambda: limit("gpt-4o", "default", None),
    "no null": lambda: limit("shut", "default", None),
}


def done(act: Callable[[], Entry | None]) -> Entry:
    entry = act()
    assert entry is not None
    return entry


def undo(*entries: Entry) -> Entry:
    return actions.undo(entries=entries, by=OTHER)[-1]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_each_act_is_undone_redone_and_undone_again_to_the_letter(act: Callable[[], Entry | None]) -> None:
    if act is attach_over_a_closed_list:
        access("gpt-4o", "closed")
    before = text()
    entry = done(act)
    after, version = text(), Draft.objects.get().version
    assert after != before
    undone = undo(entry)
    assert text() == before
    assert Draft.objects.get().version == version + 1
    redone = undo(undone)
    assert text() == after
    undo(redone)
    assert text() == before
    assert [row.act for row in Entry.objects.all()[:3]] == ["draft.undone", "draft.redone", "draft.undone"]


def test_history_says_what_was_undone_and_by_whom() -> None:
    entry = done(ACTS["attach"])
    undone = undo(entry)
    assert (undone.actor_name, undone.sentence) == ("Olga", "undid “attached legal to gpt-4o”")
    assert (undone.undoes, undone.before, undone.after) == (
        entry,
        {"access": "restricted", "roles": ["engineers", "analysts", "legal"]},
        {"access": "restricted", "roles": ["engineers", "analysts"]},
    )
    assert undo(undone).sentence == "redid “attached legal to gpt-4o”"


def test_roles_that_were_kept_in_mind_are_kept_in_mind_again() -> None:
    access("gpt-4o", "closed")
    undo(done(lambda: attach("gpt-4o", "legal")))
    access("gpt-4o", "restricted")
    assert draft.document()["models"]["gpt-4o"]["userRoles"] == ["engineers", "analysts"]


def test_a_role_that_the_settings_dropped_meanwhile_comes_back() -> None:
    entry = done(lambda: detach("gpt-4o", "analysts"))
    Role.objects.filter(name="analysts").delete()
    undo(entry)
    assert draft.document()["models"]["gpt-4o"]["userRoles"] == ["engineers", "analysts"]


def test_the_entry_of_a_role_stays_where_it_says_something_else_by_now() -> None:
    entry = done(lambda: limit("mini", "newcomers", {"day": 1}))
    limit("gpt-4o", "newcomers", {"day": 2})
    undo(entry)
    assert draft.document()["roles"]["newcomers"] == {"limits": {"gpt-4o": {"day": 2}}}


def test_an_entry_from_before_the_letter_was_kept_is_undone_by_its_values() -> None:
    entry = done(lambda: limit("gpt-4o", "analysts", None))
    super(type(Entry.objects.all()), Entry.objects.filter(pk=entry.pk)).update(restore=None)
    undo(entry)
    assert draft.document()["roles"]["analysts"]["limits"]["gpt-4o"] == {"minute": "100000"}


CONFLICTS: dict[str, tuple[str, Callable[[], object], str]] = {
    "attach": ("attach", lambda: actions.attach_role(deployment=deployment("gpt-4o"), role_name="x", by=OTHER), "Olga"),
    "limit": (
        "another limit",
        lambda: actions.set_limit(role_name="default", deployment_name="gpt-4o", limit={"day": 1}, by=OTHER),
        "Olga changed the limit",
    ),
    "deleted": ("open", lambda: actions.delete_deployment(deployment=deployment("gpt-4o"), by=OTHER), "no longer"),
    "imported": ("open", make_draft, "imported settings"),
}


@pytest.mark.parametrize(("act", "meanwhile", "told"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_somebody_has_changed_since_is_not_overwritten(
    editor: Client, act: str, meanwhile: Callable[[], object], told: str
) -> None:
    entry = done(ACTS[act])
    meanwhile()
    before, entries = text(), Entry.objects.count()
    with pytest.raises(ConflictError, match=told):
        undo(entry)
    for response in (editor.get(entry.undo_url), editor.post(entry.undo_url, {"confirmed": "yes"})):
        assert response.status_code == 409
        assert told in html.unescape(response.content.decode())
    assert (text(), Entry.objects.count()) == (before, entries)


def test_what_does_not_touch_it_is_no_conflict() -> None:
    before = text()
    entry = done(ACTS["attach"])
    other = done(lambda: access("mini", "closed"))
    actions.change_deployment(deployment=deployment("gpt-4o"), fields={"displayName": "4o"}, by=OTHER)
    actions.change_deployment(deployment=deployment("gpt-4o"), fields={"displayName": "GPT-4o"}, by=OTHER)
    undo(entry)
    undo(other)
    assert text() == before


def test_nothing_is_undone_twice(editor: Client) -> None:
    entry = done(ACTS["attach"])
    undo(entry)
    with pytest.raises(ConflictError, match="Olga has undone it already"):
        undo(entry)
    assert "Olga has undone it already" in editor.post(entry.undo_url).content.decode()


def test_several_are_undone_together_or_not_at_all() -> None:
    make_user("grace", "analysts")
    before = text()
    wish = Wish("limit", ("analysts", "newcomers"), {"day": 5})
    entries = actions.bulk_change(
        deployments=Deployment.objects.all(), wish=wish, by=TESTER, version=draft.current().version
    )[0]
    assert len(entries) == 6
    after = text()
    redone = actions.undo(entries=actions.undo(entries=entries, by=OTHER), by=OTHER)
    assert text() == after
    limit("mini", "analysts", {"day": 6})
    changed = text()
    with pytest.raises(ConflictError, match="analysts on mini"):
        actions.undo(entries=redone, by=OTHER)
    assert text() == changed
    actions.undo(entries=[*Entry.objects.filter(act="limit.changed")[:1], *redone], by=OTHER)
    assert text() == before


NAMES = st.sampled_from(["gpt-4o", "mini", "shut"])
ROLES = st.sampled_from(["default", "analysts", "engineers", "a", "b"])
LIMITS = st.sampled_from([None, {}, {"minute": 1}, {"day": 2, "minute": 0}])
ANY_ACT = st.one_of(
    st.tuples(st.just(attach), NAMES, ROLES),
    st.tuples(st.just(detach), NAMES, ROLES),
    st.tuples(st.just(access), NAMES, st.sampled_from(["open", "restricted", "closed"])),
    st.tuples(st.just(limit), NAMES, ROLES, LIMITS),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(ANY_ACT, max_size=12))
def test_undoing_all_in_reverse_order_restores_the_document_byte_for_byte(acts: list[Any]) -> None:
    with transaction.atomic():
        before = text()
        made = [entry for act, *what in acts if (entry := act(*what)) is not None]
        after = text()
        undone = actions.undo(entries=made, by=OTHER)
        assert text() == before
        redone = [actions.undo(entries=[entry], by=OTHER)[0] for entry in reversed(undone)]
        assert text() == after
        for entry in reversed(redone):
            actions.undo(entries=[entry], by=OTHER)
        assert text() == before
        transaction.set_rollback(True)


# --- pages ----------------------------------------------------------------------------------------------


def form(page: str) -> tuple[str, dict[str, str]]:
    """The action and the fields of the form that holds the button which undoes what was just done."""
    before = html.unescape(page.split("data-undo")[0])
    found = before.rpartition("<form")[2]
    action = re.search('action="([^"]+)"', found)
    assert action is not None
    fields = dict(re.findall('type="hidden" name="([^"]+)" value="([^"]*)"', found))
    return action[1], fields


CLICKS: dict[str, tuple[str, dict[str, str]]] = {
    "attach": ("attach", {"role": "default"}),
    "detach": ("detach", {"role": "analysts"}),
    "set-access": ("set-access", {"access": "closed", "confirmed": "closed"}),
    "limit": ("limit", {"state": "explicit", "minute": "1.5M"}),
}


@pytest.mark.parametrize(("verb", "sent"), CLICKS.values(), ids=CLICKS)
def test_the_message_after_an_act_undoes_it_with_one_click_and_redoes_it_with_another(
    editor: Client, verb: str, sent: dict[str, str]
) -> None:
    before = text()
    url = reverse(f"deployments:{verb}", args=[deployment("gpt-4o").pk]) + ("?role=analysts" if verb == "limit" else "")
    page = editor.post(url, {**sent, "next": "/deployments/?q=gpt"}, follow=True)
    after = text()
    assert after != before
    action, fields = form(page.content.decode())
    page = editor.post(action, fields, follow=True)
    assert page.redirect_chain == [("/deployments/?q=gpt", 302)]
    assert "Undone: " in page.content.decode()
    assert text() == before
    action, fields = form(page.content.decode())
    page = editor.post(action, fields, follow=True)
    assert "Redone: " in page.content.decode()
    assert text() == after


def test_a_change_of_many_is_undone_with_one_click(editor: Client) -> None:
    before = text()
    ids = ",".join(str(pk) for pk in Deployment.objects.values_list("pk", flat=True))
    sent = {"verb": "attach", "roles": ["default", "legal"], "ids": ids, "confirmed": "yes"}
    sent["version"] = str(draft.current().version)
    page = editor.post(reverse("deployments:bulk"), sent, follow=True)
    action, fields = form(page.content.decode())
    single = editor.get(action)
    assert "All 6 that were changed at once" in single.content.decode()
    assert "6 changes made at once" in editor.get(f"{action}?together=yes").content.decode()
    assert "6 changes made at once" in editor.post(action, fields, follow=True).content.decode()
    assert text() == before


def test_what_takes_it_from_many_is_asked_first_and_says_so(editor: Client) -> None:
    for number in range(10):
        make_user(f"lawyer-{number}", "legal")
    entry = done(ACTS["attach"])
    before = text()
    page = editor.post(entry.undo_url, {"next": "/"}).content.decode()
    assert "people lose it" in page
    assert "restricted to its roles: analysts, engineers, legal" in page
    assert text() == before
    response = editor.post(entry.undo_url, {"next": "/", "confirmed": "yes"})
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert text() != before


def test_the_page_of_a_limit_says_for_whom_it_changes(editor: Client) -> None:
    make_user("grace", "analysts")
    page = editor.get(done(lambda: limit("gpt-4o", "analysts", {"minute": 5})).undo_url).content.decode()
    assert "minute 100000" in page
    assert re.search(r"1</div>\s*people get a higher limit", page)


def test_a_next_that_leads_elsewhere_is_not_followed(editor: Client) -> None:
    response = editor.post(done(ACTS["attach"]).undo_url, {"next": "https://elsewhere.example/"})
    assert response.headers["Location"] == reverse("deployments:detail", args=[deployment("gpt-4o").pk])


def test_what_cannot_be_undone_has_no_page(editor: Client) -> None:
    entry = Entry.objects.get(act="draft.imported")
    assert entry.undo_url == ""
    assert editor.get(reverse("deployments:undo", args=[entry.pk])).status_code == 404
    assert editor.get(reverse("deployments:undo", args=[entry.pk + 1000])).status_code == 404


def pages() -> list[str]:
    return ["/", reverse("history:list"), reverse("deployments:detail", args=[deployment("gpt-4o").pk])]


def test_history_leads_editors_to_undo_until_it_is_undone(
    editor: Client, client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    entry = done(ACTS["attach"])
    auditor = client_of(vera)
    for url in pages():
        assert f'href="{entry.undo_url}?next={quote(url, safe="")}"' in editor.get(url).content.decode()
        assert "Undo…" not in auditor.get(url).content.decode()
    assert auditor.post(entry.undo_url).status_code == 403
    undo(entry)
    for url in pages():
        for client in (editor, auditor):
            page = client.get(url).content.decode()
            assert f"{entry.undo_url}?" not in page
            assert "Undone by Olga" in page


def test_the_pages_take_no_more_queries_for_more_that_can_be_undone(editor: Client) -> None:
    def queries() -> list[int]:
        found = []
        for url in pages():
            editor.get(url)
            with CaptureQueriesContext(connection) as captured:
                editor.get(url)
            found.append(len(captured))
        return found

    undo(done(ACTS["attach"]))
    before = queries()
    for _ in range(3):
        done(ACTS["attach"])
        undo(done(lambda: detach("gpt-4o", "legal")))
        undo(done(ACTS["detach the first"]))
        detach("gpt-4o", "legal")
    assert queries() == before
