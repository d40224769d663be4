"""A synthetic organisation of any size, for measurements: the same seed gives the same pool and settings. Pure.

Two profiles. *independent*: each person draws their groups alone, so that nearly everyone has a set of their own,
the worst case for whatever shares work between people. *clustered*: people take one of some bundles, as job titles
do, and a quarter of them one group more.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any

from roles.reading import Pool, RemoteGroup, RemoteUser

TEAMS = ("sales", "people", "legal", "finance", "research", "support", "plants", "security", "data", "design")
SHARES = (("models", 0.6), ("applications", 0.25), ("addons", 0.1), ("assistants", 0.05))
OPEN, CLOSED, DISABLED, GROUPLESS = 0.05, 0.02, 0.03, 0.02
BUNDLES, WITH_MORE = 2_000, 0.25
GROUPS_EACH = 6  # on average
LIMITS_EACH, LIMITS_DEFAULT, LIMITS_OF_ZERO = 20, 200, 0.02
API_KEYS = 200


@dataclass(frozen=True)
class Organisation:
    """The pool, and the settings of Core for it."""

    pool: Pool
    settings: dict[str, Any]


class _Popularity:
    """Draws places of 0 … n-1, the first far more often than the last, as it is with groups."""

    def __init__(self, size: int, draw: Random) -> None:
        self.weights = list(accumulate(1 / (place + 3.7) ** 0.9 for place in range(size)))
        self.draw = draw

    def some(self, number: int) -> list[int]:
        found: set[int] = set()
        while len(found) < min(number, len(self.weights)):
            found.add(bisect(self.weights, self.draw.random() * self.weights[-1]))
        return sorted(found)


def organisation(*, users: int, groups: int, deployments: int, seed: int, profile: str = "independent") -> Organisation:
    """`users`, `groups` and `deployments` are numbers of each; `profile` is independent or clustered.

    Parts draw from streams of their own: another number of users leaves the settings as they are.
    """
    names = [f"{TEAMS[place % len(TEAMS)]}-{place:03}" for place in range(groups)]
    return Organisation(_pool(names, users, profile, seed), _settings(names, deployments, seed))


def _random(seed: int, part: str) -> Random:
    return Random(f"{seed} {part}")  # noqa: S311  # the same numbers each time are the point


def _pool(names: Sequence[str], users: int, profile: str, seed: int) -> Pool:
    people: dict[str, RemoteUser] = {}
    members: list[list[str]] = [[] for _ in names]
    draw = _random(seed, "identities")
    for number, places in enumerate(_groups_of_people(len(names), users, profile, seed)):
        sub = (
            f"{draw.getrandbits(32):08x}-{number >> 16:04x}-4{number >> 4 & 0xFFF:03x}-8000-{draw.getrandbits(48):012x}"
        )
        name = f"person{number:06}"
        email = f"{name}@example.com"
        people[sub] = RemoteUser(sub, name, email, f"Person {number}", draw.random() >= DISABLED, "CONFIRMED")
        for place in places:
            members[place].append(sub)
    return Pool(
        {name: RemoteGroup(name, f"The group {name}", place) for place, name in enumerate(names)},
        people,
        {name: frozenset(some) for name, some in zip(names, members, strict=True)},
    )


def _groups_of_people(groups: int, users: int, profile: str, seed: int) -> Iterator[list[int]]:
    draw = _random(seed, profile)
    popularity = _Popularity(groups, draw)
    if profile == "independent":
        for _ in range(users):
            yield [] if draw.random() < GROUPLESS else popularity.some(_about(draw, GROUPS_EACH))
        return
    bundles = [popularity.some(_about(draw, GROUPS_EACH)) for _ in range(BUNDLES)]
    favourites = _Popularity(len(bundles), draw)
    for _ in range(users):
        if draw.random() < GROUPLESS:
            yield []
            continue
        (bundle,) = favourites.some(1)
        more = [draw.randrange(groups)] if draw.random() < WITH_MORE else []
        yield sorted({*bundles[bundle], *more})


def _about(draw: Random, mean: int) -> int:
    """A number of 1 or more around the mean, at most four times it."""
    chances = 4 * mean - 1
    return 1 + sum(draw.random() < (mean - 1) / chances for _ in range(chances))


def _settings(names: Sequence[str], deployments: int, seed: int) -> dict[str, Any]:
    draw = _random(seed, "settings")
    states = ["open"] * round(deployments * OPEN) + ["closed"] * round(deployments * CLOSED)
    states += ["restricted"] * (deployments - len(states))
    draw.shuffle(states)
    sections: dict[str, dict[str, Any]] = {section: {} for section, _ in SHARES}
    bounds = list(accumulate(share for _, share in SHARES))
    near: dict[str, list[str]] = {name: [] for name in names}
    everything: list[str] = []
    open_to_all: list[str] = []
    for number, state in enumerate(states):
        section = SHARES[min(bisect(bounds, (number + 0.5) / deployments), len(SHARES) - 1)][0]
        name = f"{section[:-1]}-{number:04}"
        body = _body(section, number, name)
        if state != "open":
            listed = draw.sample(names, min(len(names), draw.randint(1, 8))) if state == "restricted" else []
            body["userRoles"] = sorted(listed)
            for role in listed:
                near[role].append(name)
        else:
            open_to_all.append(name)
        sections[section][name] = body
        everything.append(name)
    roles = {name: {"limits": _limits(draw, near[name] + open_to_all, everything)} for name in names}
    roles["default"] = {"limits": {name: _limit(draw) for name in _sample(draw, everything, LIMITS_DEFAULT)}}
    return {
        "routes": {},
        "addons": sections["addons"],
        "assistant": {"assistants": sections["assistants"]},
        "applications": sections["applications"],
        "models": sections["models"],
        "keys": {
            f"synthetic-key-{number:04}": {
                "project": f"project-{number:04}",
                "roles": sorted(_sample(draw, names, draw.randint(1, 4))),
            }
            for number in range(API_KEYS)
        },
        "roles": roles,
    }


def _body(section: str, number: int, name: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "displayName": f"{section[:-1].title()} {number}",
        "description": f"{section[:-1].title()} {number} of an organisation that is made up to measure with.",
        "forwardAuthToken": number % 2 == 0,
        "inputAttachmentTypes": ["image/png", "application/pdf"] if number % 2 else [],
        "features": {"systemPromptSupported": True, "toolsSupported": number % 3 > 0},
    }
    if section == "models":
        body |= {
            "type": "embedding" if number % 10 == 0 else "chat",
            "endpoint": f"http://adapter-{number % 11}.example/{name}/chat/completions",
            "pricing": {"unit": "token", "prompt": "0.0000025", "completion": "0.00001"},
            "upstreams": [
                {
                    "endpoint": f"http://upstream-{number % 37}.example/{name}/{copy}",
                    "key": f"upstream-key-{number % 37}",
                }
                for copy in range(1 + number % 3)
            ],
        }
    elif section == "assistants":
        body |= {"prompt": f"You are helper number {number}.", "addons": []}
    else:
        body["endpoint"] = f"http://service-{number % 11}.example/{name}"
    return body


def _limits(draw: Random, near: Sequence[str], everything: Sequence[str]) -> dict[str, Any]:
    """Mostly on what the role reaches, some on what it does not, as files have it."""
    number = draw.randint(LIMITS_EACH - 5, LIMITS_EACH + 5)
    chosen = set(_sample(draw, near, round(number * 0.8)))
    chosen.update(_sample(draw, everything, number - len(chosen)))
    return {name: _limit(draw) for name in sorted(chosen)}


def _limit(draw: Random) -> dict[str, int]:
    limit = {}
    if draw.random() < 0.9:
        limit["minute"] = draw.choice((1_000, 5_000, 20_000, 100_000, 500_000))
    if draw.random() < 0.7:
        limit["day"] = draw.choice((50_000, 250_000, 1_000_000, 10_000_000))
    if draw.random() < 0.25:
        limit["requestHour"] = draw.choice((20, 60, 200, 1_000))
    if draw.random() < 0.25:
        limit["requestDay"] = draw.choice((100, 500, 2_000, 10_000))
    if draw.random() < LIMITS_OF_ZERO:
        limit["minute"] = 0
    return limit


def _sample(draw: Random, values: Sequence[str], number: int) -> list[str]:
    return draw.sample(values, min(len(values), max(number, 0)))
