"""A settings document taken apart into what the tables hold, and put together again. Pure.

Taking apart and putting together gives the same document in Core's reading: what is not modelled stays
in the frame or in the bodies, key for key. Where an entry had its `userRoles` or `limits`, the body keeps
the key with null, so that it comes out at the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.core.coerce import as_text

# Kind of deployment -> where its entries stand in the document.
SECTIONS: dict[str, tuple[str, ...]] = {
    "model": ("models",),
    "application": ("applications",),
    "addon": ("addons",),
    "assistant": ("assistant", "assistants"),
    "toolset": ("toolsets",),
    "route": ("routes",),
    "interceptor": ("interceptors",),
}

# The spellings that Core reads as one field; the later in an entry wins (core-semantics 1.2).
USER_ROLES = ("userRoles", "user_roles", "dial:userRoles")


@dataclass(frozen=True)
class DeploymentEntry:
    """One deployment. `roles` is None when it is open to everyone, and empty when it is closed."""

    kind: str
    name: str
    roles: tuple[str, ...] | None
    body: Mapping[str, Any]

    @property
    def access(self) -> str:
        if self.roles is None:
            return "open"
        return "restricted" if self.roles else "closed"


@dataclass(frozen=True)
class RoleEntry:
    """One entry of `roles`; `limits` maps names of deployments to the entries as written."""

    name: str
    body: Mapping[str, Any]
    limits: Mapping[str, Any]


@dataclass(frozen=True)
class KeyEntry:
    """One API key. `secret` is its value; `roles` are what Core reads out of `roles` and `role`."""

    secret: str
    project: str
    roles: tuple[str, ...]
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Parts:
    """A whole document, in document order. `frame` is what is left when the entries are taken out."""

    frame: Mapping[str, Any] = field(default_factory=dict)
    deployments: tuple[DeploymentEntry, ...] = ()
    roles: tuple[RoleEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()

    def role_names(self) -> set[str]:
        """Every role that the document mentions."""
        return (
            {role.name for role in self.roles}
            | {name for deployment in self.deployments for name in deployment.roles or ()}
            | {name for key in self.keys for name in key.roles}
        )


def split(document: Mapping[str, Any]) -> Parts:
    """Take a document apart.

    The document has to be one that Core loads (`core.load`). What Core does not read and has another
    shape than expected stays in the frame.
    """
    frame: dict[str, Any] = dict(document)
    deployments: list[DeploymentEntry] = []
    for kind, path in SECTIONS.items():
        deployments.extend(_deployment(kind, name, entry) for name, entry in _take(frame, path, _listed).items())
    roles = tuple(_role(name, entry) for name, entry in _take(frame, ("roles",), _limited).items())
    keys = tuple(_key(secret, entry) for secret, entry in _take(frame, ("keys",), _is_entry).items())
    return Parts(frame, tuple(deployments), roles, keys)


def _take(frame: dict[str, Any], path: tuple[str, ...], wanted: Callable[[Any], bool]) -> dict[str, Mapping[str, Any]]:
    """Take the wanted entries out of a section; what this version of Core does not read may have any shape."""
    parent = frame
    for step in path[:-1]:
        if not isinstance(parent.get(step), Mapping):
            return {}
        parent[step] = dict(parent[step])
        parent = parent[step]
    section = parent.get(path[-1])
    if not isinstance(section, Mapping):
        return {}
    parent[path[-1]] = {name: entry for name, entry in section.items() if not wanted(entry)}
    return {name: entry for name, entry in section.items() if wanted(entry)}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, Mapping)


def _listed(entry: Any) -> bool:
    return isinstance(entry, Mapping) and all(isinstance(entry.get(key), list | None) for key in USER_ROLES)


def _limited(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("limits"), Mapping | None)


def join(parts: Parts) -> dict[str, Any]:
    """Put a document together: the frame's sections in their order, entries in the order given.

    `userRoles` is left out for open deployments only; an empty list closes (core-semantics 2). A role
    always gets its `limits` (core-semantics 3.2).
    """
    deployments: dict[str, dict[str, Any]] = {}
    for entry in parts.deployments:
        deployments.setdefault(entry.kind, {})[entry.name] = _with_roles(entry)
    return assemble(
        parts.frame,
        deployments,
        {role.name: {**role.body, "limits": dict(role.limits)} for role in parts.roles},
        {key.secret: dict(key.body) for key in parts.keys},
    )


def assemble(
    frame: Mapping[str, Any],
    deployments: Mapping[str, Mapping[str, Any]],
    roles: Mapping[str, Any],
    keys: Mapping[str, Any],
) -> dict[str, Any]:
    """A document of a frame and its entries, whole: deployments by kind and name, roles by name, keys by value."""
    document: dict[str, Any] = dict(frame)
    for kind, path in SECTIONS.items():
        entries = deployments.get(kind)
        if entries:
            parent = document
            for step in path[:-1]:
                parent[step] = dict(parent.get(step, {}))
                parent = parent[step]
            parent[path[-1]] = {**parent.get(path[-1], {}), **entries}
    if roles:
        document["roles"] = document.get("roles", {}) | roles
    if keys:
        document["keys"] = document.get("keys", {}) | keys
    return document


def _names(values: Iterable[Any]) -> tuple[str, ...]:
    names = (as_text(value) for value in values)
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _deployment(kind: str, name: str, entry: Mapping[str, Any]) -> DeploymentEntry:
    written = [key for key in entry if key in USER_ROLES]
    values = entry[written[-1]] if written else None
    body = {
        ("userRoles" if key in USER_ROLES else key): (None if key in USER_ROLES else value)
        for key, value in entry.items()
        if key not in written[:-1]
    }
    return DeploymentEntry(kind, name, None if values is None else _names(values), body)


def _with_roles(deployment: DeploymentEntry) -> dict[str, Any]:
    entry = dict(deployment.body)
    if deployment.roles is None:
        entry.pop("userRoles", None)
    else:
        entry["userRoles"] = list(deployment.roles)
    return entry


def _role(name: str, entry: Mapping[str, Any]) -> RoleEntry:
    body = {key: (None if key == "limits" else value) for key, value in entry.items()}
    return RoleEntry(name, body, entry.get("limits") or {})


def _key(secret: str, entry: Mapping[str, Any]) -> KeyEntry:
    names = _names([*(entry.get("roles") or ()), *([entry["role"]] if entry.get("role") is not None else [])])
    return KeyEntry(secret, as_text(entry.get("project")) or "", names, entry)
