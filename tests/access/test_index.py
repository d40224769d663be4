"""The index gives the answers of the engine, for everybody at once."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.access.index import Index, Population, differences, members, outcome, some_members, tally
from deployments.core.access import is_allowed
from deployments.core.compare import reach
from deployments.core.evaluate import evaluate
from deployments.core.load import Settings, load
from deployments.core.merge import merge
from deployments.core.versions import CLASSIC, CURRENT, Version

BIG = sorted((Path(__file__).parent.parent / "core" / "vectors").glob("*/big/*.json.gz"))

ROLES = ("a", "b", "c", "default")
names = st.sampled_from(("m", "n", "o"))
numbers = st.sampled_from((0, 1, 5, 1000))
entries = st.dictionaries(st.sampled_from(("minute", "day", "requestHour")), numbers, max_size=2)
deployments = st.fixed_dictionaries({}, optional={"userRoles": st.lists(st.sampled_from(ROLES), max_size=3)})
roles = st.fixed_dictionaries({}, optional={"limits": st.dictionaries(names, entries, max_size=3)})
documents = st.fixed_dictionaries(
    {
        "models": st.dictionaries(names, deployments, max_size=3),
        "applications": st.dictionaries(names, deployments, max_size=2),
        "roles": st.dictionaries(st.sampled_from(ROLES), roles, max_size=4),
        "routes": st.dictionaries(names, deployments, max_size=1),
    }
)
people = st.lists(st.frozensets(st.sampled_from(ROLES)), max_size=12)


def population(held: list[frozenset[str]]) -> Population:
    holding: dict[str, int] = {}
    for number, some in enumerate(held):
        for role in some:
            holding[role] = holding.get(role, 0) | 1 << number
    return Population(range(100, 100 + len(held)), [f"user-{n}" for n in range(len(held))], holding)


def loaded(document: dict[str, Any], version: Version = CLASSIC) -> Settings:
    result = load(document, version).settings
    assert result is not None
    return result


@given(documents, people)
@settings(max_examples=150, deadline=None)
def test_everybody_is_listed_and_served_as_the_engine_says(
    document: dict[str, Any], held: list[frozenset[str]]
) -> None:
    index = Index(loaded(document), population(held))
    for deployment in index.deployments:
        listed, callers = index.listed(deployment), index.callers(deployment)
        for number, some in enumerate(held):
            assert bool(listed >> number & 1) == is_allowed(deployment, some)
            assert bool(callers >> number & 1) == (reach(index.settings, deployment, some) is not None)
            answer = index.answer(deployment, some)
            state, limit = outcome(index.settings, deployment, some)
            if not is_allowed(deployment, some):
                assert answer is None
            else:
                assert answer is not None
                assert answer.state == state
                assert answer.reaches == bool(callers >> number & 1)
                if answer.limit:
                    assert limit is not None
                    assert answer.limit == limit.as_dict()
                    assert answer.given.keys() == answer.limit.keys()


@given(documents, people)
@settings(max_examples=80, deadline=None)
def test_counts_and_lists_are_those_of_one_by_one(document: dict[str, Any], held: list[frozenset[str]]) -> None:
    index = Index(loaded(document), population(held))
    one_by_one = [[d for d in index.deployments if is_allowed(d, some)] for some in held]
    assert index.reach_counts() == [len(some) for some in one_by_one]
    assert [[a.deployment for a in index.answers(some)] for some in held] == one_by_one
    assert [index.people.roles_of(number) for number in range(len(held))] == held
    nothing = {n for n, some in enumerate(held) if all(reach(index.settings, d, some) is None for d in one_by_one[n])}
    assert set(members(index.reaching_nothing())) == nothing


@given(st.lists(st.integers(0, 2**9 - 1), max_size=20), st.integers(1, 40))
def test_a_tally_counts_the_sets_of_each_person(sets: list[int], times: int) -> None:
    sets = sets * times  # up to 800: more than one octet holds
    assert tally(sets, 9) == [sum(bits >> number & 1 for bits in sets) for number in range(9)]


@given(documents, documents, people, people)
@settings(max_examples=80, deadline=None)
def test_two_moments_are_compared_person_by_person(
    before: dict[str, Any], after: dict[str, Any], then: list[frozenset[str]], now: list[frozenset[str]]
) -> None:
    old, new = Index(loaded(before), population(then)), Index(loaded(after), population(now))

    def served(index: Index, held: list[frozenset[str]]) -> set[tuple[str, str, int]]:
        return {
            (d.section, d.name, 100 + number)
            for d in index.deployments
            for number, some in enumerate(held)
            if reach(index.settings, d, some) is not None
        }

    one, other = served(old, then), served(new, now)
    ids, found = differences(old, new)
    assert {(d.section, d.name, ids[n]) for d in found for n in members(d.gained)} == other - one
    assert {(d.section, d.name, ids[n]) for d in found for n in members(d.lost)} == one - other


def test_people_are_matched_by_row_however_they_are_numbered() -> None:
    served = loaded({"models": {"m": {"userRoles": ["a"]}, "open": {}}})
    old = Index(served, Population([7, 3, 9], ["x", "y", "z"], {"a": 0b011}))  # 7 and 3 hold it
    new = Index(served, Population([3, 5, 7], ["y", "v", "x"], {"a": 0b011}))  # 3 and 5 do
    ids, found = differences(old, new)
    named = {d.name: ([ids[n] for n in members(d.gained)], [ids[n] for n in members(d.lost)]) for d in found}
    assert named == {"m": ([5], [7]), "open": ([5], [9])}


@given(st.sets(st.integers(0, 400), max_size=400), st.integers(0, 30), st.integers(0, 30))
def test_the_members_of_a_set_come_in_order(numbers: set[int], first: int, some: int) -> None:
    bits = sum(1 << number for number in numbers)
    assert members(bits) == sorted(numbers)
    assert some_members(bits, first, some) == sorted(numbers)[first : first + some]


@pytest.mark.parametrize("path", BIG, ids=lambda path: f"{path.parent.parent.name}-{path.name}")
def test_random_pairs_of_a_large_organisation_agree_with_core(path: Path) -> None:
    vector = json.loads(gzip.decompress(path.read_bytes()))
    version = CLASSIC if vector["generation"] == "classic" else CURRENT
    people = [principal for principal in vector["principals"] if "key" not in principal]
    index = Index(loaded(merge(vector["files"]), version), population([frozenset(p["roles"]) for p in people]))
    rows = {
        (row["principal"], row["section"], row["deployment"]): row
        for row in evaluate(vector["files"], people, version=version)["results"]
    }
    drawn = random.Random(1)  # noqa: S311  # the same pairs each time, and no secret
    for _ in range(200):
        number = drawn.randrange(len(people))
        deployment = drawn.choice(index.deployments)
        row = rows[people[number]["id"], deployment.section, deployment.name]
        answer = index.answer(deployment, index.people.roles_of(number))
        assert row["access"] == (answer is not None) == bool(index.listed(deployment) >> number & 1)
        if answer is not None and row["limit_enforced"] and not row.get("shadowed"):
            assert (answer.state == "denied") == bool(row["denied_by_limit"])
            assert (answer.state == "failed") == ("limit_error" in row)
            if answer.state != "failed":
                assert answer.limit == row["limit"]


def test_an_answer_says_by_which_role_and_who_gave_each_number() -> None:
    index = Index(
        loaded(
            {
                "models": {"m": {"userRoles": ["a", "b"]}},
                "roles": {
                    "a": {"limits": {"m": {"minute": 10, "day": 900}}},
                    "b": {"limits": {"m": {"minute": 20, "day": 100}}},
                },
            }
        ),
        population([frozenset("ab")]),
    )
    (answer,) = index.answers(frozenset("ab"))
    assert answer.via == ("a", "b")
    assert (answer.limit, answer.given) == ({"minute": 20, "day": 900}, {"minute": ("b",), "day": ("a",)})


def test_the_other_questions() -> None:
    index = Index(
        loaded(
            {
                "models": {"m": {"userRoles": ["a", "ghost"]}, "n": {"userRoles": []}},
                "roles": {"a": {"limits": {}}, "limited-only": {"limits": {"m": {"day": 1}}}},
                "keys": {"secret": {"project": "p", "role": "c"}, "other": {"project": "p", "role": "a"}},
            }
        ),
        population([frozenset("a"), frozenset("b"), frozenset()]),
    )
    assert index.open_to_everyone() == []
    assert members(index.reaching_nothing()) == [1, 2]
    assert index.roles_without_members() == ["ghost", "limited-only"]
    assert index.members_without_effect() == [("b", 0b10)]
    assert [label for label, _ in index.keys] == ["p", "p (2)"]
