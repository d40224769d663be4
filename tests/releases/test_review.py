"""What a change means for people: the bits say the same as asking Core's rules for each person."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from deployments.access.index import Population
from deployments.core.compare import difference, reach
from deployments.core.load import Settings, load
from deployments.core.versions import CURRENT, DEFAULT, Version
from deployments.releases.review import CHANGES, Review, review, review_edit

ROLES = ("default", "a", "b", "c", "d")


def settings(document: dict[str, Any], version: Version = CURRENT) -> Settings:
    loaded = load(document, version)
    assert loaded.settings is not None, loaded.findings
    return loaded.settings


def models(**user_roles: list[str] | None) -> dict[str, Any]:
    return {"models": {name: {} if roles is None else {"userRoles": roles} for name, roles in user_roles.items()}}


def people(*held: str) -> Population:
    """One person for each text, who holds the roles that are its letters."""
    holding: dict[str, int] = {}
    for number, letters in enumerate(held):
        for letter in letters:
            role = "default" if letter == "*" else letter
            holding[role] = holding.get(role, 0) | 1 << number
    return Population(range(len(held)), held, holding)


def told(result: Review) -> dict[str, dict[str, list[int]]]:
    """Deployment -> change -> numbers of people."""
    return {
        line.name: {
            change: [n for n in range(result.people) if line.bits(change) >> n & 1]
            for change in CHANGES
            if line.bits(change)
        }
        for line in result.lines
    }


def test_who_gains_and_who_loses() -> None:
    result = review(settings(models(m=["a"])), settings(models(m=["b"])), people("a", "b", "ab", ""))
    assert told(result) == {"m": {"gains": [1], "loses": [0]}}
    assert (result.gaining, result.losing, result.losing_share) == (0b10, 0b1, 0.25)


def test_what_opens_and_what_closes() -> None:
    before = settings(models(opens=["a"], closes=["a"], goes=None, same=None, **{"new-role": ["a"]}))
    after = settings(models(opens=None, closes=[], same=None, comes=None, **{"new-role": ["a", "b"]}))
    result = review(before, after, people("a", "b"))
    assert {line.name for line in result.opened} == {"opens", "comes"}
    assert {line.name for line in result.closed} == {"closes", "goes"}


def test_people_of_no_role_count_where_everyone_does() -> None:
    result = review(settings(models(m=[])), settings(models(m=None)), people("", "", "a"))
    assert told(result) == {"m": {"gains": [0, 1, 2]}}


def test_limits_that_rise_and_fall() -> None:
    def with_limits(**limits: Any) -> Settings:
        return settings({**models(m=None), "roles": {role: {"limits": {"m": body}} for role, body in limits.items()}})

    result = review(
        with_limits(a={"minute": 5}, b={"minute": 9}), with_limits(a={"minute": 6}, b={"minute": 0}),
        people("a", "b", "ab", ""),
    )  # fmt: skip
    assert told(result) == {"m": {"raised": [0], "lowered": [2], "loses": [1]}}
    assert [(change.role, change.before, change.after) for change in result.limits] == [("a", 5, 6), ("b", 9, 0)]


def test_api_keys_by_their_projects() -> None:
    def with_keys(**keys: str) -> Settings:
        entries = {secret: {"project": f"of {secret}", "role": role} for secret, role in keys.items()}
        return settings({**models(m=["a"]), "keys": entries})

    result = review(with_keys(x="a", y="b", gone="a"), with_keys(x="b", y="a", new="a"), people())
    (line,) = result.lines
    assert line.keys_gain == ("of y", "of new")
    assert line.keys_lose == ("of x", "of gone")
    assert (result.keys_gaining, result.keys_losing) == (2, 2)


def test_the_same_settings_say_nothing() -> None:
    one = settings({**models(m=["a"]), "roles": {"a": {"limits": {"m": {"day": 1}}}}})
    assert review(one, one, people("a", "b")).lines == ()


@pytest.mark.parametrize("version", [CURRENT, DEFAULT])
@pytest.mark.parametrize("seed", range(60))
def test_bits_say_what_the_rules_say_of_each_person(seed: int, version: Version) -> None:
    chance = random.Random(seed)  # noqa: S311  # cases, no secrets

    def document() -> dict[str, Any]:
        def names() -> list[str] | None:
            return None if chance.random() < 0.2 else chance.sample(ROLES, chance.randint(0, 4))

        def limit() -> dict[str, Any]:
            return {w: chance.choice([0, 5, 9]) for w in ("minute", "day") if chance.random() < 0.5}

        roles: dict[str, Any] = {
            role: {"limits": {name: limit() for name in "mno" if chance.random() < 0.5}}
            for role in ROLES if chance.random() < 0.8
        }  # fmt: skip
        for role in roles:
            if chance.random() < 0.1:
                roles[role] = {}
        entries = {n: {} if (r := names()) is None else {"userRoles": r} for n in "mno" if chance.random() < 0.9}
        return {"models": entries, "roles": roles}

    before, after = settings(document(), version), settings(document(), version)
    letters = {"default": "*"}
    held = [chance.sample(ROLES, chance.randint(0, 4)) for _ in range(40)]
    population = people(*("".join(letters.get(r, r) for r in roles) for roles in held))
    result = review(before, after, population)
    lines = told(result)
    sides = [{d.name: d for d in side.deployments} for side in (before, after)]
    for name in sides[0].keys() | sides[1].keys():
        wanted: dict[str, list[int]] = {}
        for number, roles in enumerate(held):
            had = reach(before, sides[0].get(name), frozenset(roles))
            has = reach(after, sides[1].get(name), frozenset(roles))
            found = difference(had, has)
            if found is not None:
                kinds = {found[0]: found[0] != "limit", "raised": bool(found[1]), "lowered": bool(found[2])}
                for kind in (kind for kind, said in kinds.items() if said):
                    wanted.setdefault(kind, []).append(number)
        assert lines.get(name, {}) == wanted
    for name, old in sides[0].items():
        if name in sides[1]:
            new = replace(old, user_roles=sides[1][name].user_roles)
            edited = replace(before, deployments=tuple(new if d is old else d for d in before.deployments))
            whole = review(before, edited, population).line(old.section, name)
            assert review_edit(before, before, old, new, population) == whole
    for name, old in sides[0].items():
        limits = {
            role: {**some, **({name: after.limits[role][name]} if name in after.limits.get(role, {}) else {})}
            for role, some in before.limits.items()
        }
        edited = replace(before, limits=limits)
        whole = review(before, edited, population).line(old.section, name)
        assert review_edit(before, edited, old, old, population) == whole
