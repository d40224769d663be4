"""The pages that change groups: what they show is what the index says, and who may not, cannot."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deployments import draft
from deployments.access import source
from deployments.access.membership import ORDER, effects
from deployments.checks import findings_of
from deployments.releases import drafts, reading
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from roles import actions, cognito
from roles.models import Membership, Role, User
from tests.conftest import HttpsClient
from tests.deployments.factories import SETTINGS, make_draft, make_user

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Staff], HttpsClient]


@pytest.fixture(autouse=True)
def organisation(settings: Any) -> None:
    settings.MANAGE_GROUPS = True
    make_draft()
    make_user("grace", "analysts")
    make_user("linus", "engineers")
    make_user("rita", "dial-publishers")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the pool was asked to do: it does everything."""
    calls: list[tuple[str, str]] = []

    def call(method: str, **arguments: Any) -> dict[str, Any]:
        if method == "list_users":
            return {"Users": [{"Username": arguments["Filter"].split("sub-")[1].strip('"')}]}
        calls.append((method, f"{arguments.get('Username', '')} {arguments['GroupName']}".strip()))
        return {"Group": {"GroupName": arguments["GroupName"]}}

    monkeypatch.setattr(cognito, "administration", lambda: call)
    return calls


def address(page: str, user: str = "", role: str = "") -> str:
    """E.g. `address("add", user="grace", role="engineers")`."""
    if page == "create":
        return reverse("groups:create", args=[role_of(role).pk])
    named = {"role": role and role_of(role).pk, "user": user and User.objects.get(username=user).pk}
    return f"{reverse(f'groups:{page}')}?{urlencode({key: value for key, value in named.items() if value})}"


def role_of(name: str) -> Role:
    return Role.objects.get(name=name)


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def fields_of(response: Any) -> dict[str, str]:
    """The hidden fields of the form."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', response.content.decode()))


def confirm(client: Client, url: str, **more: str) -> Any:
    """Look at the page, then send its form."""
    seen = client.get(url)
    return client.post(url.partition("?")[0], {**fields_of(seen), "reason": "new job", **more})


def rows(page: str) -> list[str]:
    return [
        " ".join(re.sub(r"<[^>]+>", " ", row).split())
        for row in re.findall(r'<tr><th scope="row">.*?</tr>', page, re.S)
    ]


# --- what is shown ----------------------------------------------------------------------------------------


def test_the_preview_says_what_is_gained_and_what_else_changes(client_of: ClientOf, edit: Staff) -> None:
    page = client_of(edit).get(address("add", user="grace", role="engineers"))
    assert "1 deployment gained, 0 lost, 1 with another limit" in text_of(page)
    gained, limit = rows(page.content.decode())
    assert gained.startswith("search application")
    assert "Not listed" in gained
    assert limit.startswith("gpt-4o model")
    assert "100,000 tokens per minute from analysts" in limit  # unlimited as an engineer
    assert "until they end" in text_of(page)


def test_the_preview_says_what_is_lost(client_of: ClientOf, edit: Staff) -> None:
    page = client_of(edit).get(address("remove", user="grace", role="analysts"))
    assert "0 deployments gained, 3 lost" in text_of(page)
    assert [row.split()[0] for row in rows(page.content.decode())] == ["first", "gpt-4o", "helper"]


def test_the_preview_is_what_the_index_says_afterwards(
    client_of: ClientOf, edit: Staff, asked: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    before = {answer.deployment.name: answer.state for answer in source.current().answers(frozenset({"analysts"}))}
    grace = User.objects.get(username="grace")
    found = effects(source.current(), {"analysts"}, {"analysts", "engineers"})
    confirm(client_of(edit), address("add", user="grace", role="engineers"))
    index = source.current()
    held = index.people.roles_of(index.people.number_of[grace.pk])
    after = {answer.deployment.name: answer.state for answer in index.answers(held)}
    assert held == {"analysts", "engineers"}
    assert {effect.deployment.name for effect in found if effect.change == "gains"} == after.keys() - before.keys()
    assert {effect.deployment.name for effect in found if effect.change == "limit"} == {
        name for name in before if before[name] != after[name]
    }


def test_a_group_may_take_away_and_let_in_to_nothing() -> None:
    """An entry of one's own replaces that of default; a limit of 0 turns away; both have to be seen."""
    models = {
        "open": {"type": "chat", "endpoint": "http://a"},
        "shut": {"type": "chat", "endpoint": "http://a", "userRoles": ["zero"]},
    }
    limits = {"zero": {"limits": {"open": {"minute": 0}, "shut": {"minute": 0}}}, "default": {"limits": {}}}
    make_draft({**SETTINGS, "models": models, "roles": limits})
    found = effects(source.current(), frozenset(), {"zero"})
    assert [(effect.change, effect.deployment.name) for effect in found] == [("loses", "open"), ("let in", "shut")]
    assert {effect.change for effect in found} <= set(ORDER)


def test_somebody_who_is_disabled_is_told_apart(client_of: ClientOf, edit: Staff) -> None:
    User.objects.filter(username="grace").update(enabled=False)
    page = client_of(edit).get(address("add", user="grace", role="engineers"))
    assert "holds once they are enabled" in text_of(page)
    assert "1 deployment gained" in text_of(page)


def test_a_draft_that_core_refuses_does_not_stop_a_removal(
    client_of: ClientOf, edit: Staff, asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Any:
        raise source.UnansweredError("Core would refuse the draft.")

    monkeypatch.setattr(source, "current", refuse)
    url = address("remove", user="grace", role="analysts")
    assert "It cannot be told. Core would refuse the draft." in text_of(client_of(edit).get(url))
    assert confirm(client_of(edit), url).status_code == 302
    assert asked == [("admin_remove_user_from_group", "grace analysts")]


def test_people_are_searched_and_groups_are_offered(client_of: ClientOf, edit: Staff, settings: Any) -> None:
    Role.objects.create(name=f"{settings.COGNITO_USER_POOL_ID}_Okta", pool="present")
    client = client_of(edit)
    url = address("add", role="analysts")
    assert "Linus" not in text_of(client.get(url))  # nobody before somebody is asked for
    assert "Linus" in text_of(client.get(f"{url}&q=lin"))
    assert "Nothing matches" in text_of(client.get(f"{url}&q=grace"))  # is in it
    offered = text_of(client.get(address("add", user="grace")))
    assert "engineers" in offered
    assert "dial-publishers gives a level of this dashboard" in offered
    assert "Okta" not in offered
    assert client.get(reverse("groups:add")).status_code == 404
    assert client.get(address("remove", user="grace")).status_code == 404
    assert client.get(f"{reverse('groups:add')}?user=x&role=9999999999999999999999").status_code == 404


# --- what is done -----------------------------------------------------------------------------------------


def test_a_person_is_added_from_the_page_of_the_role(client_of: ClientOf, edit: Staff, asked: list[Any]) -> None:
    client = client_of(edit)
    detail = reverse("roles:detail", args=[role_of("engineers").pk])
    assert address("add", role="engineers") in client.get(detail).content.decode()
    answer = confirm(client, address("add", user="grace", role="engineers"))
    assert answer["Location"] == detail
    assert asked == [("admin_add_user_to_group", "grace engineers")]
    page = client.get(detail)
    assert "Grace is in engineers now. DIAL follows" in text_of(page)
    assert address("remove", role="engineers", user="grace").replace("&", "&amp;") in page.content.decode()
    entry = Entry.objects.get(act="group.user-added")
    assert (entry.actor_name, entry.note) == ("Edit", "new job")


def test_a_person_is_removed_from_their_own_page(client_of: ClientOf, edit: Staff, asked: list[Any]) -> None:
    client = client_of(edit)
    detail = reverse("roles:user", args=[User.objects.get(username="grace").pk])
    link = re.search(r'href="([^"]+members/remove[^"]+)"', client.get(detail).content.decode())
    assert link
    answer = confirm(client, link[1].replace("&amp;", "&"))
    assert answer["Location"] == detail
    assert asked == [("admin_remove_user_from_group", "grace analysts")]
    assert not Membership.objects.filter(user__username="grace", until=None).exists()


def test_a_role_gets_its_group(client_of: ClientOf, edit: Staff, asked: list[Any]) -> None:
    client = client_of(edit)
    url = address("create", role="reporters")
    detail = reverse("roles:detail", args=[role_of("reporters").pk])
    assert url in client.get(detail).content.decode()
    assert "It begins empty" in text_of(client.get(url))
    assert confirm(client, url)["Location"] == detail
    assert asked == [("create_group", "reporters")]
    assert role_of("reporters").pool == "present"
    assert url not in client.get(detail).content.decode()


def test_without_a_reason_nothing_happens(client_of: ClientOf, edit: Staff, asked: list[Any]) -> None:
    for url in (address("add", user="grace", role="engineers"), address("create", role="reporters")):
        answer = confirm(client_of(edit), url, reason=" ")
        assert answer.status_code == 400
        assert "This field is required" in text_of(answer)
    assert asked == []


def test_what_was_not_seen_is_not_done(client_of: ClientOf, edit: Staff, asked: list[Any]) -> None:
    """The draft changed between the look and the click."""
    client = client_of(edit)
    url = address("add", user="grace", role="engineers")
    fields = fields_of(client.get(url))
    make_draft({**SETTINGS, "applications": {}})
    answer = client.post(url.partition("?")[0], {**fields, "reason": "new job"})
    assert answer.status_code == 400
    assert "has changed since you looked" in text_of(answer)
    assert asked == []


def test_a_second_click_finds_it_done(client_of: ClientOf, edit: Staff, asked: list[Any]) -> None:
    client = client_of(edit)
    url = address("add", user="grace", role="engineers")
    fields = fields_of(client.get(url))
    for _ in range(2):
        answer = client.post(url.partition("?")[0], {**fields, "reason": "new job"}, follow=True)
    assert "Grace is in engineers already" in text_of(answer)
    assert len(asked) == Entry.objects.filter(act="group.user-added").count() == 1


@pytest.mark.parametrize(("in_pool", "status"), [(False, 400), (True, 502), (None, 502)])
def test_a_failure_is_shown_with_the_form(
    client_of: ClientOf, edit: Staff, monkeypatch: pytest.MonkeyPatch, in_pool: bool | None, status: int
) -> None:
    def fail(**_: Any) -> None:
        raise actions.GroupChangeError("Such and such happened.", in_pool=in_pool)

    for name in ("add_member", "create_group"):
        monkeypatch.setattr(actions, name, fail)
    for url in (address("add", user="grace", role="engineers"), address("create", role="reporters")):
        answer = confirm(client_of(edit), url)
        assert answer.status_code == status
        assert "Such and such happened." in text_of(answer)
        assert "new job" in answer.content.decode()


def test_the_checks_and_a_review_in_progress_know_of_it_at_once(
    client_of: ClientOf, edit: Staff, asked: list[Any]
) -> None:
    Role.objects.create(name="legal")
    make_draft({**SETTINGS, "addons": {"calendar": {"endpoint": "http://calendar", "userRoles": ["legal"]}}})
    before, seen = findings_of(draft.current()), reading.basis()
    assert any("legal" in finding.message for finding in before)
    confirm(client_of(edit), address("create", role="legal"))
    after = findings_of(draft.current())
    assert [f for f in before if "legal" in f.message] != [f for f in after if "legal" in f.message]
    confirm(client_of(edit), address("add", user="grace", role="legal"))
    assert reading.basis() != seen
    assert drafts.since(seen).regrouped


# --- who may ----------------------------------------------------------------------------------------------

PAGES = (("add", "engineers"), ("remove", "analysts"), ("create", "reporters"))


def test_with_the_setting_off_there_is_nothing(client_of: ClientOf, ada: Staff, settings: Any) -> None:
    settings.MANAGE_GROUPS = False
    client = client_of(ada)
    for page, name in PAGES:
        url = address(page, user="grace", role=name)
        assert client.get(url).status_code == client.post(url, {"reason": "x"}).status_code == 404
    for url in (
        *(reverse("roles:detail", args=[role_of(name).pk]) for name in ("analysts", "reporters")),
        reverse("roles:user", args=[User.objects.get(username="grace").pk]),
    ):
        content = client.get(url).content.decode()
        assert "/members/" not in content
        assert "create-group" not in content


def test_an_auditor_sees_no_button_and_gets_nowhere(client_of: ClientOf, vera: Staff, asked: list[Any]) -> None:
    client = client_of(vera)
    for page, name in PAGES:
        url = address(page, user="grace", role=name)
        assert client.get(url).status_code == client.post(url, {"reason": "x"}).status_code == 403
    assert "/members/" not in client.get(reverse("roles:detail", args=[role_of("analysts").pk])).content.decode()
    assert asked == []


def test_only_a_publisher_changes_the_groups_of_levels(
    client_of: ClientOf, edit: Staff, ada: Staff, asked: list[Any]
) -> None:
    make_user("zed", "dial-publishers")
    Role.objects.create(name="dial-auditors")
    pages = [
        address("add", user="grace", role="dial-publishers"),
        address("remove", user="rita", role="dial-publishers"),
        address("create", role="dial-auditors"),
    ]
    for url in pages:
        assert client_of(edit).get(url).status_code == 403
        given = dict(pair.split("=") for pair in url.partition("?")[2].split("&") if pair)
        assert client_of(edit).post(url, {**given, "reason": "x"}).status_code == 403
    assert "/members/" not in client_of(edit).get(
        reverse("roles:detail", args=[role_of("dial-publishers").pk])
    ).content.decode()  # fmt: skip
    for url in pages:
        name = "dial-auditors" if "create-group" in url else "dial-publishers"
        wrong = confirm(client_of(ada), url, confirmation="dial")
        assert wrong.status_code == 400
        assert "That is another name" in text_of(wrong)
        assert confirm(client_of(ada), url, confirmation=name).status_code == 302
    assert len(asked) == 3


def test_the_last_publisher_is_removed_knowingly(client_of: ClientOf, ada: Staff) -> None:
    url = address("remove", user="rita", role="dial-publishers")
    assert "Nobody would be a publisher after that" in text_of(client_of(ada).get(url))
    other = make_user("zed", "dial-publishers", enabled=False)
    assert "Nobody would be a publisher after that" in text_of(client_of(ada).get(url))
    User.objects.filter(pk=other.pk).update(enabled=True)
    assert "Nobody would be a publisher after that" not in text_of(client_of(ada).get(url))


def test_nobody_gives_a_level_to_themselves(client_of: ClientOf, ada: Staff, asked: list[Any]) -> None:
    User.objects.filter(username="grace").update(sub=ada.sub)
    url = address("add", user="grace", role="dial-publishers")
    page = client_of(ada).get(url)
    assert "nobody gives one to themselves" in text_of(page)
    assert "<form" not in page.content.decode().partition("effect-heading")[2].partition("</main>")[0]
    assert confirm(client_of(ada), url, confirmation="dial-publishers").status_code == 404  # no fields: no such person
    assert asked == []


def test_the_number_of_queries_does_not_grow(client_of: ClientOf, edit: Staff) -> None:
    client = client_of(edit)
    urls = [
        address("add", user="grace", role="engineers"),
        address("remove", user="grace", role="analysts"),
        f"{address('add', role='engineers')}&q=a",
        address("add", user="grace"),
        address("create", role="reporters"),
    ]

    def counted() -> list[int]:
        counts = []
        for url in urls:
            source.current()
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code == 200
            counts.append(len(queries))
        return counts

    few = counted()
    for number in range(30):
        make_user(f"alan{number}", "analysts", f"group-{number}")
    source.forget()
    assert counted() == few
    assert max(few) <= 20
