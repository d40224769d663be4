"""What every page of a question shares: of which moment it is asked, and one page of the people it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from deployments.access import source
from deployments.access.index import Answer, Index, some_members
from deployments.access.why import LABELS
from roles.models import Membership, User

ROWS = 100  # on one page
T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """The index that a question is put to. None with a `problem`, in words, when there is no answer.

    `at` is the moment as the field shows it, empty for now.
    """

    index: Index | None
    at: str = ""
    moment: datetime | None = None
    problem: str = ""


def asked(text: str) -> Asked:
    """The index of `?at=`: a date, which means its end, or a date and time in the time zone of the dashboard."""
    text = text.strip()[:40]
    moment = None
    try:
        if text:
            moment = parse_moment(text)
        return Asked(source.at(moment) if moment else source.current(), text, moment)
    except source.UnansweredError as error:
        return Asked(None, text, moment, str(error))


def parse_moment(text: str) -> datetime:
    """Raises source.UnansweredError for what is no moment. The end of today is now."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise source.UnansweredError("Write the moment like 2026-03-31 or 2026-03-31T17:00.") from None
    if not 1990 <= moment.year <= 9000:
        raise source.UnansweredError("Nothing was recorded in that year.")
    whole_day = len(text) <= len("2026-03-31")
    if whole_day:
        moment = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
    moment = timezone.make_aware(moment) if timezone.is_naive(moment) else moment
    today = whole_day and moment.date() == timezone.localdate()
    return timezone.now() if today else moment


def roles_of(user: User, moment: datetime | None) -> list[str]:
    """The groups of a person at a moment, by name, whether they could sign in or not. One query."""
    then = Q(until=None) if moment is None else Q(since__lte=moment) & (Q(until=None) | Q(until__gt=moment))
    names = Membership.objects.filter(then, user=user).order_by("role__name").values_list("role__name", flat=True)
    return list(dict.fromkeys(names))


def matching(q: str) -> Q:
    """People whose name, user name or e-mail address holds the text, or whose subject it is."""
    return Q(name__icontains=q) | Q(username__icontains=q) | Q(email__icontains=q) | Q(sub=q)


def only_matching(index: Index, bits: int, q: str) -> int:
    """Those of these people whom the search finds. One query when there is something to search."""
    if not q:
        return bits
    numbers = index.people.number_of
    plane = bytearray((len(index.people.ids) + 7) // 8)
    for pk in User.objects.filter(matching(q)).values_list("pk", flat=True):
        number = numbers.get(pk)
        if number is not None:
            plane[number >> 3] |= 1 << (number & 7)
    return bits & int.from_bytes(plane, "little")


class Pages(Generic[T]):
    """Which page of how many rows the URL asks for; what templates of lists read (`components/pagination.html`)."""

    def __init__(self, request: HttpRequest, total: int) -> None:
        self.params = request.GET
        self.total = total
        self.pages = max(1, -(-total // ROWS))
        text = request.GET.get("page", "1")
        self.page = min(max(int(text) if text.isdecimal() and len(text) < 10 else 1, 1), self.pages)
        self.start = (self.page - 1) * ROWS
        self.first = self.start + 1 if total else 0
        self.last = min(self.start + ROWS, total)

    def of(self, rows: Sequence[T]) -> Sequence[T]:
        return rows[self.start : self.start + ROWS]

    def query(self, **changes: str | int | None) -> str:
        params = self.params.copy()
        for name, value in changes.items():
            params.pop(name, None)
            if value is not None:
                params[name] = str(value)
        return "?" + params.urlencode()

    @cached_property
    def previous_query(self) -> str:
        return self.query(page=self.page - 1) if self.page > 1 else ""

    @cached_property
    def next_query(self) -> str:
        return self.query(page=self.page + 1) if self.page < self.pages else ""

    @cached_property
    def first_query(self) -> str:
        return self.query(page=None)

    @cached_property
    def last_query(self) -> str:
        return self.query(page=self.pages)


def page_of(index: Index, bits: int, pages: Pages[Any]) -> list[tuple[int, User]]:
    """(number, user) of the people on one page, in the order of the index. One query."""
    numbers = some_members(bits, pages.start, ROWS)
    users = User.objects.in_bulk([index.people.ids[number] for number in numbers])
    return [(number, users[index.people.ids[number]]) for number in numbers if index.people.ids[number] in users]


@dataclass(frozen=True)
class Said:
    """An answer as a row of a table shows it: the numbers of the limit by the roles that gave them."""

    answer: Answer
    limits: tuple[tuple[str, str], ...]  # ("1,000 tokens per minute, 5 requests per hour", "analysts")

    @classmethod
    def of(cls, answer: Answer) -> Said:
        by_roles: dict[str, list[str]] = {}
        if answer.state in ("limited", "denied"):
            for window, number in answer.limit.items():
                roles = ", ".join(answer.given.get(window, ()))
                by_roles.setdefault(roles, []).append(f"{number:,} {LABELS[window]}")
        return cls(answer, tuple((", ".join(numbers), roles) for roles, numbers in by_roles.items()))
