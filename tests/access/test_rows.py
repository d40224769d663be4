"""Files of answers: every row of the engine, no more, safe to open, and told from a file that was cut."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings

from deployments.access import rows
from deployments.access.index import Index
from deployments.core.load import WINDOWS
from tests.access.test_index import documents, loaded, people, population

ABOUT = {"question": "Who reaches what", "settings": "draft 3"}


def plainly(index: Index, held: Iterable[frozenset[str]]) -> list[list[str]]:
    """The rows, one person and one deployment at a time."""
    subjects = [("user", f"user-{number}", some) for number, some in enumerate(held)]
    subjects += [("key", label, frozenset(key.roles)) for label, key in index.keys]
    return [
        [kind, name, answer.kind, answer.deployment.name, answer.access, "|".join(answer.via)]
        + [
            text
            for window in WINDOWS
            for text in (str(answer.limit.get(window, "")), *answer.given.get(window, [""])[:1])
        ]
        + [answer.state]
        for kind, name, roles in subjects
        for deployment in index.deployments
        if (answer := index.answer(deployment, roles)) is not None
    ]


def read(data: bytes) -> tuple[list[list[str]], list[str]]:
    lines = data.decode().splitlines()
    table = list(csv.reader(line for line in lines if not line.startswith("# ")))
    assert table[0] == list(rows.COLUMNS)
    return table[1:], [line for line in lines if line.startswith("# ")]


@given(documents, people)
@settings(max_examples=150, deadline=None)
def test_the_fast_way_writes_the_rows_of_the_plain_way(document: dict[str, Any], held: list[frozenset[str]]) -> None:
    document = {**document, "keys": {"secret": {"project": "p", "roles": ["a", "b"]}}}
    index = Index(loaded(document), population(held))
    table, _ = read(b"".join(rows.write(rows.CSV, ABOUT, rows.everything(index, rows.CSV))))
    assert sorted(table) == sorted(plainly(index, held))
    assert [row[1] for row in table] == sorted((row[1] for row in table), key=[*index.people.names, "p"].index)
    document = json.loads(b"".join(rows.write(rows.JSON, ABOUT, rows.everything(index, rows.JSON))))
    assert document["count"] == len(document["rows"]) == len(table)


@given(documents, people)
@settings(max_examples=80, deadline=None)
def test_one_deployment_has_the_rows_of_the_whole_about_it(
    document: dict[str, Any], held: list[frozenset[str]]
) -> None:
    index = Index(loaded(document), population(held))
    for deployment in index.deployments:
        blocks = rows.of_deployment(index, rows.CSV, deployment.name, deployment.section)
        table, _ = read(b"".join(rows.write(rows.CSV, ABOUT, blocks)))
        wanted = [
            row
            for row in plainly(index, held)
            if row[3] == deployment.name and row[2] == deployment.section.rstrip("s")
        ]
        assert table == wanted


def test_a_file_that_was_cut_is_told_from_a_whole_one() -> None:
    index = Index(loaded({"models": {"m": {}}}), population([frozenset(), frozenset()]))
    data = b"".join(rows.write(rows.CSV, ABOUT, rows.everything(index, rows.CSV)))
    table, stamps = read(data)
    body = data[: data.index(b"# question")]
    assert stamps == [
        "# question: Who reaches what",
        "# settings: draft 3",
        "# rows: 2",
        f"# sha256 of the lines above: {hashlib.sha256(body).hexdigest()}",
    ]
    assert len(table) == 2


def test_json_without_rows_is_json() -> None:
    index = Index(loaded({}), population([]))
    document = json.loads(b"".join(rows.write(rows.JSON, ABOUT, rows.everything(index, rows.JSON))))
    assert (document["about"], document["rows"], document["count"]) == (ABOUT, [], 0)


def test_no_cell_is_a_formula_and_no_name_breaks_out_of_its_cell() -> None:
    index = Index(
        loaded({"models": {'=cmd|"x"': {"userRoles": ["@role"]}}}),
        population([frozenset(["@role"])]),
    )
    index.people.names[0] = '-1+"\n,'  # type: ignore[index]  # a list in this test
    table, _ = read(b"".join(rows.write(rows.CSV, ABOUT, rows.everything(index, rows.CSV))).replace(b"\n,", b" ,"))
    assert table[0][1].startswith("'-1")
    assert table[0][3] == '\'=cmd|"x"'
    assert table[0][5] == "'@role"


def test_chunks_are_of_one_size_and_the_header_comes_at_once() -> None:
    index = Index(loaded({"models": {f"m{n}": {} for n in range(50)}}), population([frozenset()] * 500))
    chunks = list(rows.write(rows.CSV, ABOUT, rows.everything(index, rows.CSV)))
    assert chunks[0].decode().rstrip() == ",".join(rows.COLUMNS)
    assert all(rows.CHUNK <= len(chunk) < rows.CHUNK * 1.1 for chunk in chunks[1:-1])


def test_each_number_has_the_role_that_gave_it() -> None:
    limits = {"a": {"minute": 1, "day": 9}, "b": {"minute": 2, "day": 3}, "c": {"minute": 2, "day": 9}}
    index = Index(
        loaded({"models": {"m": {}}, "roles": {role: {"limits": {"m": limit}} for role, limit in limits.items()}}),
        population([frozenset("abc")]),
    )
    table, _ = read(b"".join(rows.write(rows.CSV, ABOUT, rows.everything(index, rows.CSV))))
    row = dict(zip(rows.COLUMNS, table[0], strict=True))
    assert (row["minute"], row["minute_from"], row["day"], row["day_from"]) == ("2", "b", "9", "a")
    (json_row,) = json.loads(b"".join(rows.write(rows.JSON, ABOUT, rows.everything(index, rows.JSON))))["rows"]
    assert list(json_row) == list(rows.COLUMNS)
    assert (json_row["minute"], json_row["minute_from"], json_row["week"]) == (2, "b", None)
