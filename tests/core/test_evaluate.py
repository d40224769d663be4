"""Reloads, and how two answers are told apart."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.core.evaluate import differences, evaluate, evaluate_reload
from deployments.core.versions import CLASSIC, CURRENT, Version

ANN = [{"id": "ann", "roles": ["a"]}]
JOB = [{"id": "job", "key": "k1"}]
OPEN: dict[str, Any] = {"models": {"m": {}}, "keys": {"k1": {"project": "p", "role": "r"}}}
CLOSED: dict[str, Any] = {"models": {"m": {"userRoles": []}}, "keys": {"k2": {"project": "p", "role": "r"}}}


def reload(*steps: Any, version: Version = CLASSIC, principals: Any = ANN) -> dict[str, Any]:
    return evaluate_reload([step if step is None else [step] for step in steps], principals, version=version)


def test_a_bad_start_loads_nothing() -> None:
    for start in (None, {"models": None}, {"models": {"m": {"upstreams": None}}}):
        assert reload(start, OPEN)["loaded"] is False
    assert evaluate_reload([], ANN, version=CLASSIC)["loaded"] is False


@pytest.mark.parametrize("bad", [None, {"models": {"m": None}}, {"keys": {"k": {}}}, {**CLOSED, "routes": None}])
@pytest.mark.parametrize("version", [CLASSIC, CURRENT])
def test_a_bad_reload_changes_nothing(bad: Any, version: Version) -> None:
    answer = reload(OPEN, bad, version=version)
    assert answer["reloaded"] is False
    assert answer["keys_active"] == ["k1"]
    assert answer["results"][0]["access"] is True


@pytest.mark.parametrize("section", ["roles", "interceptors"])
def test_a_late_failure_swaps_the_keys_of_the_classic_version(section: str) -> None:
    for broken in ({section: None}, {section: {"x": None}}):
        step = {**CLOSED, **broken}
        assert reload(OPEN, step)["keys_active"] == ["k2"]
        assert reload(OPEN, step)["results"][0]["access"] is True
        assert reload(OPEN, step, principals=JOB)["results"] == [{"principal": "job", "error": "Unknown api key"}]
        assert reload(OPEN, step, version=CURRENT)["keys_active"] == ["k1"]


def test_the_earliest_failure_decides() -> None:
    upstreams: dict[str, Any] = {"models": {"m": {"userRoles": [], "upstreams": None}}}
    assert reload(OPEN, {**CLOSED, **upstreams})["results"][0]["access"] is False
    assert reload(OPEN, {**CLOSED, **upstreams, "roles": None})["results"][0]["access"] is True
    assert reload(OPEN, {**CLOSED, **upstreams, "roles": None})["keys_active"] == ["k2"]
    assert reload(OPEN, {**CLOSED, **upstreams, "routes": None})["keys_active"] == ["k1"]
    assert reload(OPEN, {**CLOSED, **upstreams}, version=CURRENT)["reloaded"] is False


def test_differences_in_words() -> None:
    version = CURRENT
    document = {**OPEN, "roles": {"a": {"costLimit": {"day": 1}}, "x/y": {}}}
    answer = evaluate([document], [*ANN, *JOB], version=version)
    assert list(differences(answer, answer)) == []
    other = evaluate([{"models": {"m": {}}}], [*ANN, *JOB], version=version)
    assert list(differences(answer, other)) == [
        "job and m (models) is expected and does not exist",
        "job is not expected",
        "ann: the cost limit is nothing, not day 1",
        "the entry x/y is not dropped with a warning",
    ]
    refused = evaluate([{"models": None}], ANN, version=version)
    assert next(differences(answer, refused)).startswith(
        "Core was expected to load the settings, and would refuse them:"
    )
    assert list(differences({"loaded": False}, refused)) == []
    wanted, found = reload(OPEN), reload(OPEN, CLOSED)
    assert "2 API keys are accepted here and not there" in list(differences(wanted, found))
    assert "reloaded is True, not False" in list(differences(wanted, found))


def test_refusals_are_not_listed_without_end() -> None:
    answer = evaluate([{"models": {f"m{number}": {"x": 1} for number in range(100)}}], ANN, version=CURRENT)
    assert answer["error"].endswith("; and 80 more")
