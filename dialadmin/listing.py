"""The state of a list page, read from the query string: search, filters, sort, page, columns. The URL is the state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Generic, Self, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, QueryDict, StreamingHttpResponse

from dialadmin.spreadsheet import csv_response

M = TypeVar("M", bound=Model)

PAGE_SIZES = (25, 50, 100)
CSV_BATCH = 500  # rows that a CSV file is made of at a time


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
class Column:
    """One column that may be shown or hidden. `value` gives its cell of the CSV file, out of a row.

    The first column of a list names the row and is always shown. `sort` is the name of a sort of the list.
    """

    name: str
    label: str
    value: Callable[[Any], object]
    sort: str = ""
    css: str = ""
    shown: bool = True  # unless the URL says otherwise


@dataclass(frozen=True)
class Pill:
    """An active filter, and the query string without it."""

    label: str
    without: str


class Listing(Generic[M]):
    """One page of a queryset. Unknown filters, sorts and pages fall back to the nearest that exists.

    Three queries at most, whatever the number of rows: the total, the rows, and what they prefetch; and those of
    `prepare`, which is given the rows that are to be shown, to set on them what no annotation can count cheaply.
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
        columns: Sequence[Column] = (),
        prepare: Callable[[list[M]], None] | None = None,
    ) -> None:
        self.params = params
        self.searchable = bool(search)
        self.sorts = sorts
        self.filters = filters
        self.columns = columns
        self.prepare = prepare
        asked_columns = set(params.getlist("columns")) & {column.name for column in columns}
        self.shown = {
            column.name
            for number, column in enumerate(columns)
            if number == 0 or (column.name in asked_columns if asked_columns else column.shown)
        }
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
        columns: Sequence[Column] = (),
        prepare: Callable[[list[M]], None] | None = None,
    ) -> Self:
        return cls(
            request.GET,
            queryset,
            search=search,
            sorts=sorts,
            default_sort=default_sort,
            filters=filters,
            columns=columns,
            prepare=prepare,
        )

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
        return self._prepared(self.queryset[start : start + self.size])

    def _prepared(self, rows: QuerySet[M] | Iterator[M]) -> list[M]:
        found = list(rows)
        if self.prepare and found:
            self.prepare(found)
        return found

    @property
    def shown_columns(self) -> list[Column]:
        return [column for column in self.columns if column.name in self.shown]

    @property
    def column_choices(self) -> list[tuple[Column, bool]]:
        """The columns that may be hidden, and whether they are shown."""
        return [(column, column.name in self.shown) for column in self.columns[1:]]

    @property
    def wants_csv(self) -> bool:
        return bool(self.columns) and self.params.get("format") == "csv"

    def csv(self, filename: str) -> StreamingHttpResponse:
        """Every row that the search and filters leave, not of this page alone, in the columns that are shown."""

        def lines() -> Iterator[list[object]]:
            rows = self.queryset.iterator(CSV_BATCH)
            while batch := self._prepared(islice(rows, CSV_BATCH)):
                yield from ([column.value(row) for column in self.shown_columns] for row in batch)

        return csv_response(filename, [column.label for column in self.shown_columns], lines())

    @property
    def csv_query(self) -> str:
        return self.query(format="csv", page=None, size=None)

    def state(self, *without: str) -> list[tuple[str, str]]:
        """The parameters of this state, for the hidden fields of a form that changes those in `without`."""
        gone = {*without, "page", "format"}
        return [(name, value) for name, values in self.params.lists() if name not in gone for value in values]

    @property
    def state_query(self) -> str:
        """The query string of this state, to come back to it; also to find the same rows again."""
        return self.query(format=None)

    @property
    def state_of_search(self) -> list[tuple[str, str]]:
        return self.state("q", *(f.param for f in self.filters))

    @property
    def state_of_columns(self) -> list[tuple[str, str]]:
        return self.state("columns")

    @property
    def size_links(self) -> list[tuple[int, str]]:
        """The page sizes that would make a difference, each with its query string; none for a short list."""
        if self.total <= PAGE_SIZES[0]:
            return []
        return [(size, self.query(size=size, page=None)) for size in PAGE_SIZES]

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
    def cleared_query(self) -> str:
        """The query string without search and filters; columns and sort stay."""
        return self.query(q=None, page=None, **{f.param: None for f in self.filters})

    @property
    def fields(self) -> list[tuple[Filter, str]]:
        return [(f, self.chosen.get(f.param, "")) for f in self.filters]

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
