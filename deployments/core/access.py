"""Who is let in: the one rule of `userRoles` (core-semantics 2)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Literal

from deployments.core.load import Deployment

Access = Literal["open", "restricted", "closed"]


def access(deployment: Deployment) -> Access:
    """Open to everyone, restricted to some roles, or closed to everyone, administrators included."""
    if deployment.user_roles is None:
        return "open"
    return "restricted" if deployment.user_roles else "closed"


def is_allowed(deployment: Deployment, roles: AbstractSet[str]) -> bool:
    """Whether someone with exactly these roles is listed. Limits are another question (`limits`).

    Names are compared exactly: case, spaces and the form of Unicode count.
    """
    return deployment.user_roles is None or not deployment.user_roles.isdisjoint(roles)


def admitting_roles(deployment: Deployment, roles: AbstractSet[str]) -> frozenset[str]:
    """Which of these roles open the deployment; empty for an open one, which needs none."""
    return frozenset() if deployment.user_roles is None else deployment.user_roles.intersection(roles)
