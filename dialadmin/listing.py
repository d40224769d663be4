"""The state of a list page, read from the query string: search, filters, sort, page. The URL is the state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict

M = TypeVar("M", bound=Model)

PAGE_SIZES = (25, 50, 100)


@dataclass(frozen=True)
class Filter:
    """One allow-listed filter: `?param=value`. `lookup` is the field lookup that the value goes into."""

    param: str
    label: str
    choices: Sequence[tuple[str, str]]
    lookup: str
    values: Mapping[str, Any] | None = None  # query-string value -> value of the lookup, where they differ

    def condition(self, value: str) -> Q:
        return Q(**{self.lookup: self.values[value] if self.values else value})


@dataclass(frozen=True)
class Pill:
    """An active filter, and the query string without it."""

    label: str
    without: str


class Listing(Generic[M]):
    """One page of a queryset. Unknown filters, sorts and pages fall back to the nearest that exists.

    Three queries at most, whatever the number of rows: the total, the rows, and what they prefetch.
    """

    def __init__(
        self,
        params: QueryDict,
        queryset: QuerySet[M],
        *,
        search: Sequence[str] = (),
        sorts: Mapping[str, str],
        default_sort: str,
        filters: Sequence[Filter] = (),
    ) -> None:
        self.params = params
        self.searchable = bool(search)
        self.sorts = sorts
        self.filters = filters
        self.q = params.get("q", "").strip()
        asked = params.get("sort", "")
        self.sort = asked if asked.lstrip("-") in sorts else default_sort
        self.chosen: dict[str, str] = {
            f.param: params.get(f.param, "")
            for f in filters
            if params.get(f.param) in {value for value, _ in f.choices}
        }
        self.unfiltered = queryset
        if self.q and search:
            matches = Q()
            for lookup in search:
                matches |= Q(**{lookup: self.q})
            queryset = queryset.filter(matches)
        for f in filters:
            if f.param in self.chosen:
                queryset = queryset.filter(f.condition(self.chosen[f.param]))
        direction = "-" if self.sort.startswith("-") else ""
        self.queryset = queryset.order_by(f"{direction}{sorts[self.sort.lstrip('-')]}", "pk")

    @classmethod
    def of(
        cls,
        request: HttpRequest,
        queryset: QuerySet[M],
        *,
        search: Sequence[str] = (),
        sorts: Mapping[str, str],
        default_sort: str,
        filters: Sequence[Filter] = (),
    ) -> Self:
        return cls(request.GET, queryset, search=search, sorts=sorts, default_sort=default_sort, filters=filters)

    @cached_property
    def total(self) -> int:
        return self.queryset.count()

    @cached_property
    def size(self) -> int:
        size = self.params.get("size", "")
        return int(size) if size in {str(n) for n in PAGE_SIZES} else PAGE_SIZES[1]

    sizes = PAGE_SIZES

    @cached_property
    def pages(self) -> int:
        return max(1, math.ceil(self.total / self.size))

    @cached_property
    def page(self) -> int:
        asked = self.params.get("page", "1")
        number = int(asked) if asked.isdecimal() and len(asked) < 10 else 1
        return min(max(number, 1), self.pages)

    @cached_property
    def rows(self) -> list[M]:
        start = (self.page - 1) * self.size
        return list(self.queryset[start : start + self.size])

    @property
    def first(self) -> int:
        return (self.page - 1) * self.size + 1 if self.total else 0

    @property
    def last(self) -> int:
        return min(self.page * self.size, self.total)

    @property
    def narrowed(self) -> bool:
        """Whether a search or filter hides rows: it decides which empty state is shown."""
        return bool(self.q or self.chosen)

    def query(self, **changes: str | int | None) -> str:
        """The query string of this state with some parameters changed, or dropped where None."""
        params = self.params.copy()
        for name, value in changes.items():
            if value is None:
                params.pop(name, None)
            else:
                params[name] = str(value)
        return "?" + params.urlencode()

    @property
    def pills(self) -> list[Pill]:
        found = [Pill(f"“{self.q}”", self.query(q=None, page=None))] if self.q else []
        for f in self.filters:
            if f.param in self.chosen:
                label = dict(f.choices)[self.chosen[f.param]]
                found.append(Pill(f"{f.label}: {label}", self.query(**{f.param: None, "page": None})))
        return found

    @property
    def fields(self) -> list[tuple[Filter, str]]:
        return [(f, self.chosen.get(f.param, "")) for f in self.filters]

    @property
    def sort_param(self) -> str:
        return self.params.get("sort", "")

    @property
    def previous_query(self) -> str:
        return self.query(page=self.page - 1) if self.page > 1 else ""

    @property
    def next_query(self) -> str:
        return self.query(page=self.page + 1) if self.page < self.pages else ""

    @property
    def first_query(self) -> str:
        return self.query(page=None)

    @property
    def last_query(self) -> str:
        return self.query(page=self.pages)
