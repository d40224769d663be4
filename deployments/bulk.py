"""One change of many deployments at once: what it would do to each, before it does it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployments.document import DeploymentEntry, Parts

MOST = 1000  # deployments of one change
VERBS = {"attach": "Attach a role", "detach": "Detach a role", "close": "Close"}
TAKES_ROLE = frozenset({"attach", "detach"})


@dataclass(frozen=True)
class Step:
    """What a change does to one deployment; `skipped` says why it does nothing."""

    entry: DeploymentEntry
    after: tuple[str, ...] | None
    skipped: str = ""


def plan(verb: str, role: str, entries: Sequence[DeploymentEntry]) -> list[Step]:
    """A step for each entry. Attaching restricts what is open or closed to the role, as it does for one."""
    return [_step(verb, role, entry) for entry in entries]


def _step(verb: str, role: str, entry: DeploymentEntry) -> Step:
    held = entry.roles or ()
    if verb == "close":
        return Step(entry, (), "closed already" if entry.roles == () else "")
    if verb == "attach":
        return Step(entry, held if role in held else (*held, role), "attached already" if role in held else "")
    if entry.roles is None:
        return Step(entry, None, "open to everyone, whatever its roles")
    if role not in held:
        return Step(entry, held, "was not attached")
    return Step(entry, tuple(name for name in held if name != role))


def applied(parts: Parts, steps: Sequence[Step]) -> Parts:
    """The document after these steps."""
    after = {(step.entry.kind, step.entry.name): step.after for step in steps}
    return replace(
        parts,
        deployments=tuple(
            replace(entry, roles=after.get((entry.kind, entry.name), entry.roles)) for entry in parts.deployments
        ),
    )
