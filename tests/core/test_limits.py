"""Limits and cost limits, where one number decides."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from deployments.core.access import access, admitting_roles, is_allowed
from deployments.core.limits import (
    BrokenCostLimitError,
    Effective,
    contributors,
    cost_limit,
    counting_roles,
    effective,
    written,
    written_cost,
)
from deployments.core.load import UNLIMITED, Deployment, Settings, load
from deployments.core.versions import CURRENT, DEFAULT, Version


def settings(roles: dict[str, Any], user_roles: list[str] | None = None, version: Version = CURRENT) -> Settings:
    model = {} if user_roles is None else {"userRoles": user_roles}
    loaded = load({"models": {"m": model}, "roles": roles}, version).settings
    assert loaded is not None
    return loaded


def of(loaded: Settings, *roles: str) -> Effective:
    return effective(loaded, loaded.deployments[0], set(roles))


def test_access_has_three_states() -> None:
    states = [Deployment("models", "m", roles) for roles in (None, frozenset[str](), frozenset({"a", "b"}))]
    assert [access(deployment) for deployment in states] == ["open", "closed", "restricted"]
    assert [is_allowed(deployment, {"a"}) for deployment in states] == [True, False, True]
    assert [is_allowed(deployment, {"A"}) for deployment in states] == [True, False, False]
    assert [admitting_roles(deployment, {"a", "c"}) for deployment in states] == [frozenset(), frozenset(), {"a"}]


@pytest.mark.parametrize(("number", "denied"), [(-1, True), (0, True), (1, False)])
def test_zero_and_less_deny(number: int, denied: bool) -> None:
    result = of(settings({"a": {"limits": {"m": {"requestDay": number}}}}), "a")
    assert result.denied is denied
    assert result.unlimited is False
    assert result.as_dict() == {"requestDay": number}
    assert result.roles == ("a",)


def test_who_made_a_limit() -> None:
    loaded = settings(
        {"a": {"limits": {"m": {"minute": 5, "day": 9}}}, "b": {"limits": {"m": {"minute": 7, "day": 9}}}}
    )
    result = of(loaded, "b", "a", "c")
    assert result.roles == ("a", "b")
    made = contributors(result, loaded, loaded.deployments[0])
    assert made["minute"] == ("b",)
    assert made["day"] == ("a", "b")
    assert written(result.limit) == {"minute": 7, "day": 9}
    assert contributors(Effective(), loaded, loaded.deployments[0])["minute"] == ()


def test_the_fallback_names_itself() -> None:
    loaded = settings({"default": {"limits": {"m": {"minute": 5}}}})
    assert of(loaded, "x") == of(loaded) == Effective((5, *(UNLIMITED,) * 5), ("default",))
    assert of(settings({"default": {"limits": {"n": {"minute": 5}}}})) == Effective()
    assert of(settings({"a": {"limits": {"m": {"minute": 5}}}}), "x").unlimited


def test_a_role_without_limits_fails_its_holders() -> None:
    roles: dict[str, Any] = {"a": {}, "b": {"limits": {"m": {"minute": 5}}}}
    broken = settings(roles, version=DEFAULT)
    assert of(broken, "a", "b").failing == ("a",)
    assert not of(broken, "a").denied
    assert not of(broken, "a").unlimited
    assert of(broken, "b").failing == ()
    assert of(settings(roles, ["b"], DEFAULT), "a", "b").failing == ()  # the role is not let in, so not looked up
    assert of(settings(roles), "a").unlimited  # since 0.38
    everyone = settings({"default": {}, "a": {}}, version=DEFAULT)
    assert of(everyone).failing == of(everyone, "a").failing == ("default",)


def costs(**roles: Any) -> Settings:
    return settings({role: {"costLimit": limit} for role, limit in roles.items()})


def amounts(*values: int | str | None) -> tuple[Decimal | None, ...]:
    return tuple(None if value is None else Decimal(value) for value in values)


def test_cost_limits() -> None:
    loaded = costs(a={"day": 10, "minute": "0.50"}, b={"day": 20}, default={"month": 1})
    assert cost_limit(loaded, ["a"]) == amounts("0.50", 10, UNLIMITED, UNLIMITED)
    assert cost_limit(loaded, ["a", "b"]) == amounts(UNLIMITED, 20, UNLIMITED, UNLIMITED)
    assert cost_limit(loaded, ["x"]) == cost_limit(loaded, []) == amounts(UNLIMITED, UNLIMITED, UNLIMITED, 1)
    assert cost_limit(costs(a={}), ["x"]) is None
    found = cost_limit(loaded, ["a", "x"])
    assert found is not None
    assert written_cost(found) == {"day": 10, "minute": Decimal("0.50")}


def test_a_null_cost_limit_fails_when_compared() -> None:
    loaded = costs(a={"day": None}, b={"day": 1}, default={"day": None})
    assert cost_limit(loaded, ["a"]) == amounts(UNLIMITED, None, UNLIMITED, UNLIMITED)
    assert cost_limit(loaded, ["x"]) == amounts(UNLIMITED, None, UNLIMITED, UNLIMITED)
    with pytest.raises(BrokenCostLimitError):
        cost_limit(loaded, ["a", "b"])


def test_roles_are_named_in_order() -> None:
    names = [f"role-{number:02}" for number in range(40)]
    loaded = settings({name: {"limits": {"m": {"minute": 1}}} for name in reversed(names)})
    assert of(loaded, *names).roles == tuple(names)
    broken = settings({name: {} for name in names}, version=DEFAULT)
    assert of(broken, *names).failing == tuple(names)


def test_only_roles_that_are_let_in_and_have_an_entry_count() -> None:
    roles = {"a": {"limits": {"m": {}}}, "b": {"limits": {"m": {}}}, "c": {"limits": {}}, "d": {}}
    restricted, opened = settings(roles, ["a", "c", "d"], DEFAULT), settings(roles, version=DEFAULT)
    assert counting_roles(restricted, restricted.deployments[0]) == {"a", "d"}
    assert counting_roles(opened, opened.deployments[0]) == {"a", "b", "d"}
