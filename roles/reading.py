"""Reading a whole pool: which pages are asked for, in which order, how fast, and what follows when one fails.

Nothing here knows how a call is made (`roles/cognito.py` does). The fewest calls that the API allows are made: each
page once, with 60 items. Several lists are read at the same time, since Cognito hands out the pages of one list
only one after the other; all of them draw on one quota.

A list ends where Cognito sends no further token, and nowhere else: a page may be short, even empty. A failed call
is made again after a pause, by itself: what was read stays read, within the run. A call that fails for good, a
token that comes twice and an answer without its list fail the whole reading, and nothing of it is kept, so that
half a pool is never taken for a pool. A group that disappears between two calls is the one exception.
"""

from __future__ import annotations

import heapq
import random
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

PAGE = 60  # the largest page that Cognito gives
ATTEMPTS = 8  # of one call, the first included
WORKERS = 16  # calls under way at the same time: enough for 30 a second that take half a second each
PAUSE, LONGEST_PAUSE = 0.5, 20.0  # seconds before a second attempt, doubled each time, up to
LOOK_UP = 1.0  # seconds after which the reader looks up from waiting, to tell progress and to be told to stop
GROUPS_SHARE = 1 / 6  # ListGroups has a quota of its own: 5 calls a second, where lists of users have 30
EMAIL_LENGTH, NAME_LENGTH = 320, 255  # what the tables hold; an attribute of Cognito may have 2048 characters


class CognitoError(Exception):
    """The pool could not be read. The text is for people: what happened and what to do."""


class ThrottledError(CognitoError):
    """Cognito asks to slow down."""


class PassingError(CognitoError):
    """Trouble that may be over at the next attempt: no connection, no answer, an error of Cognito's own."""


class MissingError(CognitoError):
    """What was asked for is not there: the group, or the pool."""


@dataclass(frozen=True)
class RemoteGroup:
    """A group of the pool. `created_at` tells a group that was made again under an old name."""

    name: str
    description: str = ""
    precedence: int | None = None
    created_at: datetime | None = None


class RemoteUser(NamedTuple):
    """A user of the pool; `sub` never changes, everything else may."""

    sub: str
    username: str
    email: str = ""
    name: str = ""
    enabled: bool = True
    status: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class Pool:
    """A complete reading: groups by name, users by sub, and the subs of each group's members."""

    groups: dict[str, RemoteGroup] = field(default_factory=dict)
    users: dict[str, RemoteUser] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass
class Reading:
    """How far a reading has come. What is known from elsewhere: how many calls an earlier one took, how many people
    the pool is said to have; None where nothing is."""

    earlier_calls: int | None = None
    expected_users: int | None = None
    calls: int = 0  # answered, refusals included
    throttled: int = 0
    repeated: int = 0  # after trouble other than throttling
    users: int = 0  # as listed, and known only as members
    users_read: bool = False  # to the end
    groups: int = 0
    groups_read: int = 0
    memberships: int = 0
    member_pages: int = 0
    rate: float = 0.0  # calls a second that are permitted at the moment
    trouble: str = ""  # what is waited out at the moment, for people

    @property
    def expected_calls(self) -> int | None:
        """How many calls the whole will take, as far as can be told; None while nothing is known."""
        people = self.users if self.users_read else max(self.expected_users or 0, self.users)
        if self.earlier_calls is None and not people:
            return None
        of_groups = self.member_pages + self.groups - self.groups_read  # at least one more of each that is not done
        least = _pages(people) + _pages(self.groups) + of_groups
        return self.throttled + self.repeated + max(self.earlier_calls or 0, least)

    @property
    def seconds_left(self) -> int | None:
        expected = self.expected_calls
        return None if expected is None or not self.rate else max(0, round((expected - self.calls) / self.rate))


Progress = Callable[[Reading], None]  # after each page, and at least once a second; what it raises ends the reading
# (operation, arguments) -> the answer. Raises CognitoError or one of its kinds above.
Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def _pages(items: int) -> int:
    return max(1, -(-items // PAGE))


class Pace:
    """A token bucket that adapts: half the rate when Cognito throttles, back to the whole within some ten seconds."""

    def __init__(self, ceiling: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.ceiling = self.rate = max(ceiling, 0.1)
        self._clock = clock
        self._burst = max(1.0, self.ceiling / 4)
        self._left, self._at, self._slowed_at = self._burst, clock(), float("-inf")

    def wait(self) -> float:
        """Seconds until the next call may be made; 0 when it may be made now."""
        now = self._clock()
        elapsed, self._at = now - self._at, now
        self.rate = min(self.ceiling, self.rate + self.ceiling * elapsed / 20)
        self._left = min(self._burst, self._left + elapsed * self.rate)
        return max(0.0, (1 - self._left) / self.rate)

    def spend(self) -> None:
        self._left -= 1

    def slow_down(self) -> None:
        """Cognito throttled. Calls that were under way together are throttled together: once a second is enough."""
        now = self._clock()
        if now - self._slowed_at >= 1:
            self._slowed_at = now
            self.rate = max(self.rate / 2, self.ceiling / 30)
            self._left = min(self._left, 0.0)


@dataclass
class _List:
    """One list on its way: the page that is to be asked for next, and who takes the items."""

    operation: str
    arguments: dict[str, Any]
    items: str
    token: str
    take: Callable[[list[dict[str, Any]]], None]
    ended: Callable[[], None] = lambda: None
    missing: Callable[[MissingError], None] | None = None  # called instead of failing when it is not there
    seen: set[str] = field(default_factory=set)
    failures: int = 0  # of the page that is asked for


Done = tuple[_List, dict[str, Any] | Exception]


class _Reader:
    """One reading. Everything but the calls themselves happens in the thread that made it."""

    def __init__(self, call: Call, pool_id: str, pace: float, progress: Progress, reading: Reading) -> None:
        self.call, self.pool_id, self.progress, self.reading = call, pool_id, progress, reading
        self.pace, self.pace_of_groups = Pace(pace), Pace(max(1.0, pace * GROUPS_SHARE))
        self.pool = Pool()
        self.subs: dict[str, set[str]] = {}
        self.ready: list[tuple[int, int, _List]] = []  # heap
        self.ready_groups: list[tuple[int, int, _List]] = []
        self.paused: list[tuple[float, int, _List]] = []  # heap by when to go on
        self.under_way = 0
        self.order = count()
        self.done: SimpleQueue[Done] = SimpleQueue()

    def read(self) -> Pool:
        self._queue(self._list("ListGroups", "Groups", "NextToken", self._take_groups))
        self._queue(self._list("ListUsers", "Users", "PaginationToken", self._take_users, ended=self._users_ended))
        self._run()
        return Pool(self.pool.groups, self.pool.users, {name: frozenset(subs) for name, subs in self.subs.items()})

    def look_up(self, subs: Iterable[str]) -> set[str]:
        found: set[str] = set()

        def take(items: list[dict[str, Any]]) -> None:
            found.update(map(_sub, items))

        for sub in subs:
            quoted = sub.replace("\\", "\\\\").replace('"', '\\"')
            arguments = {"Filter": f'sub = "{quoted}"', "Limit": 1}
            self._queue(self._list("ListUsers", "Users", "PaginationToken", take, arguments=arguments))
        self._run()
        return found

    # --- calls ---

    def _run(self) -> None:
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="cognito") as executor:
            try:
                while self.under_way or self.ready or self.ready_groups or self.paused:
                    self._receive(self._send(executor))
            except BaseException:
                executor.shutdown(cancel_futures=True)  # what is under way ends by itself, within its own limits
                raise

    def _list(self, operation: str, items: str, token: str, take: Any, **more: Any) -> _List:
        arguments = {"UserPoolId": self.pool_id, "Limit": PAGE, **more.pop("arguments", {})}
        return _List(operation, arguments, items, token, take, **more)

    def _queue(self, listed: _List) -> None:
        """Ready to be asked for. The list of users goes first: it is one long chain, and would end last."""
        queue = self.ready_groups if listed.operation == "ListGroups" else self.ready
        heapq.heappush(queue, (listed.operation != "ListUsers", next(self.order), listed))

    def _send(self, executor: ThreadPoolExecutor) -> float:
        """Send what may be sent now; how many seconds to wait for an answer before the next look."""
        now = time.monotonic()
        while self.paused and self.paused[0][0] <= now:
            self._queue(heapq.heappop(self.paused)[2])
        wait = min(LOOK_UP, self.paused[0][0] - now) if self.paused else LOOK_UP
        for queue, pace in ((self.ready_groups, self.pace_of_groups), (self.ready, self.pace)):
            while queue and self.under_way < WORKERS:
                if pause := pace.wait():
                    wait = min(wait, pause)
                    break
                pace.spend()
                self.under_way += 1
                executor.submit(self._make, heapq.heappop(queue)[2])
        self.reading.rate = self.pace.rate
        return wait

    def _make(self, listed: _List) -> None:
        try:
            self.done.put((listed, self.call(listed.operation, listed.arguments)))
        except Exception as error:  # noqa: BLE001  # judged by the thread that waits for it
            self.done.put((listed, error))

    def _receive(self, wait: float) -> None:
        try:
            listed, answer = self.done.get(timeout=max(wait, 0.0005))
        except Empty:
            self.progress(self.reading)
            return
        self.under_way -= 1
        self.reading.calls += 1
        if isinstance(answer, Exception):
            self._failed(listed, answer)
        else:
            listed.failures = 0
            self.reading.trouble = ""
            self._page(listed, answer)
        self.progress(self.reading)

    def _failed(self, listed: _List, error: Exception) -> None:
        if isinstance(error, MissingError) and listed.missing is not None:
            listed.missing(error)
            return
        listed.failures += 1
        if not isinstance(error, ThrottledError | PassingError) or listed.failures >= ATTEMPTS:
            raise error
        if isinstance(error, ThrottledError):
            self.reading.throttled += 1
            (self.pace_of_groups if listed.operation == "ListGroups" else self.pace).slow_down()
        else:
            self.reading.repeated += 1
        self.reading.trouble = str(error).partition(". ")[0] + "."
        pause = min(LONGEST_PAUSE, PAUSE * 2 ** (listed.failures - 1)) * random.uniform(0.5, 1)  # noqa: S311
        heapq.heappush(self.paused, (time.monotonic() + pause, next(self.order), listed))

    def _page(self, listed: _List, answer: dict[str, Any]) -> None:
        items = answer.get(listed.items)
        if not isinstance(items, list):
            raise CognitoError(
                f"Cognito's answer to {listed.operation} lacks {listed.items}. Is it Cognito that answers at "
                "COGNITO_ENDPOINT_URL? Sync again later."
            )
        listed.take(items)
        following = answer.get(listed.token)
        if not following:
            listed.ended()
        elif following in listed.seen:
            raise CognitoError("Cognito sent a page twice, so the list cannot be complete. Sync again in a minute.")
        else:
            listed.seen.add(following)
            listed.arguments = {**listed.arguments, listed.token: following}
            self._queue(listed)

    # --- what comes back ---

    def _take_groups(self, items: list[dict[str, Any]]) -> None:
        for group in map(_group, items):
            if group.name not in self.pool.groups:
                self._begin_members(group.name)
            self.pool.groups[group.name] = group
        self.reading.groups = len(self.pool.groups)

    def _begin_members(self, name: str) -> None:
        subs = self.subs[name] = set()

        def take(items: list[dict[str, Any]]) -> None:
            self._take_members(subs, items)

        def ended() -> None:
            self.reading.groups_read += 1

        def missing(error: MissingError) -> None:
            # Deleted between two calls; unless the whole pool was, and then this call fails the reading.
            self.reading.memberships -= len(subs)
            del self.pool.groups[name], self.subs[name]
            self.reading.groups = len(self.pool.groups)
            self._queue(self._list("ListGroups", "Groups", "", lambda items: None, arguments={"Limit": 1}))

        arguments = {"GroupName": name}
        self._queue(
            self._list(
                "ListUsersInGroup", "Users", "NextToken", take, ended=ended, missing=missing, arguments=arguments
            )
        )

    def _take_users(self, items: list[dict[str, Any]]) -> None:
        for user in map(_user, items):
            self.pool.users[user.sub] = user
        self.reading.users = len(self.pool.users)

    def _users_ended(self) -> None:
        self.reading.users_read = True

    def _take_members(self, subs: set[str], items: list[dict[str, Any]]) -> None:
        """Members by sub alone; somebody whom ListUsers lacks, being eventually consistent, is there all the same."""
        users = self.pool.users
        before = len(subs)
        for item in items:
            sub = _sub(item)
            if sub not in users:
                users[sub] = _user(item)
            subs.add(sub)
        self.reading.users = len(users)
        self.reading.memberships += len(subs) - before
        self.reading.member_pages += 1


def read(
    call: Call, pool_id: str, *, pace: float, progress: Progress = lambda reading: None, reading: Reading | None = None
) -> Pool:
    """The whole pool, at no more than `pace` calls a second, or CognitoError and nothing."""
    return _Reader(call, pool_id, pace, progress, reading or Reading()).read()


def still_there(call: Call, pool_id: str, subs: Iterable[str], *, pace: float, progress: Progress) -> set[str]:
    """Which of these people the pool has, asked for one by one. For a few: it is a call each."""
    return _Reader(call, pool_id, pace, progress, Reading()).look_up(subs)


def _group(item: dict[str, Any]) -> RemoteGroup:
    return RemoteGroup(
        name=_given(item, "GroupName"),
        description=item.get("Description", ""),
        precedence=item.get("Precedence"),
        created_at=_moment(item.get("CreationDate")),
    )


def _user(item: dict[str, Any]) -> RemoteUser:
    attributes = {pair["Name"]: pair.get("Value", "") for pair in item.get("Attributes", [])}
    name = attributes.get("name")
    if not name:
        name = " ".join(part for part in (attributes.get("given_name"), attributes.get("family_name")) if part)
    return RemoteUser(
        sys.intern(_given(attributes, "sub")),
        _given(item, "Username"),
        attributes.get("email", "")[:EMAIL_LENGTH],
        name[:NAME_LENGTH],
        item.get("Enabled", True),
        item.get("UserStatus", ""),
        _moment(item.get("UserCreateDate")),
    )


def _sub(item: dict[str, Any]) -> str:
    for pair in item.get("Attributes", []):
        if pair["Name"] == "sub":
            return sys.intern(str(pair["Value"]))  # a text for each person, not one for each membership
    return _given({}, "sub")


def _moment(value: datetime | float | None) -> datetime | None:
    """Cognito writes a moment as seconds since 1970."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value


def _given(item: dict[str, Any], key: str) -> str:
    """A value by which rows are told apart. Without it the answer is no basis for changing anything."""
    value = item.get(key)
    if not value:
        raise CognitoError(
            f"Cognito's answer lacks {key}. Is it Cognito that answers at COGNITO_ENDPOINT_URL? Sync again later."
        )
    return str(value)
