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
from typing import Any

from deployments.access.index import Answer, Index, iterate
from deployments.core.load import WINDOWS
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
    "state",  # unlimited, limited, denied (by a limit), failed (500), shadowed (the name leads elsewhere)
    *WINDOWS,  # numbers; empty is unlimited
    "limit_from",  # the role behind the limit, or window=role where they differ, joined by |
)


@dataclass(frozen=True)
class Form:
    """How rows are written.

    `row` gives the bytes of an answer with MARK for the subject, `subject` what takes its place, `cells` the
    bytes of a row of any other table with these columns.
    """

    name: str
    content_type: str
    head: Callable[[Mapping[str, str], Sequence[str]], bytes]
    row: Callable[[Answer], bytes]
    cells: Callable[[Sequence[str], Sequence[object]], bytes]
    subject: Callable[[str, str], bytes]
    foot: Callable[[Mapping[str, str], int, str], bytes]
    first: int = 0  # bytes that the very first row goes without: what stands between two rows


def _line(cells: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([cell(value) for value in cells])
    return text.getvalue()


def _csv_row(answer: Answer) -> bytes:
    cells = (
        answer.kind,
        answer.deployment.name,
        answer.access,
        "|".join(answer.via),
        answer.state,
        *(answer.limit.get(window) for window in WINDOWS),
        limit_from(answer),
    )
    return MARK + b"," + _line(cells).replace("\x00", "").encode()


def limit_from(answer: Answer) -> str:
    """Where the limit comes from, in one cell."""
    sources = list(answer.given.values())
    if all(some == sources[0] for some in sources):
        return "|".join(sources[0]) if sources else ""
    return "|".join(f"{window}={role}" for window, roles in answer.given.items() for role in roles)


def _csv_foot(about: Mapping[str, str], rows: int, digest: str) -> bytes:
    """Comments, so that a file that was cut off is told from a whole one."""
    stamps = {**about, "rows": str(rows), "sha256 of the lines above": digest}
    return "".join(f"# {name}: {_one_line(value)}\n" for name, value in stamps.items()).encode()


def _one_line(text: str) -> str:
    return " ".join(text.split())


CSV = Form(
    name="csv",
    content_type="text/csv; charset=utf-8",
    head=lambda about, columns: _line(columns).encode(),
    row=_csv_row,
    cells=lambda columns, row: _line(row).encode(),
    subject=lambda kind, name: _line((kind, name)).rstrip("\n").replace("\x00", "").encode(),
    foot=_csv_foot,
)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_dict(answer: Answer) -> dict[str, Any]:
    """An answer as plain values, in the words of the columns."""
    return {
        "kind": answer.kind,
        "deployment": answer.deployment.name,
        "access": answer.access,
        "via": list(answer.via),
        "state": answer.state,
        "limit": dict(answer.limit),
        "limit_from": {window: list(roles) for window, roles in answer.given.items()},
    }


JSON = Form(
    name="json",
    content_type="application/json",
    head=lambda about, columns: f'{{"about": {_dumps(dict(about))}, "rows": ['.encode(),
    row=lambda answer: b",\n{" + MARK + b", " + _dumps(as_dict(answer))[1:].encode(),
    cells=lambda columns, row: b",\n" + _dumps(dict(zip(columns, row, strict=True))).encode(),
    subject=lambda kind, name: f'"subject_kind": {_dumps(kind)}, "subject": {_dumps(name)}'.encode(),
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
    waiting = [form.head(about, columns)]
    size = rows = 0
    sent = False
    for block, number in blocks:
        if not number:
            continue
        waiting.append(block[form.first :] if not rows else block)
        rows += number
        size += len(block)
        if size >= CHUNK or not sent:  # the first row goes out at once: somebody waits for it
            chunk = b"".join(waiting)
            digest.update(chunk)
            yield chunk
            waiting, size, sent = [], 0, True
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
    ends = _Ends(index, form)
    sets, of_person = index.people.role_sets
    kept: dict[int, tuple[bytes, int]] = {}
    size = 0
    for name, number in zip(index.people.names, of_person, strict=True):
        found = kept.get(number)
        if found is None:
            found = ends.of_set(sets[number])
            size += len(found[0])
            if size > _KEPT:
                kept.clear()
                size = len(found[0])
            kept[number] = found
        rows, count = found
        yield rows.replace(MARK, form.subject("user", name)), count
    for label, key in index.keys:
        yield block(form, "key", label, index.answers(frozenset(key.roles)))


class _Ends:
    """The row ends, and how they are put together for a set of roles."""

    def __init__(self, index: Index, form: Form) -> None:
        self.index = index
        self.form = form
        roles = index.people.roles
        self.opened = [index.opened_by.get(role, 0) for role in roles]
        # What a role opens when no other role of the person has a say: one block, and its parts.
        self.alone = [[(n, self.end(n, (place,))) for n in iterate(bits)] for place, bits in enumerate(self.opened)]
        self.whole = [b"".join([end for _, end in ends]) for ends in self.alone]
        # Open deployments: everyone's rows, and which of them a role turns into others.
        self.open = list(iterate(index.open_bits))
        self.open_ends = [self.end(n, ()) for n in self.open]
        self.open_whole = b"".join(self.open_ends)
        self.turned: list[list[tuple[int, bytes]]] = [
            [(at, self.end(n, (place,))) for at, n in enumerate(self.open) if role in index.relevant[n]]
            for place, role in enumerate(roles)
        ]
        self.shared: dict[tuple[int, tuple[int, ...]], bytes] = {}

    def end(self, number: int, places: Sequence[int]) -> bytes:
        roles = self.index.people.roles
        answer = self.index.answer(self.index.deployments[number], frozenset([roles[place] for place in places]))
        return b"" if answer is None else self.form.row(answer)

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
                parts += [end for number, end in self.alone[place] if not twice >> number & 1]
            else:
                parts.append(self.whole[place])
        if twice:
            parts += [self._shared(n, tuple([p for p in places if opened[p] >> n & 1])) for n in iterate(twice)]
        return b"".join(parts), len(self.open) + seen.bit_count()

    def _open(self, places: tuple[int, ...]) -> list[bytes]:
        turned: dict[int, bytes] = {}
        several: set[int] = set()
        for place in places:
            for at, end in self.turned[place]:
                if at in turned:
                    several.add(at)
                turned[at] = end
        if not turned:
            return [self.open_whole]
        ends = self.open_ends.copy()
        for at, end in turned.items():
            ends[at] = end
        relevant, roles = self.index.relevant, self.index.people.roles
        for at in several:
            number = self.open[at]
            ends[at] = self._shared(number, tuple([p for p in places if roles[p] in relevant[number]]))
        return ends

    def _shared(self, number: int, places: tuple[int, ...]) -> bytes:
        key = (number, places)
        found = self.shared.get(key)
        if found is None:
            if len(self.shared) > _SHARED:
                self.shared.clear()
            found = self.shared[key] = self.end(number, places)
        return found


_SHARED = 50_000  # row ends of several roles together that are kept
