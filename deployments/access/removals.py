"""What has to change so that the removals of a review come true. Pure.

Where a group gives more than what is to go, the person is taken out of it in the pool: by its owner, or from here where
groups are managed. Where everyone whom a role lets in is to go, the role is detached instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

Place = tuple[str, str]  # kind and name of a deployment
Subject = tuple[str, str]  # "user" and the id of the row, or "key" and the label


@dataclass(frozen=True, slots=True)
class Decided:
    """One row of a review. `via` is empty where the deployment was open to everyone."""

    place: Place
    subject: Subject
    label: str
    via: tuple[str, ...]
    remove: bool


@dataclass(frozen=True, slots=True)
class Detachment:
    """A role that lets in nobody who is to stay: it can be detached."""

    place: Place
    role: str
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True)
class Leaving:
    """Somebody who has to lose a role because it lets in others who stay; `places` are what it is about."""

    role: str
    subject: Subject
    label: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """`people` leave groups, `keys` lose roles; `open` are marked places that no role guards, with the count."""

    detachments: tuple[Detachment, ...]
    people: tuple[Leaving, ...]
    keys: tuple[Leaving, ...]
    open: tuple[tuple[Place, int], ...]


def plan(rows: Iterable[Decided]) -> Plan:
    """The least that makes every removal come true, and touches nobody who stays on the same deployment."""
    held: defaultdict[tuple[Place, str], list[Decided]] = defaultdict(list)
    unguarded: defaultdict[Place, int] = defaultdict(int)
    for row in rows:
        for role in row.via:
            held[row.place, role].append(row)
        if row.remove and not row.via:
            unguarded[row.place] += 1
    detachments: list[Detachment] = []
    leaving: defaultdict[tuple[str, Subject, str], list[Place]] = defaultdict(list)
    for (place, role), holders in sorted(held.items()):
        if all(row.remove for row in holders):
            detachments.append(Detachment(place, role, tuple(row.subject for row in holders)))
            continue
        for row in holders:
            if row.remove:
                leaving[role, row.subject, row.label].append(place)
    steps = [
        Leaving(role, subject, label, tuple(places))
        for (role, subject, label), places in sorted(leaving.items(), key=lambda item: (item[0][0], item[0][2]))
    ]
    return Plan(
        detachments=tuple(detachments),
        people=tuple(step for step in steps if step.subject[0] == "user"),
        keys=tuple(step for step in steps if step.subject[0] == "key"),
        open=tuple(sorted(unguarded.items())),
    )
