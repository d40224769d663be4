"""What somebody gains and loses in DIAL when their groups change. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from deployments.access.index import KINDS, Answer, Index
from deployments.core.load import Deployment

Change = Literal["gains", "loses", "limit", "let in"]
ORDER: tuple[Change, ...] = ("loses", "gains", "let in", "limit")


@dataclass(frozen=True, slots=True)
class Effect:
    """One deployment that answers differently. An answer is None where `userRoles` does not let in.

    `change`: gains or loses it; `limit`, reached before and after, with another limit; `let in`, or no longer, but
    turned away both times, by a limit or because a role is written without limits.
    """

    change: Change
    deployment: Deployment
    before: Answer | None
    after: Answer | None

    @property
    def kind(self) -> str:
        return KINDS[self.deployment.section]


def effects(index: Index, before: AbstractSet[str], after: AbstractSet[str]) -> Sequence[Effect]:
    """How the deployments answer somebody whose roles change so, where it is differently: losses first, by name."""
    found = sorted(_effects(index, before, after), key=attrgetter("deployment.name"))
    return sorted(found, key=lambda effect: ORDER.index(effect.change))


def _effects(index: Index, before: AbstractSet[str], after: AbstractSet[str]) -> Iterator[Effect]:
    for deployment in index.deployments:
        had, has = index.answer(deployment, before), index.answer(deployment, after)
        was, now = had is not None and had.reaches, has is not None and has.reaches
        if was != now:
            yield Effect("gains" if now else "loses", deployment, had, has)
        elif now and had is not None and has is not None and (had.state, had.limit) != (has.state, has.limit):
            yield Effect("limit", deployment, had, has)
        elif not now and (had and had.state) != (has and has.state):
            yield Effect("let in", deployment, had, has)
