"""How what is found differs from what was released, in lines for people, secrets masked. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.core import compare
from deployments.core.access import is_allowed
from deployments.core.coerce import as_text
from deployments.core.findings import Path, display
from deployments.core.load import UNLIMITED, Settings, load
from deployments.core.render import render
from deployments.core.secrets import MASK, mask_document
from deployments.core.text import Real, SettingsError, parse
from deployments.core.versions import Version

SHOWN = 50  # lines
WIDTH = 80  # characters of a value

# --- Bytes with bytes ------------------------------------------------------------------------------


def of_bytes(released: bytes, found: bytes | None) -> list[str]:
    """Why these bytes are not the released ones; empty when they are."""
    if found == released:
        return []
    if found is None:
        return ["Nothing is there any more."]
    try:
        theirs = parse(found, "what is there") or {}
    except SettingsError as error:
        return [f"It is no settings file. {error}"]
    ours = parse(released, "the release")
    lines = list(_walk((), ours, mask_document(ours), theirs, mask_document(theirs)))
    if lines:
        return cut(lines)
    if render(ours) == render(theirs):
        return ["The settings are the same, written with other spaces and line breaks."]
    return ["The settings are the same, in another order."]


def cut(lines: Sequence[str]) -> list[str]:
    """No more lines than a page shows."""
    return [*lines[:SHOWN], f"… and {len(lines) - SHOWN} more."] if len(lines) > SHOWN else list(lines)


def _walk(path: Path, ours: Any, our_mask: Any, theirs: Any, their_mask: Any) -> Iterator[str]:
    """Go through two values and their masked copies, which have the same shape and other names for API keys."""
    if ours == theirs:
        return
    if all(isinstance(value, Mapping) for value in (ours, our_mask, theirs, their_mask)):
        names = {**_names(ours, our_mask), **_names(theirs, their_mask)}
        our_shown, their_shown = _shown(ours, our_mask), _shown(theirs, their_mask)
        for key, name in names.items():
            step: Path = (*path, name)
            if key not in theirs:
                yield f"{display(step)}: was released, and is not there."
            elif key not in ours:
                yield f"{display(step)}: is there, and was not released."
            else:
                yield from _walk(step, ours[key], our_shown[key], theirs[key], their_shown[key])
    elif all(isinstance(value, list) for value in (ours, our_mask, theirs, their_mask)) and len(ours) == len(theirs):
        for index, values in enumerate(zip(ours, our_mask, theirs, their_mask, strict=True)):
            yield from _walk((*path, index), *values)
    elif our_mask == their_mask:
        yield f"{display(path)}: the secret is another one."
    else:
        yield f"{display(path)}: is {_text(their_mask)}, released was {_text(our_mask)}."


def _names(plain: Mapping[str, Any], masked: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(plain, masked, strict=True))


def _shown(plain: Mapping[str, Any], masked: Mapping[str, Any]) -> dict[str, Any]:
    return dict(zip(plain, masked.values(), strict=True))


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"


# --- A release with what Core says that it runs ----------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """`differences` contradict the release; `notes` are about what Core has besides."""

    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()


def with_core(released: Mapping[str, Any], answer: Any, version: Version) -> Answer:
    """Compare a release with the configuration that Core's reload endpoint returns (core-semantics 4.3).

    That configuration has defaults filled in and leaves out secrets and API keys, so what counts is
    compared: which deployments there are, who is let in, every limit, and each plain value that both
    name. Entries that only Core has may come from another of its files, or from its API: they are notes.
    """
    ours = load(released, version).settings
    theirs = load(_essence(answer, version), version).settings if isinstance(answer, Mapping) else None
    if ours is None or theirs is None:
        return Answer(("Core's answer has another form than this version of Core is known to give.",))
    changes = compare.compare(ours, theirs)
    more = [change for change in changes.access if change.before is None]
    fewer = [change for change in changes.access if change.after is None and not _implicit(ours, change)]
    lines = [f"{_place(change)}: was released, and Core does not have it." for change in fewer]
    lines += [_access_line(change) for change in changes.access if change.before and change.after]
    roles = set(released.get("roles") or {})
    lines += [_limit_line(change) for change in changes.limits if change.role in roles]
    lines += _values(released, answer)
    notes = []
    if more:
        names = ", ".join(change.name for change in more[:10]) + (", …" if len(more) > 10 else "")
        notes.append(f"Core also serves {len(more)} that this release does not have ({names}).")
    if others := sorted({change.role for change in changes.limits} - roles):
        notes.append(f"Core also has limits for {', '.join(others[:10])}.")
    return Answer(tuple(cut(lines)), tuple(notes))


def _essence(answer: Mapping[str, Any], version: Version) -> dict[str, Any]:
    """What decides about access and limits, without entries that are stored by Core itself (`models/x/y`)."""
    document: dict[str, Any] = {}
    for section, entries in _sections(answer):
        kept = {
            name: {} if (roles := _get(entry, "userRoles")) is None else {"userRoles": roles}
            for name, entry in entries.items()
            if "/" not in name and isinstance(entry, Mapping)
        }
        if section == "assistants":
            document["assistant"] = {"assistants": kept}
        else:
            document[section] = kept
    roles = answer.get("roles")
    document["roles"] = {
        name: {"limits": _limits(entry)}
        for name, entry in (roles.items() if isinstance(roles, Mapping) else ())
        if isinstance(entry, Mapping) and "/" not in name
    }
    return document


def _limits(role: Mapping[str, Any]) -> Any:
    """The limits of a role without the windows that are null; what has another shape is left for `load` to refuse."""
    limits = _get(role, "limits")
    if limits is None:
        return {}
    if not isinstance(limits, Mapping):
        return limits
    return {
        name: {window: value for window, value in limit.items() if value is not None}
        if isinstance(limit, Mapping)
        else limit
        for name, limit in limits.items()
    }


_SECTIONS = ("models", "applications", "addons", "toolsets", "interceptors", "routes")


def _sections(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for section in _SECTIONS:
        if isinstance(document.get(section), Mapping):
            yield section, document[section]
    assistant = document.get("assistant")
    if isinstance(assistant, Mapping) and isinstance(assistant.get("assistants"), Mapping):
        yield "assistants", assistant["assistants"]


def _get(entry: Mapping[str, Any], name: str) -> Any:
    """A field of Core's answer, however it is spelled."""
    return next((value for key, value in entry.items() if _plain(key) == _plain(name)), None)


def _plain(key: str) -> str:
    return key.removeprefix("dial:").replace("_", "").lower()


def _implicit(settings: Settings, change: compare.AccessChange) -> bool:
    """The base assistant, which no configuration lists."""
    return any(d.implicit and (d.section, d.name) == (change.section, change.name) for d in settings.deployments)


def _place(change: compare.AccessChange) -> str:
    return display((change.section, change.name))


def _access_line(change: compare.AccessChange) -> str:
    if change.after == "open":
        return f"{_place(change)}: Core lets everyone in, and it was released {change.before}."
    if change.before == "open":
        return f"{_place(change)}: was released open to everyone, and Core has it {change.after}."
    parts = [f"Core also lets in {', '.join(change.added)}"] if change.added else []
    parts += [f"Core does not let in {', '.join(change.removed)}"] if change.removed else []
    return f"{_place(change)}: {' and '.join(parts)}."


def _limit_line(change: compare.LimitChange) -> str:
    def words(limit: int | None) -> str:
        return "none" if limit is None else "unlimited" if limit == UNLIMITED else f"{limit:,}"

    return (
        f"{display(('roles', change.role, 'limits', change.name, change.window))}: "
        f"is {words(change.after)} in Core, released was {words(change.before)}."
    )


def _values(released: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[str]:
    """Plain values of deployments that both name and that are not the same; secrets are left out.

    Case does not count: Core reads the values of its enums in any, and writes them in its own.
    """
    theirs = dict(_sections(answer))
    for section, entries in _sections(mask_document(released)):
        for name, entry in entries.items():
            other = theirs.get(section, {}).get(name)
            if not isinstance(entry, Mapping) or not isinstance(other, Mapping):
                continue
            for field, value in entry.items():
                found = _get(other, field)
                if _scalar(value) and _scalar(found) and value != MASK and _folded(value) != _folded(found):
                    yield f"{display((section, name, field))}: is {_text(found)} in Core, released was {_text(value)}."


def _folded(value: Any) -> str:
    return (as_text(value) or "").casefold()


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | Real | float) and not isinstance(value, bool)


# --- A release with what an API key sees -----------------------------------------------------------


def with_key(settings: Settings, key: str, roles: Sequence[str], listed: Mapping[str, Sequence[str]]) -> list[str]:
    """What Core answers to an API key against what this release says: its roles, and what the listings show.

    `listed` maps sections to names. Names with a slash are left out: people's own applications. The key
    itself is never quoted.
    """
    known = settings.keys.get(key)
    if known is None:
        return ["Core accepts the API key of CORE_PROBE_KEY, which is not in this release."]
    lines = []
    if set(roles) != set(known.roles):
        lines.append(
            f"The API key of {known.project} has the roles {_list(roles)} in Core, released were {_list(known.roles)}."
        )
    held = frozenset(known.roles)
    for section, names in listed.items():
        seen = {name for name in names if "/" not in name}
        allowed = {
            deployment.name
            for deployment in settings.deployments
            if deployment.section == section and not deployment.implicit and is_allowed(deployment, held)
        }
        lines += [
            f"{display((section, name))}: {known.project} does not see it in Core." for name in sorted(allowed - seen)
        ]
        ours = {deployment.name for deployment in settings.deployments if deployment.section == section}
        lines += [
            f"{display((section, name))}: {known.project} sees it in Core, and this release does not let it in."
            for name in sorted((seen - allowed) & ours)
        ]
    return lines


def _list(names: Sequence[str]) -> str:
    return ", ".join(sorted(names)) or "none"
