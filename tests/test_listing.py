"""The URL is the state of a list; what it does not know falls back instead of failing."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from dialadmin.listing import Filter, Listing
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


def test_nothing_found_is_told_from_nothing_there() -> None:
    assert listing("q=absent").narrowed
    assert not listing("").narrowed
    assert (listing("q=absent").first, listing("q=absent").last) == (0, 0)
