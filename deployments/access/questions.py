"""The questions of the audit that are no list of answers: counts, and what stands alone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deployments.access.index import KINDS, Index, members

Row = Sequence[object]


@dataclass(frozen=True)
class Question:
    """A table: its title for people, its columns, and its rows out of an index."""

    title: str
    columns: Sequence[str]
    rows: Callable[[Index], Iterator[Row]]


def _counts(index: Index) -> Iterator[Row]:
    for item in index.deployments:
        listed = index.listed(item).bit_count()
        keys = sum(1 for _, key in index.keys if index.answer(item, frozenset(key.roles)))
        state = "open" if item.user_roles is None else "restricted" if item.user_roles else "closed"
        yield KINDS[item.section], item.name, state, listed, index.callers(item).bit_count(), keys


def _per_person(index: Index) -> Iterator[Row]:
    return zip(index.people.names, index.reach_counts(), strict=True)


def _open(index: Index) -> Iterator[Row]:
    for item in index.open_to_everyone():
        yield KINDS[item.section], item.name, index.people.count


def _reaching_nothing(index: Index) -> Iterator[Row]:
    for number in members(index.reaching_nothing()):
        yield (index.people.names[number],)


def _roles_without_members(index: Index) -> Iterator[Row]:
    for role in index.roles_without_members():
        opened = members(index.opened_by.get(role, 0))
        yield role, "|".join(index.deployments[number].name for number in opened)


def _members_without_effect(index: Index) -> Iterator[Row]:
    for role, bits in index.members_without_effect():
        for number in members(bits):
            yield role, index.people.names[number]


QUESTIONS: Mapping[str, Question] = {
    "counts": Question(
        "How many people reach each deployment",
        ("kind", "deployment", "access", "people_listed", "people_served", "api_keys"),
        _counts,
    ),
    "counts-per-person": Question("How many deployments list each person", ("user", "deployments"), _per_person),
    "open": Question("What is open to everyone", ("kind", "deployment", "people"), _open),
    "reach-nothing": Question("Who reaches nothing", ("user",), _reaching_nothing),
    "roles-without-members": Question(
        "Roles of the settings that nobody holds", ("role", "deployments"), _roles_without_members
    ),
    "members-without-effect": Question("Memberships that give nothing", ("role", "user"), _members_without_effect),
}
