"""What changed for whom."""

from __future__ import annotations

from typing import Any

from deployments.core.compare import AccessChange, Effect, LimitChange, compare
from deployments.core.load import UNLIMITED, Settings, load
from deployments.core.versions import CURRENT, DEFAULT, Version

A, B, AB, NOBODY = frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"}), frozenset[str]()


def settings(models: dict[str, Any], limits: dict[str, Any] | None = None, version: Version = CURRENT) -> Settings:
    roles = {role: {"limits": entries} for role, entries in (limits or {}).items()}
    loaded = load({"models": models, "roles": roles}, version).settings
    assert loaded is not None
    return loaded


def test_access_of_deployments() -> None:
    before = settings(
        {"open": {}, "list": {"userRoles": ["a", "b"]}, "closed": {"userRoles": []}, "gone": {}, "same": {}}
    )
    after = settings(
        {"open": {"userRoles": ["a"]}, "list": {"userRoles": ["b", "c"]}, "closed": {}, "same": {}, "new": {}}
    )
    assert compare(before, after).access == (
        AccessChange("models", "open", "open", "restricted", added=("a",)),
        AccessChange("models", "list", "restricted", "restricted", added=("c",), removed=("a",)),
        AccessChange("models", "closed", "closed", "open"),
        AccessChange("models", "new", None, "open"),
        AccessChange("models", "gone", "open", None),
    )


def test_people_who_gain_and_lose() -> None:
    before = settings({"m": {"userRoles": ["a"]}})
    after = settings({"m": {"userRoles": ["b"]}})
    assert compare(before, after, [A, B, AB, NOBODY]).effects == (
        Effect(A, "models", "m", "loses"),
        Effect(B, "models", "m", "gains"),
    )


def test_limits_as_written_and_as_they_act() -> None:
    before = settings({"m": {}}, {"a": {"m": {"minute": 5, "day": 7}}, "b": {"m": {"minute": 9}}})
    after = settings({"m": {}}, {"a": {"m": {"minute": 6}}, "b": {}})
    result = compare(before, after, [A, B, AB, NOBODY])
    assert result.limits[:2] == (LimitChange("a", "m", "minute", 5, 6), LimitChange("a", "m", "day", 7, UNLIMITED))
    assert LimitChange("b", "m", "minute", 9, None) in result.limits
    assert result.effects == (
        Effect(A, "models", "m", "limit", raised=("minute", "day")),
        Effect(AB, "models", "m", "limit", lowered=("minute",)),
        Effect(B, "models", "m", "limit", raised=("minute",)),
    )


def test_a_limit_of_zero_takes_access_away() -> None:
    before, after = settings({"m": {}}), settings({"m": {}}, {"a": {"m": {"minute": 0}}, "b": {"m": {}}})
    assert compare(before, after, [A, AB]).effects == (Effect(A, "models", "m", "loses"),)


def test_a_role_without_limits_takes_access_away_before_0_38() -> None:
    before = load({"models": {"m": {}}, "roles": {"a": {"limits": {}}}}, DEFAULT).settings
    after = load({"models": {"m": {}}, "roles": {"a": {}}}, DEFAULT).settings
    assert before is not None
    assert after is not None
    assert compare(before, after, [A, B]).effects == (Effect(A, "models", "m", "loses"),)


def test_an_upgrade_takes_addons_away() -> None:
    document: dict[str, Any] = {"addons": {"x": {}}}
    before, after = load(document, DEFAULT).settings, load(document, CURRENT).settings
    assert before is not None
    assert after is not None
    assert compare(before, after, [NOBODY]).effects == (Effect(NOBODY, "addons", "x", "loses"),)
