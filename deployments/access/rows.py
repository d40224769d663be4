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
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import getitem

from deployments.access.index import Answer, Index, State, iterate
from deployments.access.lanes import TOP, WIDTH, Lanes, marked
from deployments.core.limits import DEFAULT
from deployments.core.load import UNLIMITED, WINDOWS, Deployment
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


_PLAIN = re.compile(r"[0-9A-Za-z][\w.@ -]*", re.ASCII)  # a name that stands in a cell as it is, like nearly all


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
    subject=lambda kind, name: (
        f"{kind},{name}".encode() if _PLAIN.fullmatch(name) else _line((kind, name)).removesuffix(b"\n")
    ),
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
    people_of = Counter(of_person)
    kept: dict[int, tuple[bytes, int]] = {}
    size = 0
    for name, number in zip(index.people.names, of_person, strict=True):
        found = kept.get(number)
        if found is None:
            found = of_set(sets[number])
            if people_of[number] > 1:
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


# The numbers of a role on a deployment, one per window that any limit uses, by their place in the order of all: the
# larger the number, the later; of equal ones that of the first role by name is the last.
_Entry = tuple[int, ...]
_FALLBACK = ""  # the role of a number that somebody has of whose roles none has a say
_OVERLAPS = 15_000  # rows that several roles open that are kept


class _Assembly:
    """The rows of a set of roles, put together from pieces that are written once.

    A restricted deployment that one role of somebody opens has a row that depends on that role alone: those rows
    are ready, and joined for all that a role opens. What is open to everyone is limited by nearly every role: of each
    window the largest number wins (core-semantics 3.1), and its piece of the row with it. All those numbers are found
    at once: what a role says is one vector, with a lane for each deployment and window.
    """

    def __init__(self, index: Index, form: Form) -> None:
        self.index = index
        self.form = form
        limits = index.settings.limits
        given = [limit for some in limits.values() for limit in some.values()]
        self.used = [at for at in range(len(WINDOWS)) if any(limit[at] != UNLIMITED for limit in given)]
        self._order_numbers()
        self.lead = self._unused(0, self.used[0] if self.used else len(WINDOWS))
        self.overlaps: dict[tuple[int, tuple[int, ...]], bytes] = {}
        roles = index.people.roles
        self.opened = [index.opened_by.get(role, 0) for role in roles]
        self.alone = [
            {n: self._plain(n, role) for n in iterate(bits)} for role, bits in zip(roles, self.opened, strict=True)
        ]
        self.joined = [b"".join(rows.values()) for rows in self.alone]
        open_to_all = list(iterate(index.open_bits))
        self.open_count = len(open_to_all)
        limited = [n for n in open_to_all if self.used and self._limits(index.deployments[n])]
        self.unlimited = b"".join([self._plain(n) for n in open_to_all if n not in set(limited)])
        self._order_lanes(limited)

    def _order_numbers(self) -> None:
        """All numbers in order, those of the fallback first: whoever has a say puts one of theirs in its place."""
        limits = self.index.settings.limits
        numbers = {(0, UNLIMITED, 0, _FALLBACK)}
        for rank, role in enumerate(sorted(limits, reverse=True)):
            for limit in limits[role].values():
                numbers |= {(1, limit[at], rank, role) for at in self.used}
                if role == DEFAULT:
                    numbers |= {(0, limit[at], 0, role) for at in self.used}
        ordered = sorted(numbers)
        self.place = {(said, number, role): at for at, (said, number, _, role) in enumerate(ordered)}
        self.pieces = [
            [
                self.form.window(WINDOWS[at], *_given(number, role)) + self._unused(at + 1, following)
                for _, number, _, role in ordered
            ]
            for at, following in zip(self.used, (*self.used, len(WINDOWS))[1:], strict=True)
        ]
        self.end = {state: self.form.end(state) for state in ("denied", "limited", "unlimited")}
        # The end of a row by its smallest number.
        self.ends = [self.end[_state(number)] for _, number, _, _ in ordered]
        self.numbers = [number for _, number, _, _ in ordered]

    def _order_lanes(self, limited: Sequence[int]) -> None:
        """A lane for each window of each deployment, holding which of its possible numbers it is, 0 the fallback."""
        roles = self.index.people.roles
        self.texts: list[list[bytes]] = []  # of each lane the piece of the row by what the lane holds
        says: list[dict[int, int]] = [{} for _ in roles]  # of each role lane to what it holds
        denying: list[int] = []  # of each lane how many numbers deny, the fallback apart
        open_ended: list[int] = []  # and the first that is unlimited
        for n in limited:
            begin, fallback = self._begin(n, ()), self._fallback(n)
            entries = [(at, entry) for at, role in enumerate(roles) if (entry := self._entry(n, role))]
            for window, pieces in enumerate(self.pieces):
                places = sorted({entry[window] for _, entry in entries})
                for at, entry in entries:
                    says[at][len(self.texts)] = 1 + places.index(entry[window])
                states = [_state(self.numbers[place]) for place in places]
                denying.append(states.count("denied"))
                open_ended.append(1 + len(places) - states.count("unlimited"))
                self.texts.append([begin + pieces[place] for place in (fallback[window], *places)])
                begin = b""
            first, *others = self.texts[-1]
            self.texts[-1] = [first + self.ends[min(fallback)], *[text + self.end["limited"] for text in others]]
        self.lanes = Lanes(len(self.texts))
        self.says = [self.lanes.pack([some.get(lane, 0) for lane in range(len(self.texts))]) for some in says]
        self.said = self.lanes.pack([1] * len(self.texts))
        self.firsts = self.lanes.pack([(not lane % len(self.used)) << TOP for lane in range(len(self.texts))])
        self.denying, self.open_ended = self.lanes.pack(denying), self.lanes.pack(open_ended)

    def of_set(self, places: tuple[int, ...]) -> tuple[bytes, int]:
        """All rows of somebody with these roles, and how many."""
        opened = self.opened
        seen = twice = 0
        for place in places:
            bits = opened[place]
            twice |= seen & bits
            seen |= bits
        rows = [self.unlimited, *self._open(places)]
        mixed: dict[int, bytes] = {}  # of the roles that open something together
        for place in places:
            if opened[place] & twice:
                mixed |= self.alone[place]
            else:
                rows.append(self.joined[place])
        while twice:
            bit = twice & -twice
            twice ^= bit
            holders = tuple([place for place in places if opened[place] & bit])
            number = bit.bit_length() - 1
            mixed[number] = self.overlaps.get((number, holders)) or self._overlap(number, holders)
        rows += mixed.values()
        return b"".join(rows), self.open_count + seen.bit_count()

    def _open(self, places: tuple[int, ...]) -> list[bytes]:
        """The rows of what is open to everyone and limited for some, in pieces."""
        lanes = self.lanes
        numbers = lanes.largest([self.says[place] for place in places])
        pieces = list(map(getitem, self.texts, lanes.unpack(numbers)))
        unlimited = lanes.at_least(numbers, self.open_ended)
        for _ in self.used[1:]:
            unlimited &= unlimited >> WIDTH  # of a deployment in all windows
        denied = lanes.at_least(numbers, self.said) & lanes.at_least(self.denying, numbers)
        unlimited &= self.firsts
        if unlimited:
            self._end(pieces, unlimited, "unlimited")
        if denied:
            self._end(pieces, denied, "denied")
        return pieces

    def _end(self, pieces: list[bytes], answer: int, state: State) -> None:
        windows, usual, end = len(self.used), self.end["limited"], self.end[state]
        for at in {lane // windows for lane in marked(answer)}:
            last = (at + 1) * windows - 1
            pieces[last] = pieces[last].removesuffix(usual) + end

    def _overlap(self, number: int, places: tuple[int, ...]) -> bytes:
        """The row of a restricted deployment that several roles open."""
        roles = [self.index.people.roles[place] for place in places]  # in alphabetical order, as the places are
        entries = [entry for role in roles if (entry := self._entry(number, role))]
        if entries:
            largest = tuple(map(max, *entries)) if len(entries) > 1 else entries[0]
            pieces = [texts[place] for texts, place in zip(self.pieces, largest, strict=True)]
            row = b"".join([self._begin(number, tuple(roles)), *pieces, self.ends[min(largest)]])
        else:
            row = self._plain(number, *roles)
        if len(self.overlaps) > _OVERLAPS:
            self.overlaps.clear()
        self.overlaps[number, places] = row
        return row

    def _plain(self, number: int, *roles: str) -> bytes:
        answer = self.index.answer(self.index.deployments[number], frozenset(roles))
        return b"" if answer is None else self.form.row(answer)

    def _begin(self, number: int, via: tuple[str, ...]) -> bytes:
        return self.form.begin(Answer(self.index.deployments[number], via, "limited")) + self.lead

    def _limits(self, deployment: Deployment) -> bool:
        """Whether anybody's row of it can have a number."""
        settings = self.index.settings
        enforced = deployment.shadowed_by is None and deployment.section in settings.rules.enforced
        return enforced and bool(settings.entries.get(deployment.name))

    def _entry(self, number: int, role: str) -> _Entry | None:
        """What a role says of a deployment that enforces limits."""
        deployment = self.index.deployments[number]
        limit = self.index.settings.limits.get(role, {}).get(deployment.name)
        if limit is None or not self._limits(deployment):
            return None
        return tuple([self.place[1, limit[at], role] for at in self.used])

    def _fallback(self, number: int) -> _Entry:
        limit = self.index.settings.limits.get(DEFAULT, {}).get(self.index.deployments[number].name)
        if limit is None:
            return (self.place[0, UNLIMITED, _FALLBACK],) * len(self.used)
        return tuple([self.place[0, limit[at], DEFAULT] for at in self.used])

    def _unused(self, first: int, following: int) -> bytes:
        return b"".join([self.form.window(window, None, "") for window in WINDOWS[first:following]])


def _state(number: int) -> State:
    """Of a row whose smallest number this is."""
    return "denied" if number <= 0 else "limited" if number < UNLIMITED else "unlimited"


def _given(number: int, role: str) -> tuple[int | None, str]:
    return (None, "") if number == UNLIMITED else (number, role)
