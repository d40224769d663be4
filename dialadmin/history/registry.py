"""The acts that history knows. Each app registers its own; filters and pages read this list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Act:
    """One kind of event.

    `code` is stable and namespaced (`deployment.role-attached`); `label` names it in filters;
    `sentence` continues "Ada Berg …" and is formatted with `target`, `before`, `after` and `note`. `undo` names the URL
    that takes an entry of this act back, by its id; empty where none does.
    """

    code: str
    label: str
    sentence: str
    undo: str = ""


_acts: dict[str, Act] = {}


def register(act: Act) -> Act:
    if act.code in _acts:
        raise ValueError(f"history act {act.code} is registered twice")
    _acts[act.code] = act
    return act


def get(code: str) -> Act | None:
    """The act, or None for one that an older version of the product wrote."""
    return _acts.get(code)


def all_acts() -> list[Act]:
    return sorted(_acts.values(), key=lambda act: act.code)
