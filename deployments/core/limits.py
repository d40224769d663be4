"""Which limits apply to whom (core-semantics 3.1, 3.2) and, for costs, 3.4."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal

from deployments.core.load import (
    COST_WINDOWS,
    UNLIMITED,
    UNLIMITED_COST,
    WINDOWS,
    CostLimit,
    Deployment,
    Limit,
    Settings,
)

DEFAULT = "default"  # the role whose limits are the fallback
NO_LIMIT: Limit = (UNLIMITED,) * len(WINDOWS)


@dataclass(frozen=True, slots=True)
class Effective:
    """The limit of somebody on a deployment.

    `limit`: one number per window of WINDOWS, UNLIMITED where none applies. `roles`: the roles whose
    entries made it, `("default",)` for the fallback, empty when nothing applies. `failing`: the roles
    without `limits` because of which Core answers 500; then the rest means nothing.
    """

    limit: Limit = NO_LIMIT
    roles: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()

    @property
    def denied(self) -> bool:
        """Some window is 0 or less: Core answers 403, where it enforces limits."""
        return not self.failing and min(self.limit) <= 0

    @property
    def unlimited(self) -> bool:
        return not self.failing and self.limit == NO_LIMIT

    def as_dict(self) -> dict[str, int]:
        """Window to number; unlimited windows are left out, as one writes it."""
        return written(self.limit)


def effective(settings: Settings, deployment: Deployment, roles: AbstractSet[str]) -> Effective:
    """The limit of someone with exactly these roles: per window the largest of the roles that count.

    Roles count that the deployment lets in and that have an entry for its name. If none has one, the
    entry of `default` applies. A window absent in one entry is unlimited and so wins.
    """
    relevant = roles if deployment.user_roles is None else deployment.user_roles.intersection(roles)
    if settings.without_limits:
        failing = _failing(settings.without_limits, relevant)
        if failing:
            return Effective(failing=failing)
    entries = settings.entries.get(deployment.name)
    if not entries:
        return Effective()
    contributing = tuple(sorted(entries.keys() & relevant))
    if contributing:
        return Effective(_largest([entries[role] for role in contributing]), contributing)
    if DEFAULT in entries:
        return Effective(entries[DEFAULT], (DEFAULT,))
    return Effective()


def counting_roles(settings: Settings, deployment: Deployment) -> frozenset[str]:
    """The only roles that can make a difference to anybody's limit on the deployment.

    `effective` gives the same for `roles` and for `roles & counting_roles(…)`: of thousands of
    combinations of groups only a few are left to be answered.
    """
    counting = settings.without_limits.union(settings.entries.get(deployment.name, ()))
    return counting if deployment.user_roles is None else counting & deployment.user_roles


def _failing(without_limits: frozenset[str], relevant: AbstractSet[str]) -> tuple[str, ...]:
    """`default` is looked up first and for everyone, so that it fails everyone."""
    if DEFAULT in without_limits:
        return (DEFAULT,)
    return tuple(sorted(without_limits.intersection(relevant)))


def _largest(limits: list[Limit]) -> Limit:
    return limits[0] if len(limits) == 1 else tuple(map(max, *limits))


def contributors(result: Effective, settings: Settings, deployment: Deployment) -> dict[str, tuple[str, ...]]:
    """Window to the roles of `result` whose own entry is as large as the outcome: who to thank, or to blame."""
    entries = settings.entries.get(deployment.name, {})
    return {
        window: tuple(role for role in result.roles if entries[role][index] == result.limit[index])
        for index, window in enumerate(WINDOWS)
    }


def written(limit: Limit) -> dict[str, int]:
    """A limit as an entry of the document: unlimited windows are left out."""
    return {window: number for window, number in zip(WINDOWS, limit, strict=True) if number != UNLIMITED}


class BrokenCostLimitError(ValueError):
    """A null window of a cost limit is compared with another: Core fails on it."""


def cost_limit(settings: Settings, roles: Iterable[str]) -> CostLimit | None:
    """The largest cost limit per window over all roles, or that of `default`; None when there is none.

    `userRoles` plays no part here: the limit is on all deployments together (core-semantics 3.4).
    Raises BrokenCostLimitError where Core fails.
    """
    limits = [settings.cost_limits[role] for role in roles if role in settings.cost_limits]
    if not limits:
        return settings.cost_limits.get(DEFAULT)
    return limits[0] if len(limits) == 1 else tuple(map(_largest_cost, *limits))


def _largest_cost(*costs: Decimal | None) -> Decimal:
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        raise BrokenCostLimitError("a null window is compared")
    return max(known)


def written_cost(limit: CostLimit) -> dict[str, Decimal | None]:
    """Window to amount in USD; unlimited windows are left out."""
    return {window: cost for window, cost in zip(COST_WINDOWS, limit, strict=True) if cost != UNLIMITED_COST}
