"""One change of many deployments at once: what it would do to each, before it does it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deployments.document import DeploymentEntry, Parts, RoleEntry

MOST = 1000  # deployments of one change
NAMED = 3  # roles that a title names
VERBS = {
    "attach": "Attach roles",
    "detach": "Detach roles",
    "limit": "Set the limit of roles",
    "copy": "Give roles the access of another",
    "close": "Close",
}
TAKES_ROLES = frozenset(VERBS) - {"close"}
Limits = Mapping[str, Mapping[str, Any] | None]  # role to its limit; None: the entry goes


@dataclass(frozen=True)
class Wish:
    """What is to become of each of some deployments. `verb` is one of VERBS.

    `roles`: whom it is about. `limit`: for "limit", as `actions.set_limit` takes it. `source`: for "copy", the role
    whose access the roles get; with `limits_too`, the limits that it has there as well.
    """

    verb: str
    roles: tuple[str, ...] = ()
    limit: Mapping[str, Any] | None = None
    source: str = ""
    limits_too: bool = False


@dataclass(frozen=True)
class Step:
    """What a wish does to one deployment: its `userRoles`, and limits there. `skipped` says why it does nothing."""

    entry: DeploymentEntry
    after: tuple[str, ...] | None
    limits: Limits = field(default_factory=dict)
    skipped: str = ""


def plan(wish: Wish, entries: Sequence[DeploymentEntry], written: Mapping[str, Mapping[str, Any]]) -> list[Step]:
    """A step for each entry. `written`: role to the limits it has, by name of deployment.

    Attaching restricts what is open or closed to the roles, as it does for one.
    """
    return [_step(wish, entry, written) for entry in entries]


def _step(wish: Wish, entry: DeploymentEntry, written: Mapping[str, Mapping[str, Any]]) -> Step:
    held = entry.roles or ()
    match wish.verb:
        case "close":
            return Step(entry, (), skipped="closed already" if entry.roles == () else "")
        case "attach":
            fresh = _fresh(wish.roles, held)
            return Step(entry, (*held, *fresh), skipped="" if fresh else "attached already")
        case "detach":
            if entry.roles is None:
                return Step(entry, None, skipped="open to everyone, whatever its roles")
            left = tuple(name for name in held if name not in wish.roles)
            return Step(entry, left, skipped="was not attached" if left == held else "")
        case "limit":
            limits = _differing(dict.fromkeys(wish.roles, wish.limit), entry.name, written)
            return Step(entry, entry.roles, limits, "" if limits else "limited so already")
        case _:
            return _copied(wish, entry, written)


def _copied(wish: Wish, entry: DeploymentEntry, written: Mapping[str, Mapping[str, Any]]) -> Step:
    held = entry.roles or ()
    fresh = _fresh(wish.roles, held) if wish.source in held else ()
    limits: Limits = {}
    source = written.get(wish.source, {})
    if wish.limits_too and entry.name in source and (entry.roles is None or wish.source in held):
        limits = _differing(dict.fromkeys(wish.roles, source[entry.name]), entry.name, written)
    skipped = "" if fresh or limits else f"no more for {wish.source} than for the others"
    return Step(entry, (*held, *fresh) if fresh else entry.roles, limits, skipped)


def _fresh(roles: Sequence[str], held: Sequence[str]) -> tuple[str, ...]:
    return tuple(role for role in roles if role not in held)


def _differing(wanted: Limits, name: str, written: Mapping[str, Mapping[str, Any]]) -> Limits:
    """Those of the wanted limits of a deployment that are not written so."""
    nothing = object()
    return {
        role: limit
        for role, limit in wanted.items()
        if written.get(role, {}).get(name, nothing) != (nothing if limit is None else limit)
    }


def limits_of(parts: Parts) -> dict[str, Mapping[str, Any]]:
    """Role to the limits that the document writes for it."""
    return {role.name: role.limits for role in parts.roles}


def applied(parts: Parts, steps: Sequence[Step]) -> Parts:
    """The document after these steps."""
    access = {(step.entry.kind, step.entry.name): step.after for step in steps}
    return changed(
        parts, access, {(role, step.entry.name): limit for step in steps for role, limit in step.limits.items()}
    )


def changed(
    parts: Parts,
    access: Mapping[tuple[str, str], tuple[str, ...] | None],
    wanted: Mapping[tuple[str, str], Mapping[str, Any] | None],
) -> Parts:
    """The document with other `userRoles`, by kind and name, and other limits, by role and name of deployment."""
    limits = {name: dict(some) for name, some in limits_of(parts).items()}
    for (role, name), limit in wanted.items():
        some = limits.setdefault(role, {})
        some.pop(name, None)
        if limit is not None:
            some[name] = limit
    known = {role.name for role in parts.roles}
    added = [RoleEntry(name, {}, some) for name, some in limits.items() if name not in known and some]
    return replace(
        parts,
        deployments=tuple(
            replace(entry, roles=access.get((entry.kind, entry.name), entry.roles)) for entry in parts.deployments
        ),
        roles=(*(replace(role, limits=limits[role.name]) for role in parts.roles), *added),
    )


def title(wish: Wish, number: int) -> str:
    """What is about to be done to so many deployments, in words."""
    roles = ", ".join(wish.roles) if len(wish.roles) <= NAMED else f"{len(wish.roles):,} roles"
    what = f"{number:,} deployment{'' if number == 1 else 's'}"
    return {
        "attach": f"Attach {roles} to {what}",
        "detach": f"Detach {roles} from {what}",
        "limit": f"Set the limit of {roles} on {what}",
        "copy": f"Give {roles} the access of {wish.source} to {what}",
        "close": f"Close {what}",
    }[wish.verb]
