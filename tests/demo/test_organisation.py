"""The invented company and its settings: plausible, the same at each start, and acceptable to Core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deployments.core.check import check
from deployments.core.load import load
from deployments.core.text import parse
from deployments.core.versions import Version
from dialadmin.demo import organisation

FILE = Path(organisation.__file__).with_name("settings.json")
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text())


def snapshot() -> dict[str, Any]:
    pool = organisation.build_pool(callback_urls=[], sign_out_urls=[], client_secret="s")
    organisation.remove_pool()
    return {
        "ids": (pool.id, pool.arn, list(pool.clients)),
        "users": [user.to_json(extended=True) for user in pool.users.values()],
        "groups": {name: (group.to_json(), {user.id for user in group.users}) for name, group in pool.groups.items()},
    }


def test_a_second_start_makes_the_same_pool() -> None:
    first, second = snapshot(), snapshot()
    for made in (first, second):
        for user in made["users"]:
            user["Attributes"].sort(key=lambda attribute: attribute["Name"])

    assert first["ids"] == second["ids"]
    assert [(u["Username"], u["Attributes"], u["UserCreateDate"]) for u in first["users"]] == [
        (u["Username"], u["Attributes"], u["UserCreateDate"]) for u in second["users"]
    ]
    assert first["groups"] == second["groups"]


def test_the_company_has_every_kind_of_person() -> None:
    people = organisation.PEOPLE
    names = {group.name for group in organisation.GROUPS}

    assert 38 <= len(people) <= 45
    assert 8 <= len(names) <= 11
    assert len({person.sub for person in people}) == len(people)
    assert all(set(person.groups) <= names for person in people)
    assert any(not person.enabled for person in people)
    assert any(not person.groups for person in people)
    assert any(len(person.groups) > 1 for person in people)
    assert sum(not person.name.isascii() for person in people) > 10
    assert all(any(name in person.groups for person in people) for name in names)


def test_the_people_to_start_with_hold_the_levels_they_are_offered_as() -> None:
    by_username = {person.username: person for person in organisation.PEOPLE}
    levels = {"dial-publishers": "Publisher", "dial-editors": "Editor", "dial-auditors": "Auditor"}

    assert len(organisation.WELCOMES) == 4
    for welcome in organisation.WELCOMES:
        person = by_username[welcome.username]
        held = [levels[group] for group in person.groups if group in levels]
        assert held == ([] if welcome.level == "No rights" else [welcome.level])
        assert person.enabled


@pytest.mark.parametrize("version", ["0.18", "0.23", "0.37"])
def test_core_loads_the_sample_settings(version: str) -> None:
    core = Version.parse(version)
    document = parse(FILE.read_bytes(), "settings.json")

    assert load(document, core).settings is not None
    found = check(document, core)
    assert [finding for finding in found if finding.severity == "error"] == []
    assert "limit-unknown-deployment" in {finding.code for finding in found}


def test_the_sample_settings_hold_every_kind_of_access_and_limit() -> None:
    deployments = [*DOCUMENT["models"].values(), *DOCUMENT["applications"].values()]
    limits = [limit for role in DOCUMENT["roles"].values() for limit in role["limits"].values()]

    assert all("limits" in role for role in DOCUMENT["roles"].values())
    assert "default" in DOCUMENT["roles"]
    assert {"open" if "userRoles" not in d else "restricted" if d["userRoles"] else "closed" for d in deployments} == {
        "open",
        "restricted",
        "closed",
    }
    assert {} in limits
    assert any(0 in limit.values() for limit in limits)
    assert {type(value) for limit in limits for value in limit.values()} == {int, str}
    assert all(isinstance(m["pricing"]["prompt"], str) for m in DOCUMENT["models"].values() if "pricing" in m)


def test_a_role_was_mistyped_and_no_group_backs_it() -> None:
    groups = {group.name for group in organisation.GROUPS}
    attached = {role for model in DOCUMENT["models"].values() for role in model.get("userRoles", [])}

    assert "analyst" in attached - groups
    assert "analysts" in groups


def test_no_secret_looks_real() -> None:
    assert all(secret.startswith("fake-") for secret in DOCUMENT["keys"])
    upstreams = [u for model in DOCUMENT["models"].values() for u in model.get("upstreams", [])]
    assert all(upstream["key"].startswith("fake-") for upstream in upstreams if "key" in upstream)
    assert DOCUMENT["addons"]["addon-search"]["token"].startswith("fake-")
