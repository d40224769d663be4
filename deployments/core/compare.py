"""What changed between two settings, and for whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from deployments.core.access import Access, access, is_allowed
from deployments.core.limits import Effective, effective
from deployments.core.load import WINDOWS, Deployment, Limit, Settings

Place = tuple[str, str]  # section and name of a deployment
Pair = tuple[Deployment | None, Deployment | None]  # before and after; None: not there


@dataclass(frozen=True, slots=True)
class AccessChange:
    """A deployment whose access is another. `before` and `after` are None where it does not exist.

    A widening to everyone is `after == "open"`; `added` and `removed` are the roles of restricted lists.
    """

    section: str
    name: str
    before: Access | None
    after: Access | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitChange:
    """The written limit of a role in one window. UNLIMITED is an absent window; None is an absent entry."""

    role: str
    name: str
    window: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change means for everyone with exactly these roles, on one deployment.

    `gains` and `loses` are about being able to call it: let in by `userRoles`, and not denied by an
    enforced limit. `raised` and `lowered` name the windows of the effective limit; a limit can be both.
    """

    roles: frozenset[str]
    section: str
    name: str
    kind: Literal["gains", "loses", "limit"]
    raised: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that changed, deployments in the order of the new settings, then those that are gone."""

    access: tuple[AccessChange, ...]
    limits: tuple[LimitChange, ...]
    effects: tuple[Effect, ...]


def compare(before: Settings, after: Settings, role_sets: Iterable[frozenset[str]] = ()) -> Comparison:
    """What changed; `role_sets` are the distinct combinations of roles that people and API keys hold."""
    return Comparison(
        access=tuple(_access_changes(before, after)),
        limits=tuple(_limit_changes(before, after)),
        effects=tuple(_effects(before, after, sorted(set(role_sets), key=sorted))),
    )


def _by_place(settings: Settings) -> dict[Place, Deployment]:
    return {(deployment.section, deployment.name): deployment for deployment in settings.deployments}


def pairs(before: Settings, after: Settings) -> Iterator[Pair]:
    """Every deployment of either side with its counterpart: those of the new settings, then those that are gone."""
    old, new = _by_place(before), _by_place(after)
    for place, deployment in new.items():
        yield old.get(place), deployment
    for place, deployment in old.items():
        if place not in new:
            yield deployment, None


def _access_changes(before: Settings, after: Settings) -> Iterator[AccessChange]:
    for old, new in pairs(before, after):
        change = access_change(old, new)
        if change is not None:
            yield change


def access_change(old: Deployment | None, new: Deployment | None) -> AccessChange | None:
    """The change of one deployment's access; None where its list of roles is the same."""
    old_roles = old.user_roles if old else None
    new_roles = new.user_roles if new else None
    if old is not None and new is not None and old_roles == new_roles:
        return None
    return AccessChange(
        *place_of(old, new),
        access(old) if old else None,
        access(new) if new else None,
        added=tuple(sorted((new_roles or frozenset()) - (old_roles or frozenset()))),
        removed=tuple(sorted((old_roles or frozenset()) - (new_roles or frozenset()))),
    )


def _limit_changes(before: Settings, after: Settings) -> Iterator[LimitChange]:
    empty: Mapping[str, Limit] = {}
    for role in sorted(before.limits.keys() | after.limits.keys()):
        old_limits, new_limits = before.limits.get(role, empty), after.limits.get(role, empty)
        if old_limits == new_limits:
            continue
        for name in sorted(old_limits.keys() | new_limits.keys()):
            old, new = old_limits.get(name), new_limits.get(name)
            if old == new:
                continue
            for index, window in enumerate(WINDOWS):
                one = None if old is None else old[index]
                other = None if new is None else new[index]
                if one != other:
                    yield LimitChange(role, name, window, one, other)


def _effects(before: Settings, after: Settings, role_sets: list[frozenset[str]]) -> Iterator[Effect]:
    for old, new in differing(before, after):
        for roles in role_sets:
            found = effect(before, after, old, new, roles)
            if found is not None:
                yield found


def differing(before: Settings, after: Settings) -> Iterator[Pair]:
    """The pairs in which anybody can notice a difference."""
    return ((old, new) for old, new in pairs(before, after) if _may_differ(before, after, old, new))


def place_of(old: Deployment | None, new: Deployment | None) -> Place:
    subject = new or old
    assert subject is not None  # noqa: S101 - one of a pair always exists
    return (subject.section, subject.name)


def _may_differ(before: Settings, after: Settings, old: Deployment | None, new: Deployment | None) -> bool:
    """Whether anybody can notice; most deployments of a large organisation are the same on both sides."""
    if old is None or new is None:
        return True
    return (
        old != new
        or before.entries.get(old.name) != after.entries.get(new.name)
        or before.without_limits != after.without_limits
        or (old.section in before.rules.enforced) != (new.section in after.rules.enforced)
    )


def effect(
    before: Settings, after: Settings, old: Deployment | None, new: Deployment | None, roles: frozenset[str]
) -> Effect | None:
    """What it means for everyone with exactly these roles that `old` becomes `new`; None: nothing."""
    had, has = reach(before, old, roles), reach(after, new, roles)
    found = difference(had, has)
    if found is None:
        return None
    section, name = place_of(old, new)
    kind, raised, lowered = found
    return Effect(roles, section, name, kind, raised, lowered)


Difference = tuple[Literal["gains", "loses", "limit"], tuple[str, ...], tuple[str, ...]]


def difference(had: Effective | None, has: Effective | None) -> Difference | None:
    """Kind, raised and lowered windows of an Effect, from two results of `reach`; None: the same."""
    if had is None or has is None:
        return None if had is has else ("loses" if has is None else "gains", (), ())
    if had.limit == has.limit:
        return None
    changed = list(zip(WINDOWS, had.limit, has.limit, strict=True))
    return (
        "limit",
        tuple(window for window, one, other in changed if other > one),
        tuple(window for window, one, other in changed if other < one),
    )


def reach(settings: Settings, deployment: Deployment | None, roles: frozenset[str]) -> Effective | None:
    """The effective limit of someone who can call the deployment; None for someone who cannot.

    Someone cannot who is not let in, whose enforced limit denies, for whom Core answers 500, or for
    whom another section wins the name. Limits that are not enforced count as none.
    """
    if deployment is None or deployment.shadowed_by is not None or not is_allowed(deployment, roles):
        return None
    if deployment.section not in settings.rules.enforced:
        return Effective()
    result = effective(settings, deployment, roles)
    return None if result.failing or result.denied else result
