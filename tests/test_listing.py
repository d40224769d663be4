"""The URL is the state of a list; what it does not know falls back instead of failing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import pytest
from django.http import QueryDict

from dialadmin.listing import Column, Filter, Listing
from dialadmin.spreadsheet import cell
from roles.models import Role

pytestmark = pytest.mark.django_db

FILTERS = (Filter("pool", "In the pool", (("present", "group"), ("none", "not a group")), "pool"),)


@pytest.fixture(autouse=True)
def rows() -> None:
    Role.objects.bulk_create([Role(name=f"role-{n:03}", pool="present" if n % 2 else "none") for n in range(120)])


def listing(query: str, **options: Any) -> Listing[Role]:
    settings = {"search": ("name__icontains",), "sorts": {"name": "name"}, "default_sort": "name", "filters": FILTERS}
    return Listing(QueryDict(query), Role.objects.all(), **{**settings, **options})


@pytest.mark.parametrize(
    ("query", "total", "first", "page"),
    [
        ("", 120, "role-000", 1),
        ("page=2", 120, "role-050", 2),
        ("page=99", 120, "role-100", 3),
        ("page=-1&sort=nonsense&pool=nonsense", 120, "role-000", 1),
        ("page=999999999999999999999", 120, "role-000", 1),
        ("page=٢", 120, "role-050", 2),
        ("sort=-name", 120, "role-119", 1),
        ("pool=present", 60, "role-001", 1),
        ("q=role-01&pool=none", 5, "role-010", 1),
        ("size=25&page=2", 120, "role-025", 2),
        ("size=7", 120, "role-000", 1),
    ],
)
def test_rows_follow_the_query_string(query: str, total: int, first: str, page: int) -> None:
    found = listing(query)
    assert (found.total, found.rows[0].name, found.page) == (total, first, page)


def test_each_pill_links_to_the_list_without_it() -> None:
    found = listing("q=role&pool=present&page=3")
    assert [(pill.label, pill.without) for pill in found.pills] == [
        ("“role”", "?pool=present"),
        ("In the pool: group", "?q=role"),
    ]


def test_paging_keeps_the_filters() -> None:
    assert listing("pool=none&page=1").next_query == "?pool=none&page=2"
    assert listing("pool=none").previous_query == ""


COLUMNS = (
    Column("name", "Name", attrgetter("name"), "name"),
    Column("pool", "In the pool", attrgetter("pool")),
    Column("body", "Body", attrgetter("body"), shown=False),
)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["name", "pool"]),
        ("columns=body", ["name", "body"]),
        ("columns=body&columns=pool", ["name", "pool", "body"]),
        ("columns=nonsense", ["name", "pool"]),
        ("columns=name", ["name"]),
    ],
)
def test_the_url_says_which_columns_are_shown(query: str, shown: list[str]) -> None:
    assert [column.name for column in listing(query, columns=COLUMNS).shown_columns] == shown


def test_forms_keep_the_state_that_they_do_not_change() -> None:
    found = listing("q=role&pool=none&page=2&columns=body&size=25&sort=-name", columns=COLUMNS)
    assert found.state_of_search == [("columns", "body"), ("size", "25"), ("sort", "-name")]
    assert found.state_of_columns == [("q", "role"), ("pool", "none"), ("size", "25"), ("sort", "-name")]
    assert found.cleared_query == "?columns=body&size=25&sort=-name"


def test_page_sizes_are_offered_where_they_make_a_difference() -> None:
    assert listing("page=2&size=25").size_links == [(25, "?size=25"), (50, "?size=50"), (100, "?size=100")]
    assert listing("q=role-00").size_links == []


def test_csv_has_every_row_that_is_left_in_the_columns_that_are_shown() -> None:
    found = listing("format=csv&pool=none&size=25&columns=pool&sort=-name", columns=COLUMNS)
    assert found.wants_csv
    text = b"".join(found.csv("roles.csv")).decode("utf-8-sig")
    lines = text.splitlines()
    assert lines[:2] == ["Name,In the pool", "role-118,none"]
    assert len(lines) == 61


def test_csv_is_written_in_batches(django_assert_num_queries: Callable[[int], AbstractContextManager[None]]) -> None:
    seen: list[int] = []
    found = listing("format=csv", columns=COLUMNS, prepare=lambda rows: seen.append(len(rows)))
    with django_assert_num_queries(1):
        assert len(list(found.csv("roles.csv"))) == 121
    assert seen == [120]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-x", "'-x"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("plain", "plain"),
        (-5, "-5"),
        (None, ""),
        (True, "yes"),
        (datetime(2024, 5, 1, 12, 30, tzinfo=UTC), "2024-05-01T12:30:00+00:00"),
    ],
)
def test_no_cell_is_a_formula(value: object, text: str) -> None:
    assert cell(value) == text


def test_nothing_found_is_told_from_nothing_there() -> None:
    assert listing("q=absent").narrowed
    assert not listing("").narrowed
    assert (listing("q=absent").first, listing("q=absent").last) == (0, 0)
