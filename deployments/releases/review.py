"""What a change of the settings means for people and API keys. Pure: plain settings and bits in, words' facts out.

People are bits of whole numbers: bit n of `Population.holding["analysts"]` says whether person n holds the role.
Of all roles that people combine, a deployment tells only a few classes apart, so that a handful of operations
on bits answers for everyone, however many people there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

from deployments.access.index import Population, union
from deployments.core.compare import (
    AccessChange,
    LimitChange,
    Pair,
    Place,
    access_change,
    compare,
    difference,
    differing,
    effect,
    pairs,
    place_of,
    reach,
)
from deployments.core.limits import DEFAULT, counting_roles
from deployments.core.load import UNLIMITED, Deployment, Key, Settings
from deployments.document import SECTIONS

_Roles = frozenset[str] | None
_KINDS = {path[-1]: kind for kind, path in SECTIONS.items()}
_STATES = {"open": "open to everyone", "restricted": "restricted", "closed": "closed"}
_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Line:
    """What changes on one deployment, and for whom: bits of people, and labels of API keys.

    `gains` and `loses` are about being able to call it; `raised` and `lowered` about the limit in effect, which
    can be both for one person. `access` is None where the list of roles is the same.
    """

    section: str
    name: str
    access: AccessChange | None = None
    gains: int = 0
    loses: int = 0
    raised: int = 0
    lowered: int = 0
    keys_gain: tuple[str, ...] = ()
    keys_lose: tuple[str, ...] = ()
    keys_raised: tuple[str, ...] = ()
    keys_lowered: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The kind of deployment, as pages call it."""
        return _KINDS[self.section]

    @property
    def words(self) -> str:
        """What happens to who may reach it, in words; "" where the list of roles is the same."""
        change = self.access
        if change is None:
            return ""
        if change.before is None or change.after is None:
            state = change.after or change.before
            return f"{'new' if change.before is None else 'deleted, was'}, {_STATES[state]}" if state else ""
        if change.before == change.after:
            return "; ".join(
                f"{word} {', '.join(roles)}"
                for word, roles in (("adds", change.added), ("takes away", change.removed))
                if roles
            )
        roles = f": {', '.join(change.added)}" if change.after == "restricted" else ""
        return f"{_STATES[change.before]} → {_STATES[change.after]}{roles}"

    @property
    def opens(self) -> bool:
        """Everyone may call it who could not before."""
        return self.access is not None and self.access.after == "open"

    @property
    def closes(self) -> bool:
        """Nobody may call it any more."""
        change = self.access
        return change is not None and change.before in ("open", "restricted") and change.after in ("closed", None)

    @property
    def weight(self) -> int:
        """How many are touched: the heaviest lines come first."""
        return (self.gains | self.loses | self.raised | self.lowered).bit_count()

    def bits(self, change: str) -> int:
        """The people of one of the four changes, by its name."""
        return {"gains": self.gains, "loses": self.loses, "raised": self.raised, "lowered": self.lowered}[change]


CHANGES = ("gains", "loses", "raised", "lowered")


@dataclass(frozen=True)
class Review:
    """Everything that changes for somebody, and the written limits that differ."""

    people: int
    lines: tuple[Line, ...]
    limits: tuple[LimitChange, ...]

    @cached_property
    def gaining(self) -> int:
        return union(line.gains for line in self.lines)

    @cached_property
    def losing(self) -> int:
        return union(line.loses for line in self.lines)

    @cached_property
    def raised(self) -> int:
        return union(line.raised for line in self.lines)

    @cached_property
    def lowered(self) -> int:
        return union(line.lowered for line in self.lines)

    @cached_property
    def keys_gaining(self) -> int:
        return len({key for line in self.lines for key in line.keys_gain})

    @cached_property
    def keys_losing(self) -> int:
        return len({key for line in self.lines for key in line.keys_lose})

    @cached_property
    def opened(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.opens)

    @cached_property
    def closed(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.closes)

    @property
    def losing_share(self) -> float:
        """The share of all people who lose something, 0 to 1."""
        return self.losing.bit_count() / self.people if self.people else 0.0

    @cached_property
    def written_limits(self) -> list[tuple[str, str, str, str, str]]:
        """(role, deployment, window, before, after) of the limits as written, in words."""
        return [
            (change.role, change.name, change.window, _amount(change.before), _amount(change.after))
            for change in self.limits
        ]

    def line(self, section: str, name: str) -> Line | None:
        return next((line for line in self.lines if (line.section, line.name) == (section, name)), None)


def _amount(number: int | None) -> str:
    if number is None:
        return "no entry"
    return "unlimited" if number == UNLIMITED else f"{number:,}"


def review(before: Settings, after: Settings, people: Population) -> Review:
    """What changes for whom when `after` takes the place of `before`; lines with the most people first."""
    limits = compare(before, after).limits
    keys = _key_effects(before, after)
    lines: dict[Place, Line] = {}
    for old, new in differing(before, after):
        lines[place_of(old, new)] = _line(before, after, old, new, people, keys)
    for section, name in keys.keys() - lines.keys():  # an API key whose own roles changed, where nothing else did
        lines[section, name] = Line(section, name, **_of_keys(keys[section, name]))
    told = (line for line in lines.values() if line.access or line.weight or _has_keys(line))
    return Review(people.count, tuple(sorted(told, key=lambda line: -line.weight)), limits)


def review_edit(before: Settings, after: Settings, old: Deployment, new: Deployment, people: Population) -> Line | None:
    """The line of a single edit of the access or the limits of one deployment; None: nothing changes.

    `before` and `after` may differ in the limits that are written for its name; all else is the same.

    The work does not grow with the number of deployments.
    """
    line = _line(before, after, old, new, people, _key_effects(before, after, [(old, new)]))
    return line if line.access or line.weight or _has_keys(line) else None


def gained_and_lost(
    before: Settings, after: Settings, old: Deployment | None, new: Deployment | None, people: Population
) -> tuple[int, int] | None:
    """Who can call a deployment after and could not before, and the other way round, as bits.

    None where a limit may deny somebody, which takes a closer look (`_cells`).
    """
    had, has = _callers(before, old, people), _callers(after, new, people)
    return None if had is None or has is None else (has & ~had, had & ~has)


def _callers(settings: Settings, deployment: Deployment | None, people: Population) -> int | None:
    """Everyone who can call the deployment, where nobody who is let in may be denied; else None."""
    if deployment is None or deployment.shadowed_by is not None:
        return 0
    if deployment.section in settings.rules.enforced:
        entries = settings.entries.get(deployment.name)
        if settings.without_limits or (entries and any(min(limit) <= 0 for limit in entries.values())):
            return None
    if deployment.user_roles is None:
        return people.everyone
    holding = people.holding
    return union(holding[role] for role in deployment.user_roles if role in holding)


def _has_keys(line: Line) -> bool:
    return bool(line.keys_gain or line.keys_lose or line.keys_raised or line.keys_lowered)


_KeyEffects = Mapping[Place, Mapping[str, list[str]]]


def _line(
    before: Settings,
    after: Settings,
    old: Deployment | None,
    new: Deployment | None,
    people: Population,
    keys: _KeyEffects,
) -> Line:
    place = place_of(old, new)
    bits = _effects_on_people(before, after, old, new, people)
    return Line(
        *place,
        access_change(old, new),
        gains=bits["gains"],
        loses=bits["loses"],
        raised=bits["raised"],
        lowered=bits["lowered"],
        **_of_keys(keys.get(place, {})),
    )


class _Keys(TypedDict):
    keys_gain: tuple[str, ...]
    keys_lose: tuple[str, ...]
    keys_raised: tuple[str, ...]
    keys_lowered: tuple[str, ...]


def _of_keys(labels: Mapping[str, list[str]]) -> _Keys:
    return {
        "keys_gain": tuple(labels.get("gains", ())),
        "keys_lose": tuple(labels.get("loses", ())),
        "keys_raised": tuple(labels.get("raised", ())),
        "keys_lowered": tuple(labels.get("lowered", ())),
    }


def _changes(kind: str, raised: tuple[str, ...], lowered: tuple[str, ...]) -> Iterator[str]:
    """The names (of CHANGES) of a difference."""
    if kind != "limit":
        yield kind
    if raised:
        yield "raised"
    if lowered:
        yield "lowered"


def _effects_on_people(
    before: Settings, after: Settings, old: Deployment | None, new: Deployment | None, people: Population
) -> dict[str, int]:
    """For each of CHANGES the bits of those for whom one deployment changes so."""
    bits = dict.fromkeys(CHANGES, 0)
    among = people.everyone
    quick = gained_and_lost(before, after, old, new, people)
    if quick is not None:
        bits["gains"], bits["loses"] = quick
        among = _whose_limit_may_differ(before, after, old, new, people) & ~(quick[0] | quick[1])
    for roles, who in _cells(before, after, old, new, people, among):
        found = effect(before, after, old, new, roles)
        if found is not None:
            for change in _changes(found.kind, found.raised, found.lowered):
                bits[change] |= who
    return bits


def _whose_limit_may_differ(
    before: Settings, after: Settings, old: Deployment | None, new: Deployment | None, people: Population
) -> int:
    """A superset, as bits, of those whose limit on the deployment differs; nobody where no limit is written."""
    if old is None or new is None:
        return 0
    one, other = before.entries.get(old.name), after.entries.get(new.name)
    enforced = [side.section in rules.rules.enforced for side, rules in ((old, before), (new, after))]
    if not (one or other) or not any(enforced):
        return 0
    if one != other or not all(enforced) or old.user_roles is None or new.user_roles is None:
        return people.everyone
    # The limits are the same, so that only the holders of a role that comes or goes can notice anything.
    return union(people.holding.get(role, 0) for role in old.user_roles ^ new.user_roles)


def _cells(
    before: Settings, after: Settings, old: Deployment | None, new: Deployment | None, people: Population, among: int
) -> Iterator[tuple[frozenset[str], int]]:
    """Some people, parted into those whom the deployment cannot tell apart, with roles that stand for theirs."""
    if not among:
        return
    cells = [(_NOBODY, among)]
    for role, holders in _classes(before, after, old, new, people):
        parted = []
        for roles, who in cells:
            inside = who & holders
            if inside:
                parted.append((roles | {role}, inside))
            if inside != who:
                parted.append((roles, who ^ inside))
        cells = parted
    yield from cells


def _classes(
    before: Settings, after: Settings, old: Deployment | None, new: Deployment | None, people: Population
) -> Iterator[tuple[str, int]]:
    """(one role of a class, bits of the holders of any of the class): roles that say the same on both sides.

    Whether somebody holds one or many roles of a class makes no difference to what they reach (core-semantics 2)
    or to their limit, which is the largest (core-semantics 3.1).
    """
    classes: dict[object, tuple[str, int]] = {}
    relevant = _relevant(before, old) | _relevant(after, new)
    for role in sorted(relevant & people.holding.keys()):
        alike = (_standing(before, old, role), _standing(after, new, role))
        first, holders = classes.get(alike, (role, 0))
        classes[alike] = (first, holders | people.holding[role])
    return iter(classes.values())


def _relevant(settings: Settings, deployment: Deployment | None) -> frozenset[str]:
    if deployment is None:
        return _NOBODY
    return (deployment.user_roles or _NOBODY) | counting_roles(settings, deployment)


def _standing(settings: Settings, deployment: Deployment | None, role: str) -> object:
    """All that Core asks about a role when it judges a call of the deployment."""
    if deployment is None:
        return None
    return (
        deployment.user_roles is not None and role in deployment.user_roles,
        settings.entries.get(deployment.name, {}).get(role),
        role in settings.without_limits,
        role == DEFAULT,
    )


def _key_effects(before: Settings, after: Settings, only: Sequence[Pair] = ()) -> _KeyEffects:
    """Place of a deployment -> change -> labels of the API keys for which it changes; `only` where, if given."""
    everywhere = only or list(pairs(before, after))
    changed = only or list(differing(before, after))
    found: dict[Place, dict[str, list[str]]] = {}
    known: dict[object, list[tuple[Place, tuple[str, ...]]]] = {}
    for number, secret in enumerate(dict.fromkeys([*before.keys, *after.keys])):
        one, other = before.keys.get(secret), after.keys.get(secret)
        had, has = (None if key is None else frozenset(key.roles) for key in (one, other))
        if (had, has) not in known:
            deployments = changed if had == has else everywhere
            known[had, has] = list(_effects_on_key(before, after, deployments, had, has))
        for place, changes in known[had, has]:
            for change in changes:
                found.setdefault(place, {}).setdefault(change, []).append(_label(number, other or one))
    return found


def _effects_on_key(
    before: Settings, after: Settings, deployments: Iterable[Pair], had: _Roles, has: _Roles
) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """What changes for a key that had some roles and has others; None: there is no such key."""
    for old, new in deployments:
        found = difference(
            None if had is None else reach(before, old, had), None if has is None else reach(after, new, has)
        )
        if found is not None:
            yield place_of(old, new), tuple(_changes(*found))


def _label(number: int, key: Key | None) -> str:
    """What an API key, whose value is a secret, is called by."""
    return (key.project if key is not None else "") or f"API key {number + 1}"
