"""What pages show of a change: bounded, whatever its size."""

from __future__ import annotations

from typing import Any

from deployments.changes import Change
from deployments.releases.review import Review

SHOWN = 200  # deployments, limits and entries of the document on one page


def told_context(told: Review | None, changes: tuple[Change, ...]) -> dict[str, Any]:
    """What `_effects.html` and `_changes.html` show, bounded."""
    return {
        "told": told,
        "lines": told.lines[:SHOWN] if told else (),
        "more_lines": max(0, len(told.lines) - SHOWN) if told else 0,
        "limits": told.written_limits[:SHOWN] if told else (),
        "more_limits": max(0, len(told.limits) - SHOWN) if told else 0,
        "changes": changes[:SHOWN],
        "more_changes": max(0, len(changes) - SHOWN),
        "counts": {
            state: sum(1 for change in changes if change.state == state) for state in ("added", "changed", "removed")
        },
    }
