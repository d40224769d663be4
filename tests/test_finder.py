"""One search over everything: what it finds, in which order, for whom, and that it follows every change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoCaptureOnCommitCallbacks

from deployments import actions
from deployments.models import Deployment
from deployments.releases.models import Release
from dialadmin.accounts.models import Staff
from dialadmin.history.registry import all_acts
from dialadmin.navigation import KEYWORDS, pages
from dialadmin.search.find import Answer, find
from dialadmin.search.index import CONCERNS, refresh
from dialadmin.search.models import Item, Word
from dialadmin.search.words import cuts, fit, fold, one_error_apart, terms
from roles.models import Role, User
from tests.deployments.factories import TESTER, make_draft, make_user

LETTERS = st.text("abcdé", min_size=1, max_size=7)


def test_case_accents_and_spaces_do_not_count() -> None:
    assert fold("  José  ÁNGEL ") == "jose angel"


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("grace", "grcae", True),
        ("hopper", "hoper", True),
        ("hopper", "hoppper", True),
        ("grace", "brace", True),
        ("grace", "grace", False),
        ("grace", "graces!", False),
        ("abcd", "dcba", False),
        ("grace", "g", False),
    ],
)
def test_one_typing_error(one: str, other: str, apart: bool) -> None:
    assert one_error_apart(one, other) is apart
    assert one_error_apart(other, one) is apart


@given(LETTERS, LETTERS)
def test_words_one_error_apart_always_share_a_cut(one: str, other: str) -> None:
    if one_error_apart(one, other):
        assert cuts(one) & cuts(other)


def test_the_better_the_fit_the_higher_it_stands() -> None:
    names = ["ada", "ada lovelace", "lovelace, ada", "canada", "adda"]
    assert [fit("ada", [name]) for name in names] == sorted(fit("ada", [name]) for name in names) == [0, 1, 2, 3, 4]


def test_the_longest_word_leads_and_a_subject_stays_whole() -> None:
    assert terms("gpt-4o mini") == ["mini", "gpt", "4o"]
    assert terms("00000000-0000-4000-8000-000000000001") == ["00000000-0000-4000-8000-000000000001"]
    assert terms("ada@ex") == ["ada@ex"]


@pytest.fixture
def indexed(db: None) -> None:
    make_draft()
    for name in ("grace", "ada", "adamantine", "canada"):
        make_user(name, "analysts")
    User.objects.create(sub="sub-x", username="x1", name="José Knuth-Turing", email="jkt@example.com", enabled=False)
    User.objects.filter(username="canada").update(gone_at=timezone.now())
    refresh()


def titles(answer: Answer) -> list[tuple[str, list[str]]]:
    return [(group.kind, [hit.title for hit in group.hits]) for group in answer.groups]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("grace", [("user", ["Grace"])]),
        ("grcae", [("user", ["Grace"])]),
        ("GRACE@example.com", [("user", ["Grace"])]),
        ("sub-grace", [("user", ["Grace"])]),
        ("ada", [("user", ["Ada", "Adamantine"])]),
        ("jose turing", [("user", ["José Knuth-Turing"])]),
        ("turnig jose", [("user", ["José Knuth-Turing"])]),
        ("gpt-4o", [("deployment", ["gpt-4o", "gpt-4o-mini"])]),
        ("gpt4o", [("deployment", ["gpt-4o"])]),
        ("gpt 4o mini", [("deployment", ["gpt-4o-mini"])]),
        ("porting", [("key", ["reporting"])]),
        ("analysts", [("role", ["analysts"])]),
        ("annalysts", [("role", ["analysts"])]),
        ("sync now", [("page", ["Syncs"])]),
        ("upload", [("page", ["Import"])]),
        ("nothing is called this", []),
        ("   ", []),
        ("%", []),
        ("'; drop table", []),
    ],
)
def test_everything_is_found_by_prefix_words_parts_and_with_a_typing_error(
    query: str, found: list[tuple[str, list[str]]], indexed: None, ada: Staff
) -> None:
    assert titles(find(query, ada)) == found


def test_a_group_is_found_beside_the_page_and_pages_only_by_who_may_open_them(
    indexed: None, ada: Staff, vera: Staff
) -> None:
    assert titles(find("import", ada)) == [("page", ["Import"])]
    assert titles(find("import", vera)) == []


def test_the_value_of_an_api_key_is_nowhere_in_the_index(indexed: None) -> None:
    assert not Word.objects.filter(word__contains="api-key-secret").exists()
    assert not Item.objects.filter(text__contains="secret").exists()


def test_a_release_is_found_by_number_and_by_note(indexed: None, ada: Staff) -> None:
    Release.objects.create(
        number=12, created_at=timezone.now(), author_id="a", author_name="Ada", note="Quarterly review", digest="d",
        payload="p", target_version="0.46.0", draft_version=1,
    )  # fmt: skip
    refresh()
    for query in ("12", "#12", "release 12", "quarterly", "review"):
        assert ("release", ["Release 12"]) in titles(find(query, ada))
    (hit,) = find("#12", ada).groups[0].hits
    assert hit.url == "/releases/12/"


def test_the_state_stands_beside_the_name(indexed: None, ada: Staff) -> None:
    (hit,) = find("canada", ada).groups[0].hits
    assert hit.state == "gone"
    (hit,) = find("jkt", ada).groups[0].hits
    assert (hit.state, hit.subtitle) == ("disabled", "jkt@example.com · x1")


def test_the_index_follows_each_change_that_history_notes(transactional_db: None, ada: Staff) -> None:
    row = actions.create_deployment(kind="model", name="brand-new", body={}, by=TESTER)
    actions.attach_role(deployment=row, role_name="testers", by=TESTER)
    assert titles(find("brand-new", ada)) == [("deployment", ["brand-new"])]
    assert find("brand-new", ada).groups[0].hits[0].state == "restricted"
    assert titles(find("testers", ada)) == [("role", ["testers"])]
    actions.delete_deployment(deployment=Deployment.objects.get(name="brand-new"), by=TESTER)
    assert titles(find("brand-new", ada)) == []


def test_many_changes_of_one_transaction_are_followed_once(
    db: None, ada: Staff, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as refreshes:
        try:
            with transaction.atomic():
                actions.create_deployment(kind="model", name="taken-back", body={}, by=TESTER)
                raise InterruptedError
        except InterruptedError:
            pass
        with transaction.atomic():
            for number in range(5):
                actions.create_deployment(kind="model", name=f"model-{number}", body={}, by=TESTER)
        actions.create_deployment(kind="model", name="model-5", body={}, by=TESTER)
    assert titles(find("model", ada))[-1] == ("deployment", [f"model-{number}" for number in range(6)])
    assert len(refreshes) == 1


def test_it_is_known_of_every_act_what_it_may_have_changed() -> None:
    assert [act.code for act in all_acts() if not {act.code, act.code.partition(".")[0]} & CONCERNS.keys()] == []


def test_a_refresh_finds_what_was_written_past_everything_and_writes_only_that(indexed: None, ada: Staff) -> None:
    User.objects.filter(username="grace").update(name="Renamed")
    Role.objects.bulk_create([Role(name="made-in-bulk")])
    assert refresh() == 2
    assert refresh() == 0
    assert titles(find("renamed", ada)) == [("user", ["Renamed"])]
    assert titles(find("made-in-bulk", ada)) == [("role", ["made-in-bulk"])]


def test_queries_do_not_grow_with_rows(
    indexed: None, ada: Staff, django_assert_max_num_queries: Callable[..., object]
) -> None:
    User.objects.bulk_create([User(sub=f"s{n}", username=f"many{n}", name=f"Many People {n}") for n in range(700)])
    refresh()
    with django_assert_max_num_queries(22):  # type: ignore[attr-defined]
        answer = find("many people", ada)
    assert (answer.total, answer.shown) == (700, 8)
    assert find("many people", ada, kind="user").shown == 200
    with django_assert_max_num_queries(22):  # type: ignore[attr-defined]
        find("mayn peopel", ada)


def test_more_than_is_counted_says_at_least(indexed: None, ada: Staff) -> None:
    User.objects.bulk_create([User(sub=f"s{n}", username=f"many{n}", name="Twin") for n in range(1100)])
    refresh()
    answer = find("twin", ada)
    assert (answer.total, answer.at_least) == (1000, True)


def test_the_page_works_alone_and_the_dialog_gets_the_results_alone(
    indexed: None, ada: Staff, client_of: Callable[[Staff], Client]
) -> None:
    page = client_of(ada).get("/search/", {"q": "grcae"})
    assert page.templates[0].name == "search/page.html"
    assert "Grace" in page.content.decode()
    assert "with one letter changed" in page.content.decode()
    part = client_of(ada).get("/search/", {"q": "<b>grace"}, headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert "HX-Request" in part.headers["Vary"]
    assert "<b>grace" not in part.content.decode()


def test_every_page_with_other_words_is_a_page() -> None:
    assert KEYWORDS.keys() <= {page.url_name for page in pages()}


def test_home_is_current_on_itself_alone(ada: Staff, client_of: Callable[[Staff], Client]) -> None:
    def current(path: str) -> list[str]:
        groups = client_of(ada).get(path).context["navigation"]
        return [item.label for group in groups for item in group.items if item.current]

    assert current("/") == ["Home"]
    assert current("/accounts/me/") == []
    assert current("/deployments/keys/") == ["API keys"]
