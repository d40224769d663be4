"""Laying settings files over each other as Core does (core-semantics 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deployments.core.text import Repeated


def merge(files: Sequence[object], *, overwrite_arrays: bool = False) -> dict[str, Any]:
    """One document out of the parsed files, in their order. The inputs are not changed.

    Objects merge deeply; arrays are appended (replaced with `overwrite_arrays`, which is Core's static
    setting `config.jsonMergeStrategy.overwriteArrays`); everything else, null included, replaces. A
    file that is None (`null`) is ignored. Raises TypeError for a file that is neither (`text.parse`
    gives none).
    """
    merged: dict[str, Any] = {}
    for file in files:
        if file is None:
            continue
        if not isinstance(file, Mapping):
            raise TypeError(f"A settings file is an object, not {type(file).__name__}.")
        _update(merged, file, overwrite_arrays)
    return merged


def _update(target: dict[str, Any], overlay: Mapping[str, Any], overwrite_arrays: bool) -> None:
    """Lay one object over another that is already there. `target` and what is in it belongs to us."""
    for key, new in _written(overlay):
        old = target.get(key)
        if isinstance(old, dict) and isinstance(new, Mapping):
            _update(old, new, overwrite_arrays)
        elif isinstance(old, list) and isinstance(new, list) and not overwrite_arrays:
            old.extend(map(_copy, new))
        else:
            target[key] = _copy(new)


def _written(overlay: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """All pairs as written: in an object that is updated, a repeated key is a further update."""
    return overlay.pairs if isinstance(overlay, Repeated) else overlay.items()


def _copy(value: Any) -> Any:
    """A copy in which containers are ours to change; in a new object the last of repeated keys has won."""
    if isinstance(value, Mapping):
        return {key: _copy(item) if isinstance(item, Mapping | list) else item for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) if isinstance(item, Mapping | list) else item for item in value]
    return value
