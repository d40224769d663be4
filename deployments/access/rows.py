"""Answers as files: CSV or JSON, row by row, in memory that does not grow with the number of rows. Pure.

Ten million rows are the same few thousand row ends behind a hundred thousand names. So each row end is
written once, with a mark where the subject belongs, the row ends of a person are put together, and the name
goes in by one replacement.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployments.access.index import Answer, Index, State, iterate
from deployments.core.load import UNLIMITED, WINDOWS, Limit
from dialadmin.spreadsheet import cell

MARK = b"\x00"  # stands for the subject; no name holds it
CHUNK = 256 * 1024  # bytes that are sent together
_KEPT = 8 * 1024 * 1024  # bytes of rows that are kept for further people with the same roles

COLUMNS = (
    "subject_kind",  # user, role or key
    "subject",  # user name, name of the role, label of the API key
    "kind",
    "deployment",
    "access",  # open or restricted
    "via",  # the roles that let in, joined by |; empty when open
    *(column for window in WINDOWS for column in (window, f"{window}_from")),  # empty: unlimited; the role behind it
    "state",  # unlimited, limited, denied (by a limit), failed (500), shadowed (the name leads elsewhere)
)


@dataclass(frozen=True)
class Form:
    """How rows are written: those of answers in pieces, which are put together anew for each set of roles.

    `begin` has MARK where the subject belongs, `window` a number (None: unlimited) and the role it comes from,
    `end` the state. `subject` takes the place of MARK. `cells` writes a row of any other table with these columns.
    """

    name: str
    content_type: str
    head: Callable[[Mapping[str, str], Sequence[str]], bytes]
    begin: Callable[[Answer], bytes]
    window: Callable[[str, int | None, str], bytes]
    end: Callable[[State], bytes]
    subject: Callable[[str, str], bytes]
    cells: Callable[[Sequence[str], Sequence[object]], bytes]
    foot: Callable[[Mapping[str, str], int, str], bytes]
    first: int = 0  # bytes that the very first row goes without: what stands between two rows

    def row(self, answer: Answer) -> bytes:
        """The row of an answer, with MARK for the subject."""
        windows = [
            self.window(window, answer.limit[window], answer.given[window][0])
            if window in answer.limit
            else self.window(window, None, "")
            for window in WINDOWS
        ]
        return b"".join((self.begin(answer), *windows, self.end(answer.state)))


def _line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([cell(value) for value in cells])
    return text.getvalue().replace("\x00", "").encode()


def _inner(*cells: object) -> bytes:
    """Cells that follow others in their line."""
    return _line(("", *cells)).removesuffix(b"\n")


def _csv_foot(about: Mapping[str, str], rows: int, digest: str) -> bytes:
    """Comments, so that a file that was cut off is told from a whole one."""
    stamps = {**about, "rows": str(rows), "sha256 of the lines above": digest}
    return "".join(f"# {name}: {' '.join(value.split())}\n" for name, value in stamps.items()).encode()


CSV = Form(
    name="csv",
    content_type="text/csv; charset=utf-8",
    head=lambda about, columns: _line(columns),
    begin=lambda answer: MARK + _inner(answer.kind, answer.deployment.name, answer.access, "|".join(answer.via)),
    window=lambda window, number, role: b",," if number is None else _inner(number, role),
    end=lambda state: f",{state}\n".encode(),
    subject=lambda kind, name: _line((kind, name)).removesuffix(b"\n"),
    cells=lambda columns, row: _line(row),
    foot=_csv_foot,
)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fields(values: Mapping[str, object]) -> bytes:
    """Fields of a JSON object, each with the comma behind it; its end is the state."""
    return "".join(f"{_dumps(name)}: {_dumps(value)}, " for name, value in values.items()).encode()


JSON = Form(
    name="json",
    content_type="application/json",
    head=lambda about, columns: f'{{"about": {_dumps(dict(about))}, "rows": ['.encode(),
    begin=lambda answer: (
        b",\n{"
        + MARK
        + _fields(
            {
                "kind": answer.kind,
                "deployment": answer.deployment.name,
                "access": answer.access,
                "via": list(answer.via),
            }
        )
    ),
    window=lambda window, number, role: _fields({window: number, f"{window}_from": None if number is None else role}),
    end=lambda state: f'"state": "{state}"}}'.encode(),
    subject=lambda kind, name: _fields({"subject_kind": kind, "subject": name}),
    cells=lambda columns, row: b",\n" + _dumps(dict(zip(columns, row, strict=True))).encode(),
    foot=lambda about, rows, digest: f'\n], "count": {rows}, "sha256": "{digest}"}}\n'.encode(),
    first=1,
)


FORMS = {form.name: form for form in (CSV, JSON)}


def write(
    form: Form, about: Mapping[str, str], blocks: Iterable[tuple[bytes, int]], columns: Sequence[str] = COLUMNS
) -> Iterator[bytes]:
    """A whole file in chunks: head, the blocks of rows with their numbers of rows, foot.

    The digest in the foot is the sha256 of everything before it.
    """
    digest = hashlib.sha256()
    size = rows = 0
    waiting: list[bytes] = []
    head = form.head(about, columns)
    digest.update(head)
    yield head  # at once: somebody waits for it
    for block, number in blocks:
        if not number:
            continue
        waiting.append(block if rows else block[form.first :])
        rows += number
        size += len(block)
        if size >= CHUNK:
            chunk = b"".join(waiting)
            digest.update(chunk)
            yield chunk
            waiting, size = [], 0
    chunk = b"".join(waiting)
    digest.update(chunk)
    yield chunk + form.foot(about, rows, digest.hexdigest())


def block(form: Form, kind: str, name: str, answers: Iterable[Answer]) -> tuple[bytes, int]:
    """The rows of one subject, and their number."""
    rows = [form.row(answer) for answer in answers]
    return b"".join(rows).replace(MARK, form.subject(kind, name)), len(rows)


def of_deployment(index: Index, form: Form, name: str, section: str = "") -> Iterator[tuple[bytes, int]]:
    """Everyone whom a deployment lists: people by user name, then API keys."""
    deployment = index.find(name, section)
    if deployment is None:
        return
    known: dict[int, bytes] = {}  # answers are few and shared
    for number, answer in index.answers_of_people(deployment):
        row = known.get(id(answer)) or known.setdefault(id(answer), form.row(answer))
        yield row.replace(MARK, form.subject("user", index.people.names[number])), 1
    for label, key in index.keys:
        found = index.answer(deployment, frozenset(key.roles))
        if found is not None:
            yield block(form, "key", label, [found])


def everything(index: Index, form: Form) -> Iterator[tuple[bytes, int]]:
    """Every row there is: each person with all deployments that list them, then each API key."""
    of_set = _plain(index, form) if index.settings.without_limits else _Assembly(index, form).of_set
    sets, of_person = index.people.role_sets
    kept: dict[int, tuple[bytes, int]] = {}
    size = 0
    for name, number in zip(index.people.names, of_person, strict=True):
        found = kept.get(number)
        if found is None:
            found = of_set(sets[number])
            size += len(found[0])
            if size > _KEPT:
                kept.clear()
                size = len(found[0])
            kept[number] = found
        rows, count = found
        yield rows.replace(MARK, form.subject("user", name)), count
    for label, key in index.keys:
        yield block(form, "key", label, index.answers(frozenset(key.roles)))


def _plain(index: Index, form: Form) -> Callable[[tuple[int, ...]], tuple[bytes, int]]:
    """The rows of a set of roles, answer by answer: the way of settings in which some roles fail every call."""

    def of_set(places: tuple[int, ...]) -> tuple[bytes, int]:
        rows = [form.row(answer) for answer in index.answers(frozenset([index.people.roles[n] for n in places]))]
        return b"".join(rows), len(rows)

    return of_set


# Per window that any limit uses: the number with the rank of the role behind it, so that of equal numbers the first
# role by name is the largest; and its piece of the row.
_Entry = Sequence[tuple[int, bytes]]
_RANK = 20  # bits of the rank
_BEGINS = 20_000  # begins of rows that are kept


class _Assembly:
    """The rows of a set of roles, put together from pieces that are written once.

    A deployment that one role of somebody opens and limits has a row that depends on that role alone: those rows
    are ready, a block for each role. Where several roles have a say, the largest number of each window wins
    (core-semantics 3.1), and its piece with it; of equals the first role by name.
    """

    def __init__(self, index: Index, form: Form) -> None:
        self.index = index
        self.form = form
        self.used = [
            at
            for at in range(len(WINDOWS))
            if any(limit[at] != UNLIMITED for limits in index.settings.limits.values() for limit in limits.values())
        ]
        self.rank = {role: (1 << _RANK) - 1 - at for at, role in enumerate(sorted(index.settings.limits))}
        self.begins: dict[tuple[int, tuple[str, ...]], bytes] = {}
        self.pieces: dict[tuple[Limit, str], _Entry] = {}
        self.lead = self._unused(0, self.used[0] if self.used else len(WINDOWS))
        roles = index.people.roles
        self.opened = [index.opened_by.get(role, 0) for role in roles]
        self.alone = [
            [(n, self._one(n, role)) for n in iterate(bits)] for role, bits in zip(roles, self.opened, strict=True)
        ]
        self.whole = [b"".join([row for _, row in rows]) for rows in self.alone]
        self.open = list(iterate(index.open_bits))
        self.open_rows = [self._one(n, None) for n in self.open]
        self.open_whole = b"".join(self.open_rows)
        self.open_begins = [self._begin(n, ()) for n in self.open]
        # What a role turns of the rows of everyone: which, its numbers, and the row if no other role has a say.
        self.turned: list[list[tuple[int, _Entry, bytes]]] = [
            [
                (at, entry, self._one(n, role))
                for at, n in enumerate(self.open)
                if role in index.relevant[n] and (entry := self._entry(n, role)) is not None
            ]
            for role in roles
        ]
        self.ends = {state: form.end(state) for state in ("denied", "limited", "unlimited")}

    def of_set(self, places: tuple[int, ...]) -> tuple[bytes, int]:
        """All rows of somebody with these roles, and how many."""
        opened = self.opened
        seen = twice = 0
        for place in places:
            bits = opened[place]
            twice |= seen & bits
            seen |= bits
        parts = self._open(places)
        for place in places:
            if opened[place] & twice:
                parts += [row for number, row in self.alone[place] if not twice >> number & 1]
            else:
                parts.append(self.whole[place])
        roles = self.index.people.roles
        for number in iterate(twice):
            parts.append(self._several(number, [roles[place] for place in places if opened[place] >> number & 1]))
        return b"".join(parts), len(self.open) + seen.bit_count()

    def _open(self, places: tuple[int, ...]) -> list[bytes]:
        """The rows of what is open to everyone, turned by the limits of these roles."""
        once: dict[int, _Entry] = {}
        several: dict[int, list[_Entry]] = {}
        rows = self.open_rows.copy()
        for place in places:
            for at, entry, row in self.turned[place]:
                if at not in once:
                    once[at] = entry
                    rows[at] = row
                elif at in several:
                    several[at].append(entry)
                else:
                    several[at] = [once[at], entry]
        if not once:
            return [self.open_whole]
        for at, entries in several.items():
            rows[at] = self._put(self.open_begins[at], entries)
        return rows

    def _several(self, number: int, roles: Sequence[str]) -> bytes:
        """The row of a restricted deployment that several roles open; `roles` in alphabetical order."""
        entries = [entry for role in roles if (entry := self._entry(number, role)) is not None]
        if not entries:
            answer = self.index.answer(self.index.deployments[number], frozenset(roles))
            return b"" if answer is None else self.form.row(answer)
        return self._put(self._begin(number, tuple(roles)), entries)

    def _one(self, number: int, role: str | None) -> bytes:
        roles = frozenset[str]() if role is None else frozenset((role,))
        answer = self.index.answer(self.index.deployments[number], roles)
        return b"" if answer is None else self.form.row(answer)

    def _begin(self, number: int, via: tuple[str, ...]) -> bytes:
        begin = self.begins.get((number, via))
        if begin is None:
            if len(self.begins) > _BEGINS:
                self.begins.clear()
            begin = self.form.begin(Answer(self.index.deployments[number], via, "limited")) + self.lead
            self.begins[number, via] = begin
        return begin

    def _put(self, begin: bytes, entries: Sequence[_Entry]) -> bytes:
        """The row of the largest number in each window."""
        winners = list(map(max, *entries)) if len(entries) > 1 else entries[0]
        smallest = min(winners)[0] >> _RANK if winners else UNLIMITED
        state = "denied" if smallest <= 0 else "limited" if smallest < UNLIMITED else "unlimited"
        return b"".join([begin, *[piece for _, piece in winners], self.ends[state]])

    def _entry(self, number: int, role: str) -> _Entry | None:
        """The numbers of a role on a deployment that enforces limits, each with its piece of a row."""
        deployment = self.index.deployments[number]
        if deployment.shadowed_by is not None or deployment.section not in self.index.settings.rules.enforced:
            return None
        limit = self.index.settings.limits.get(role, {}).get(deployment.name)
        return None if limit is None else self._pieces(limit, role)

    def _pieces(self, limit: Limit, role: str) -> _Entry:
        known = self.pieces.get((limit, role))
        if known is None:
            known = self.pieces[limit, role] = self._written(limit, role)
        return known

    def _written(self, limit: Limit, role: str) -> _Entry:
        bounds = zip(self.used, (*self.used, len(WINDOWS))[1:], strict=True)
        return [
            (
                (limit[at] << _RANK) + self.rank[role],
                self.form.window(WINDOWS[at], *_given(limit[at], role)) + self._unused(at + 1, following),
            )
            for at, following in bounds
        ]

    def _unused(self, first: int, following: int) -> bytes:
        return b"".join([self.form.window(window, None, "") for window in WINDOWS[first:following]])


def _given(number: int, role: str) -> tuple[int | None, str]:
    return (None, "") if number == UNLIMITED else (number, role)
