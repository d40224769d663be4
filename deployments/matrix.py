"""The matrix of deployments by roles: which part of it is shown, and what each of its cells says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, TypeVar

from deployments.access.index import Index
from deployments.document import SECTIONS

ROWS = 40  # deployments of one page
COLUMNS = 20  # roles of one page
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A deployment of the draft."""

    pk: int
    kind: str
    name: str
    access: str


@dataclass(frozen=True)
class Column:
    """A role. `people`: how many hold it. `attached`: to how many deployments."""

    pk: int
    name: str
    pool: str
    people: int
    attached: int


@dataclass(frozen=True)
class Look:
    """What a cell shows: a shape that differs also without colour, a class of the stylesheet, and the words."""

    shape: str
    css: str
    words: str


LOOKS: Mapping[tuple[str, str], Look] = {
    ("attached", "unlimited"): Look("●", "attached", "attached, unlimited"),
    ("attached", "limited"): Look("◐", "attached", "attached, limited"),
    ("attached", "denied"): Look("⊗", "denied", "attached, denied by a limit"),
    ("attached", "failed"): Look("⊗", "denied", "attached, but Core fails on its limits"),
    ("attached", "shadowed"): Look("◌", "kept", "attached, but another of the name is called"),
    ("attached", "unknown"): Look("●", "attached", "attached"),
    ("open", "unlimited"): Look("□", "open", "open to everyone, unlimited"),
    ("open", "limited"): Look("◧", "open", "open to everyone, limited"),
    ("open", "denied"): Look("⊠", "denied", "open to everyone, denied by a limit"),
    ("open", "failed"): Look("⊠", "denied", "open to everyone, but Core fails on its limits"),
    ("open", "shadowed"): Look("◌", "kept", "open, but another of the name is called"),
    ("open", "unknown"): Look("□", "open", "open to everyone"),
    ("closed", ""): Look("✕", "closed", "closed to everybody"),
    ("closed", "kept"): Look("◌", "kept", "closed, the role is kept for when it is restricted again"),
    ("none", ""): Look("·", "none", "not attached"),
    ("none", "limit"): Look("◦", "none", "not attached, its limit has no effect"),
}
# Those that a legend has to explain, in its order.
LEGEND = tuple(
    LOOKS[key]
    for key in (
        ("attached", "unlimited"), ("attached", "limited"), ("attached", "denied"),
        ("open", "unlimited"), ("open", "limited"), ("closed", ""), ("closed", "kept"), ("none", ""), ("none", "limit"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    column: Column
    look: Look
    attached: bool


@dataclass(frozen=True)
class Line:
    """A row with its cells. `people`: how many the deployment lists; None where Core would refuse the draft."""

    row: Row
    people: int | None
    cells: Sequence[Cell]


class Page(Generic[T]):
    """One page of one side of the matrix, and the query strings that lead to the others.

    `query` gives the query string of the same matrix with some parameters changed.
    """

    def __init__(self, found: Sequence[T], asked: str, size: int, param: str, query: Callable[..., str]) -> None:
        self.total = len(found)
        self.pages = max(1, -(-self.total // size))
        self.page = min(max(int(asked) if asked.isdecimal() and len(asked) < 10 else 1, 1), self.pages)
        start = (self.page - 1) * size
        self.shown = found[start : start + size]
        self.first = start + 1 if self.total else 0
        self.last = start + len(self.shown)
        self._param, self._query = param, query

    def _lead(self, page: int) -> str:
        return self._query(**{self._param: None if page == 1 else page})

    @property
    def first_query(self) -> str:
        return self._lead(1)

    @property
    def previous_query(self) -> str:
        return self._lead(self.page - 1) if self.page > 1 else ""

    @property
    def next_query(self) -> str:
        return self._lead(self.page + 1) if self.page < self.pages else ""

    @property
    def last_query(self) -> str:
        return self._lead(self.pages)


def lines(
    rows: Iterable[Row],
    columns: Sequence[Column],
    attached: Collection[tuple[int, int]],
    limited: Collection[tuple[int, str]],
    index: Index | None,
) -> list[Line]:
    """The rows that are shown, each with a cell for each column that is.

    `attached`: (row of a deployment, row of a role); `limited`: (row of a role, name of a deployment) of the written
    limits. A cell tells what somebody meets who holds this role alone; without an index, only who is attached.
    """
    found = []
    for row in rows:
        deployment = index.find(row.name, SECTIONS[row.kind][-1]) if index is not None else None
        cells = []
        for column in columns:
            held = (row.pk, column.pk) in attached
            answer = index.answer(deployment, {column.name}) if index is not None and deployment is not None else None
            key = _key(row.access, held, (column.pk, row.name) in limited, answer.state if answer else "unknown")
            cells.append(Cell(column, LOOKS[key], held and row.access == "restricted"))
        people = index.listed(deployment).bit_count() if index is not None and deployment is not None else None
        found.append(Line(row, people, cells))
    return found


def _key(access: str, held: bool, limited: bool, state: str) -> tuple[str, str]:
    if access == "closed":
        return "closed", "kept" if held else ""
    if access == "restricted" and not held:
        return "none", "limit" if limited else ""
    return "attached" if access == "restricted" else "open", state


def by_kind(found: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    """The lines in groups of one kind of deployment each; they come in that order."""
    return [(kind, list(group)) for kind, group in groupby(found, key=lambda line: line.row.kind)]
