"""What would change in the draft, entry by entry, in words, with secrets masked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployments.core.render import render
from deployments.core.secrets import map_secrets, mask_document
from deployments.document import SECTIONS, DeploymentEntry, KeyEntry, Parts, RoleEntry

MASK = "••••••••"
_MODELLED = {*(path[0] for path in SECTIONS.values()), "roles", "keys"}
LONGEST = 20_000  # characters of one value that are told; pages fold what is longer than a line


@dataclass(frozen=True)
class Detail:
    """One changed field: its path in the entry ("": all of it), and its values as text (None: not there)."""

    path: str
    before: str | None
    after: str | None

    @property
    def size(self) -> int:
        """How many characters there are to show."""
        return len(self.before or "") + len(self.after or "")

    @property
    def folded(self) -> bool:
        """Whether it is too long to stand open on a page."""
        return self.size > 200


@dataclass(frozen=True)
class Change:
    """One entry that is added, changed or removed. `access` says in words what happens to who may reach it."""

    state: str  # "added", "changed" or "removed"
    kind: str  # a kind of deployment, "role", "API key" or "section"
    name: str
    access: str = ""
    details: tuple[Detail, ...] = ()


def compare(before: Parts, after: Parts) -> list[Change]:
    """The changes that turn `before` into `after`, in the order of the document."""
    return [
        *_deployments(before, after),
        *_roles(before, after),
        *_keys(before, after),
        *_sections(before, after),
    ]


def summary(changes: list[Change]) -> dict[str, Any]:
    """Counts and the first names of each state, for history."""
    return {
        state: {
            "count": len(of_state),
            "names": [f"{change.kind} {change.name}" for change in of_state[:50]],
        }
        for state in ("added", "changed", "removed")
        if (of_state := [change for change in changes if change.state == state])
    }


def _deployments(before: Parts, after: Parts) -> list[Change]:
    old = {(d.kind, d.name): d for d in before.deployments}
    new = {(d.kind, d.name): d for d in after.deployments}
    changes = []
    for key in [*old, *(key for key in new if key not in old)]:
        one, other = old.get(key), new.get(key)
        access = "" if one and other and _roles_set(one) == _roles_set(other) else _access_words(one, other)
        details = _details(_visible(one), _visible(other))
        if one is None or other is None or access or details:
            changes.append(Change(_state(one, other), key[0], key[1], access, details))
    return changes


def _roles_set(entry: DeploymentEntry) -> frozenset[str] | None:
    return None if entry.roles is None else frozenset(entry.roles)


def _access_words(before: DeploymentEntry | None, after: DeploymentEntry | None) -> str:
    def words(entry: DeploymentEntry) -> str:
        if entry.roles is None:
            return "open to everyone"
        return f"restricted to {', '.join(sorted(entry.roles))}" if entry.roles else "closed"

    if before and after:
        return f"{words(before)} → {words(after)}"
    return words(after or before) if (after or before) else ""  # type: ignore[arg-type]  # one of both is there


def _visible(entry: DeploymentEntry | None) -> Any:
    if entry is None:
        return _MISSING
    body = {key: value for key, value in entry.body.items() if key != "userRoles"}
    return map_secrets(SECTIONS[entry.kind][-1], body, _Hidden)


def _roles(before: Parts, after: Parts) -> list[Change]:
    old, new = {r.name: r for r in before.roles}, {r.name: r for r in after.roles}

    def visible(role: RoleEntry) -> dict[str, Any]:
        return {**{k: v for k, v in role.body.items() if k != "limits"}, "limits": role.limits}

    return _named("role", {n: visible(r) for n, r in old.items()}, {n: visible(r) for n, r in new.items()})


def _keys(before: Parts, after: Parts) -> list[Change]:
    def visible(key: KeyEntry | None) -> Any:
        return _MISSING if key is None else map_secrets("keys", key.body, _Hidden)

    old = {key.secret: key for key in before.keys}
    new = {key.secret: key for key in after.keys}
    changes = []
    for secret in [*old, *(secret for secret in new if secret not in old)]:
        one, other = old.get(secret), new.get(secret)
        details = _details(visible(one), visible(other))
        if one is None or other is None or details:
            known = other or one
            changes.append(Change(_state(one, other), "API key", known.project if known else "", "", details))
    return changes


def _sections(before: Parts, after: Parts) -> list[Change]:
    return _named("section", _masked_sections(before.frame), _masked_sections(after.frame))


def _masked_sections(frame: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of the document, fit to be shown: compared as it is, told with its secrets masked."""
    masked = mask_document(frame)
    return {
        name: value if masked[name] == value else _Told(value, masked[name])
        for name, value in frame.items()
        if value != {} or name not in _MODELLED  # an empty frame of what is told entry by entry
    }


def _named(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    changes = []
    for name in [*old, *(name for name in new if name not in old)]:
        one, other = old.get(name, _MISSING), new.get(name, _MISSING)
        if details := _details(one, other):
            state = "added" if one is _MISSING else "removed" if other is _MISSING else "changed"
            changes.append(Change(state, kind, name, "", details))
    return changes


def _state(before: object, after: object) -> str:
    return "added" if before is None else "removed" if after is None else "changed"


class _Hidden:
    """A secret in a comparison: equal when the secrets are equal, shown as a mask."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]  # a secret is no key


class _Told(_Hidden):
    """A value with secrets inside: compared as it is, shown masked."""

    def __init__(self, value: Any, shown: Any) -> None:
        super().__init__(value)
        self.shown = shown


def _details(before: Any, after: Any) -> tuple[Detail, ...]:
    found: list[Detail] = []

    def walk(path: str, one: Any, other: Any) -> None:
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            for key in [*one, *(key for key in other if key not in one)]:
                walk(f"{path}.{key}" if path else str(key), one.get(key, _MISSING), other.get(key, _MISSING))
        elif one is _MISSING or other is _MISSING or type(one) is not type(other) or one != other:
            found.append(Detail(path, _text(one), _text(other)))

    walk("", before, after)
    return tuple(found)


_MISSING = object()


def _text(value: Any) -> str | None:
    if value is _MISSING:
        return None
    text = render({"value": _masked(value)}).strip()[len('{\n  "value": ') : -len("\n}")]
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… and {len(text) - LONGEST:,} characters more"


def _masked(value: Any) -> Any:
    if isinstance(value, _Told):
        return value.shown
    if isinstance(value, _Hidden):
        return MASK
    if isinstance(value, Mapping):
        return {key: _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    return value
