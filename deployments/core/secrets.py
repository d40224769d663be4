"""Where the secrets of a settings document are, and how to show it without them (core-semantics 1.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

MASK = "••••"

# Paths inside one entry, in camel case without "dial:"; "[]" stands for each element, "{}" for each value.
_UPSTREAM = ("key", "extraData", "secretExtraData")
_UPSTREAMS = (
    *(f"upstreams [] {name}" for name in _UPSTREAM),
    *(f"upstreams [] interfaces {{}} {name}" for name in _UPSTREAM),
)
_HEADERS = ("defaultHeaders {}", "interfaces {} defaultHeaders {}")
_PATHS: Mapping[str, tuple[str, ...]] = {
    "models": (*_UPSTREAMS, *_HEADERS),
    "applications": (
        "function env {}",
        "externalServices {} authSettings",
        *(f"routes {{}} {path}" for path in _UPSTREAMS),
        *_HEADERS,
    ),
    "addons": ("token", *_HEADERS),
    "assistants": _HEADERS,
    "toolsets": ("authSettings clientSecret", "authSettings codeVerifier", *_HEADERS),
    "interceptors": _HEADERS,
    "routes": _UPSTREAMS,
    "keys": ("key",),
    "roles": (),
}

# The paths of a section as a tree: a step to what follows it, None where a secret is.
_Tree = Mapping[str, "_Tree | None"]


def _tree(paths: tuple[str, ...]) -> _Tree:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        *steps, last = path.split()
        for step in steps:
            node = node.setdefault(step, {})
        node[last] = None
    return root


_SECRETS: Mapping[str, _Tree] = {section: _tree(paths) for section, paths in _PATHS.items()}


def map_secrets(section: str, entry: Mapping[str, Any], fn: Callable[[Any], Any]) -> dict[str, Any]:
    """A copy of one entry of a section with `fn` applied to each secret value, in every spelling.

    `fn` gets the JSON value as it is, of whatever type, and returns what replaces it; nulls are left.
    Where something that is no object or list stands in the way of a secret, all of it counts as one, so
    that nothing slips through in an entry of the wrong shape, and applying an inverse undoes it. Raises
    KeyError for an unknown section.
    """
    result = _map(entry, _SECRETS[section], fn)
    assert isinstance(result, dict)  # noqa: S101 - an entry is an object
    return result


def secrets_of(section: str, entry: Mapping[str, Any]) -> list[Any]:
    """The values that `map_secrets` would hand to its function."""
    found: list[Any] = []
    _collect(entry, _SECRETS[section], found)
    return found


def _map(value: Any, tree: _Tree | None, fn: Callable[[Any], Any]) -> Any:
    if value is None:
        return None
    if tree is None:
        return fn(value)
    if not tree:
        return value
    if "[]" in tree:
        return [_map(item, tree["[]"], fn) for item in value] if isinstance(value, list) else fn(value)
    if not isinstance(value, Mapping):
        return fn(value)
    if "{}" in tree:
        return {key: _map(item, tree["{}"], fn) for key, item in value.items()}
    return {key: _map(item, tree.get(_plain(key), _NOTHING), fn) for key, item in value.items()}


def _collect(value: Any, tree: _Tree | None, found: list[Any]) -> None:
    """The same walk without building anything."""
    if value is None:
        return
    if tree is None:
        found.append(value)
    elif "[]" in tree and isinstance(value, list):
        for item in value:
            _collect(item, tree["[]"], found)
    elif "{}" in tree and isinstance(value, Mapping):
        for item in value.values():
            _collect(item, tree["{}"], found)
    elif tree.keys() & {"[]", "{}"} or (tree and not isinstance(value, Mapping)):
        found.append(value)
    else:
        for key, item in value.items() if tree else ():
            below = tree.get(_plain(key), _NOTHING)
            if below is None or below:
                _collect(item, below, found)


_NOTHING: _Tree = {}


@lru_cache(maxsize=4096)
def _plain(key: str) -> str:
    """`dial:extraData` and `extra_data` to `extraData`."""
    head, *rest = key.removeprefix("dial:").split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def mask_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that may be shown: secrets are MASK, API keys (map keys of `keys`) are numbered.

    Works on every document, also on one that Core would refuse.
    """
    return {section: _masked_section(section, value) for section, value in document.items()}


def _masked_section(section: str, value: Any) -> Any:
    if section == "assistant" and isinstance(value, Mapping):
        return {key: _masked_section(key, item) if key == "assistants" else item for key, item in value.items()}
    if section not in _SECRETS or value is None:
        return value
    if not isinstance(value, Mapping):
        return MASK
    if section == "keys":
        return {label_key(number, entry): _masked_entry(section, entry) for number, entry in enumerate(value.values())}
    return {name: _masked_entry(section, entry) for name, entry in value.items()}


def _masked_entry(section: str, entry: Any) -> Any:
    if isinstance(entry, Mapping):
        return map_secrets(section, entry, lambda value: MASK)
    return entry if entry is None or not _SECRETS[section] else MASK


def label_key(number: int, entry: Any) -> str:
    """What stands for an API key, which is itself the secret: `••••1 (project X)`."""
    project = entry.get("project") if isinstance(entry, Mapping) else None
    return f"{MASK}{number + 1} (project {project})" if isinstance(project, str) and project else f"{MASK}{number + 1}"
