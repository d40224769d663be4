"""Who reaches what, with which limits: every question of the audit, answered from one index. Pure.

People are numbers, and a set of people is a whole number whose bit n stands for person n; so is a set of
deployments. A union over the roles of a deployment, a count, a comparison of two moments are then one
operation each, however many people there are. What a role set means is `deployments.core`'s to say: nothing
here decides access or a limit by itself.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress, count, islice
from typing import Literal

from deployments.core.access import Access, access, is_allowed
from deployments.core.limits import DEFAULT, NO_LIMIT, Effective, contributors, counting_roles, effective
from deployments.core.load import WINDOWS, Deployment, Key, Settings
from deployments.document import SECTIONS

State = Literal["unlimited", "limited", "denied", "unlisted", "failed", "shadowed"]
Place = tuple[str, str]  # section and name of a deployment
KINDS: Mapping[str, str] = {path[-1]: kind for kind, path in SECTIONS.items()}
REACHES: frozenset[State] = frozenset({"unlimited", "limited"})
_NOBODY: frozenset[str] = frozenset()


def outcome(settings: Settings, deployment: Deployment, roles: AbstractSet[str]) -> tuple[State, Effective | None]:
    """What somebody with exactly these roles meets when they call, and the limit that Core would tell.

    The limit is None where Core of this version tells none (core-semantics 3.4). Before anything else the
    name has to lead here, then `userRoles` has to let in, then an enforced limit must not deny.
    """
    rules = settings.rules
    limit = effective(settings, deployment, roles) if deployment.section in rules.resolved else None
    if deployment.shadowed_by is not None:
        return "shadowed", limit
    if not is_allowed(deployment, roles):
        return "unlisted", limit
    if limit is None or deployment.section not in rules.enforced:
        return "unlimited", limit
    if limit.failing:
        return "failed", limit
    if limit.denied:
        return "denied", limit
    return ("unlimited" if limit.unlimited else "limited"), limit


@dataclass(frozen=True, slots=True)
class Answer:
    """How the holders of some roles reach one deployment that lists them.

    `via`: the roles that let in, in alphabetical order; empty when it is open. `limit`: window to number, unlimited
    windows left out. `given`: window to the roles whose entry made its number, `("default",)` for the fallback.
    """

    deployment: Deployment
    via: tuple[str, ...]
    state: State
    limit: Mapping[str, int] = field(default_factory=dict)
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return KINDS[self.deployment.section]

    @property
    def access(self) -> Access:
        return access(self.deployment)

    @property
    def reaches(self) -> bool:
        return self.state in REACHES


@dataclass(frozen=True)
class Population:
    """Everyone who can sign in, by number, and who of them holds which role.

    `ids` and `names`: the row and the user name of person n. `holding`: role to the bits of its holders;
    a role that nobody holds is left out or 0. `present`: who of `ids` is meant; None for all of them.
    """

    ids: Sequence[int] = ()
    names: Sequence[str] = ()
    holding: Mapping[str, int] = field(default_factory=dict)
    present: int | None = None

    @property
    def count(self) -> int:
        return len(self.ids)

    @cached_property
    def everyone(self) -> int:
        return (1 << len(self.ids)) - 1 if self.present is None else self.present

    @cached_property
    def number_of(self) -> Mapping[int, int]:
        """Row of a person to their number."""
        return {pk: number for number, pk in enumerate(self.ids)}

    @cached_property
    def _planes(self) -> Mapping[str, bytes]:
        size = (len(self.ids) + 7) // 8
        return {role: bits.to_bytes(size, "little") for role, bits in self.holding.items()}

    def roles_of(self, number: int) -> frozenset[str]:
        """The roles that a person holds."""
        byte, mask = number >> 3, 1 << (number & 7)
        return frozenset([role for role, plane in self._planes.items() if plane[byte] & mask])

    @cached_property
    def roles(self) -> Sequence[str]:
        """The roles that somebody may hold, by name: the order that `role_sets` counts them by."""
        return sorted(self.holding)

    @cached_property
    def role_sets(self) -> tuple[Sequence[tuple[int, ...]], Sequence[int]]:
        """The distinct sets of roles, as places in `roles`, and the set of each person: access depends on no more."""
        held: list[list[int]] = [[] for _ in self.ids]
        for place, role in enumerate(self.roles):
            for number in members(self.holding[role]):
                held[number].append(place)
        known: dict[tuple[int, ...], int] = {}
        of_person = array("L", [known.setdefault(tuple(some), len(known)) for some in held])
        return list(known), of_person


def iterate(bits: int) -> Iterator[int]:
    """The numbers of the people in a set, in order, found as they are asked for."""
    digits = bin(bits)[:1:-1]
    at = digits.find("1")
    while at >= 0:
        yield at
        at = digits.find("1", at + 1)


def members(bits: int) -> list[int]:
    """The numbers of the people in a set, in order, by whichever way is the faster for so many."""
    digits = bin(bits)[:1:-1]
    if bits.bit_count() * _SPARSE > len(digits):
        return list(compress(count(), digits.encode().translate(_FLAGS)))
    found = []
    at = digits.find("1")
    while at >= 0:
        found.append(at)
        at = digits.find("1", at + 1)
    return found


_SPARSE = 7  # with fewer than one bit in so many set, looking for the next one beats looking at each
_FLAGS = bytes(code == ord("1") for code in range(256))


def some_members(bits: int, first: int, number: int) -> list[int]:
    """The numbers of so many people of a set, from the one at `first` (from 0) on: one page."""
    return list(islice(iterate(bits), first, first + number))


def union(sets: Iterable[int]) -> int:
    result = 0
    for bits in sets:
        result |= bits
    return result


def tally(sets: Iterable[int], people: int) -> list[int]:
    """In how many of the sets each person is: added in binary, a digit at a time, for everybody at once."""
    waiting: list[list[int]] = []  # for each digit one or two sets that are still to be added
    for bits in sets:
        carried = bits
        for place in count():
            if place == len(waiting):
                waiting.append([])
            waiting[place].append(carried)
            if len(waiting[place]) < 3:
                break
            digit, carried = _added(*waiting[place])
            waiting[place] = [digit]
    digits = []
    carried = 0
    for some in waiting:
        digit, carried = _added(some[0], some[1] if len(some) > 1 else 0, carried)
        digits.append(digit)
    digits.append(carried)
    counts: list[int] = []
    for first in range(0, len(digits), 8):
        values = list(_octets(digits[first : first + 8], people))
        counts = [low + (high << first) for low, high in zip(counts, values, strict=True)] if first else values
    return counts


def _added(a: int, b: int, c: int) -> tuple[int, int]:
    """What three sets come to person by person: the last digit, and the one before it."""
    odd = a ^ b
    return odd ^ c, a & b | odd & c


def _octets(digits: Iterable[int], people: int) -> bytes:
    """For each person the number of up to eight digits, the lowest first."""
    number = 0
    for place, bits in enumerate(digits):
        flags = bin(bits)[:1:-1].encode().translate(_FLAGS)
        number |= int.from_bytes(flags, "little") << place
    return number.to_bytes(people, "little")


class Index:
    """Settings and people together. Immutable; build a new one when either has changed.

    `notes` says what it rests on, for pages and downloads: e.g. {"release": "7", "sync": "112"}.
    """

    def __init__(self, settings: Settings, people: Population, notes: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.people = people
        self.notes = dict(notes or {})
        self.deployments: tuple[Deployment, ...] = settings.deployments
        self._answers: dict[tuple[int, frozenset[str]], Answer | None] = {}

    # --- deployments ------------------------------------------------------------------------------------

    @cached_property
    def _numbers(self) -> Mapping[Place, int]:
        return {(item.section, item.name): number for number, item in enumerate(self.deployments)}

    @cached_property
    def open_bits(self) -> int:
        """The deployments that everyone is let in to."""
        return union(1 << number for number, item in enumerate(self.deployments) if item.user_roles is None)

    @cached_property
    def opened_by(self) -> Mapping[str, int]:
        """Role to the deployments that list it."""
        found: dict[str, int] = {}
        for number, item in enumerate(self.deployments):
            for role in item.user_roles or ():
                found[role] = found.get(role, 0) | 1 << number
        return found

    def find(self, name: str, section: str = "") -> Deployment | None:
        """The deployment that a call to this name gets; of one section if given. None when there is none."""
        found = [item for item in self.deployments if item.name == name and section in ("", item.section)]
        return next((item for item in found if item.shadowed_by is None), found[0] if found else None)

    # --- people of a deployment ---------------------------------------------------------------------------

    def listed(self, deployment: Deployment) -> int:
        """Everyone whom `userRoles` lets in, as bits. Limits are another question."""
        if deployment.user_roles is None:
            return self.people.everyone
        holding = self.people.holding
        return union(holding[role] for role in deployment.user_roles if role in holding)

    def callers(self, deployment: Deployment) -> int:
        """Everyone whose call is served: let in, not denied by a limit, not failing, and the name leads here."""
        if deployment.shadowed_by is not None:
            return 0
        bits = self.listed(deployment)
        return bits & ~self._turned_away(deployment) if self._may_deny(deployment) else bits

    def _may_deny(self, deployment: Deployment) -> bool:
        if deployment.section not in self.settings.rules.enforced:
            return False
        entries = self.settings.entries.get(deployment.name)
        return bool(self.settings.without_limits) or any(min(limit) <= 0 for limit in (entries or {}).values())

    def _turned_away(self, deployment: Deployment) -> int:
        """Whom a limit denies or a role without limits fails: `core.limits.effective` for all people at once.

        On an open deployment that a hundred roles limit nearly everyone is a class of their own, so that
        people are not told apart here: per window those are denied whom no counting role gives more than 0.
        """
        settings, holding = self.settings, self.people.holding
        if DEFAULT in settings.without_limits:
            return self.people.everyone
        counting = counting_roles(settings, deployment) & holding.keys()
        entries = settings.entries.get(deployment.name, {})
        own = [(holding[role], entries[role]) for role in counting if role in entries]
        counted = union(bits for bits, _ in own)
        away = union(holding[role] for role in counting & settings.without_limits)
        for window in range(len(WINDOWS)):
            if any(limit[window] <= 0 for _, limit in own):
                away |= counted & ~union(bits for bits, limit in own if limit[window] > 0)
        if min(entries.get(DEFAULT, NO_LIMIT)) <= 0:
            away |= self.people.everyone & ~counted
        return away

    def counts(self) -> dict[Place, int]:
        """How many people each deployment lists."""
        return {(item.section, item.name): self.listed(item).bit_count() for item in self.deployments}

    def answers_of_people(self, deployment: Deployment) -> Iterator[tuple[int, Answer]]:
        """Number and answer of everyone whom the deployment lists, by user name; people with the same say share one."""
        listed, holding = self.listed(deployment), self.people.holding
        held: dict[int, list[str]] = {}
        for role in sorted(self.relevant[self._numbers[deployment.section, deployment.name]] & holding.keys()):
            for number in members(holding[role] & listed):
                held.setdefault(number, []).append(role)
        known: dict[tuple[str, ...], Answer | None] = {}
        for number in members(listed):
            roles = tuple(held.get(number, ()))
            if roles not in known:
                known[roles] = self._answer(deployment, frozenset(roles))
            answer = known[roles]
            if answer is not None:
                yield number, answer

    def granted(self, deployment: Deployment, window: str) -> tuple[int, int]:
        """What the people of a deployment may use in a window if all use theirs, and how many have no limit there."""
        tokens = unlimited = 0
        for _, answer in self.answers_of_people(deployment):
            if answer.reaches:
                limit = answer.limit.get(window) if answer.state == "limited" else None
                tokens += limit or 0
                unlimited += limit is None
        return tokens, unlimited

    # --- deployments of somebody ---------------------------------------------------------------------------

    def answer(self, deployment: Deployment, roles: AbstractSet[str]) -> Answer | None:
        """How somebody with these roles reaches the deployment; None when it does not list them."""
        number = self._numbers[deployment.section, deployment.name]
        key = (number, self.relevant[number].intersection(roles))
        known = self._answers
        if key not in known:
            if len(known) > _KEPT:
                known.clear()
            known[key] = self._answer(deployment, key[1])
        return known[key]

    @cached_property
    def relevant(self) -> list[frozenset[str]]:
        """For each deployment the only roles that its answer can depend on."""
        enforced = self.settings.rules.enforced
        return [
            (item.user_roles or _NOBODY)
            | (counting_roles(self.settings, item) if item.section in enforced and not item.shadowed_by else _NOBODY)
            for item in self.deployments
        ]

    def _answer(self, deployment: Deployment, roles: frozenset[str]) -> Answer | None:
        if not is_allowed(deployment, roles):
            return None
        state, limit = outcome(self.settings, deployment, roles)
        via = () if deployment.user_roles is None else tuple(sorted(deployment.user_roles & roles))
        if limit is None or state in ("failed", "shadowed") or deployment.section not in self.settings.rules.enforced:
            return Answer(deployment, via, state)
        numbers = limit.as_dict()
        made = contributors(limit, self.settings, deployment)
        return Answer(deployment, via, state, numbers, {window: made[window] for window in numbers})

    def answers(self, roles: AbstractSet[str]) -> Iterator[Answer]:
        """Every deployment that lists somebody with these roles, in the order of the document."""
        for number in members(self.reach(roles)):
            answer = self.answer(self.deployments[number], roles)
            if answer is not None:
                yield answer

    def reach(self, roles: Iterable[str]) -> int:
        """The deployments that list somebody with these roles, as bits."""
        opened_by = self.opened_by
        return self.open_bits | union(opened_by[role] for role in roles if role in opened_by)

    def reach_counts(self) -> list[int]:
        """For each person how many deployments list them."""
        return tally(map(self.listed, self.deployments), self.people.count)

    @cached_property
    def keys(self) -> Sequence[tuple[str, Key]]:
        """A label for each API key, never its value, and the key: its project, numbered where several share one."""
        projects: dict[str, int] = {}
        found = []
        for key in self.settings.keys.values():
            projects[key.project] = projects.get(key.project, 0) + 1
            number = projects[key.project]
            found.append((key.project if number == 1 else f"{key.project} ({number})", key))
        return found

    # --- the other questions -------------------------------------------------------------------------------

    def open_to_everyone(self) -> list[Deployment]:
        return [item for item in self.deployments if item.user_roles is None]

    def reaching_nothing(self) -> int:
        """The people whom not one deployment serves, as bits."""
        left = self.people.everyone
        for item in self.deployments:
            if not left:
                break
            left &= ~self.callers(item)
        return left

    def roles_without_members(self) -> list[str]:
        """Roles that the settings attach or limit and that no person and no API key holds, `default` apart."""
        held = {role for role, bits in self.people.holding.items() if bits}
        held.update(role for key in self.settings.keys.values() for role in key.roles)
        named = self.opened_by.keys() | {role for role, limits in self.settings.limits.items() if limits}
        return sorted(named - held - {"default"})

    def members_without_effect(self) -> list[tuple[str, int]]:
        """Roles whose holders get nothing by them, neither access nor a limit, with the bits of the holders."""
        counting = {role for item in self.deployments for role in counting_roles(self.settings, item)}
        useful = self.opened_by.keys() | counting
        return [(role, bits) for role, bits in sorted(self.people.holding.items()) if bits and role not in useful]


_KEPT = 30_000  # answers that are remembered


@dataclass(frozen=True, slots=True)
class Difference:
    """Who may call a deployment at one moment and not at another, as bits over the `ids` of `differences`."""

    section: str
    name: str
    gained: int
    lost: int


def differences(before: Index, after: Index) -> tuple[Sequence[int], list[Difference]]:
    """Who gained and who lost what between two moments, and the row of the person behind each bit.

    People are matched by row, settings by place. The numbers of `after` stay; who was there before alone comes last.
    """
    old = {(item.section, item.name): item for item in before.deployments}
    new = {(item.section, item.name): item for item in after.deployments}
    ids = after.people.ids
    if before.people.ids != ids:
        ids = [*ids, *(pk for pk in before.people.ids if pk not in after.people.number_of)]
        before = Index(before.settings, _renumbered(before.people, ids))
    found = []
    for place in dict.fromkeys((*new, *old)):
        had = before.callers(old[place]) if place in old else 0
        has = after.callers(new[place]) if place in new else 0
        if had != has:
            found.append(Difference(*place, has & ~had, had & ~has))
    return ids, found


def _renumbered(people: Population, ids: Sequence[int]) -> Population:
    """The same people by their numbers in `ids`, which holds others too."""
    number_of = {pk: number for number, pk in enumerate(ids)}
    numbers = [number_of[pk] for pk in people.ids]
    size = (len(ids) + 7) // 8

    def moved(bits: int) -> int:
        plane = bytearray(size)
        for number in members(bits):
            to = numbers[number]
            plane[to >> 3] |= 1 << (to & 7)
        return int.from_bytes(plane, "little")

    holding = {role: moved(bits) for role, bits in people.holding.items()}
    return Population(ids, (), holding, moved(people.everyone))
