"""A stand-in for Cognito on the loopback interface, with a stated latency, rate limit and faults.

It speaks the JSON protocol of the operations that a sync needs: ListUsers, ListUsersInGroup, ListGroups and
DescribeUserPool. Pages hold 60 items, tokens are opaque and bound to their list, the quota of users' lists is one
token bucket, and what exceeds it is refused as Cognito refuses it. It knows no signatures, but it does read the
clock in them. For the benchmark it runs as a process of its own:

    python -m tests.roles.stand_in --users 10000 --groups 500 --memberships 30000 --rate 30 --latency 0.06
"""

from __future__ import annotations

import argparse
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = 60
POOL = "eu-west-1_StandIn01"
CREATED = 1_700_000_000.5
QUOTA = ("ListUsers", "ListUsersInGroup")  # one quota in Cognito, for both


@dataclass
class Refusal(Exception):  # noqa: N818  # what the answer says, not what went wrong here
    """An answer that is an error, as Cognito puts it."""

    code: str
    status: int = 400


@dataclass
class Directory:
    """The people and groups. A person is (sub, username, email, name, enabled); members are places in `people`."""

    people: list[tuple[str, str, str, str, bool]] = field(default_factory=list)
    groups: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def invented(cls, users: int, groups: int = 0, memberships: int = 0, seed: int = 1) -> Directory:
        """So many people and groups; few groups are large and many small, as in organisations."""
        dice = random.Random(seed)  # noqa: S311
        people = [
            (f"{dice.getrandbits(128):032x}", f"user-{n:06}", f"user-{n:06}@example.com", f"Person {n:06}", True)
            for n in range(users)
        ]
        weights = [1 / (rank + 3) ** 0.8 for rank in range(groups)]
        sizes = [min(users, max(1, round(memberships * weight / sum(weights)))) for weight in weights]
        return cls(people, {f"group-{n:04}": dice.sample(range(users), size) for n, size in enumerate(sizes)})

    def needed(self) -> int:
        """The fewest calls that can read all of it."""
        lists = [len(self.people), len(self.groups), *map(len, self.groups.values())]
        return sum(max(1, -(-length // PAGE)) for length in lists)


@dataclass
class StandIn:
    """The service. `fault` sees each call (operation, how many there were before, arguments) and may raise a Refusal,
    or return an answer of its own, or "cut" to break the connection in the middle of an answer."""

    directory: Directory
    latency: float = 0.0  # seconds
    rate: float = 0.0  # calls of users' lists a second; 0 is no limit
    pool: str = POOL
    clock: Callable[[], float] = time.time
    fault: Callable[[str, int, dict[str, Any]], dict[str, Any] | str | None] = lambda operation, number, arguments: None
    calls: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    bucket: tuple[float, float] = (0.0, 0.0)  # calls left, at which time
    texts: tuple[int, int, list[str]] = (0, 0, [])  # of which list of people, how many, as JSON

    def answer(self, operation: str, arguments: dict[str, Any], signed_at: str) -> str:
        with self.lock:
            number = self.calls[operation]
            self.calls[operation] += 1
            if operation in QUOTA and not self._permitted():
                self.throttled += 1
                raise Refusal("TooManyRequestsException")
        if signed_at and abs(self.clock() - _when(signed_at)) > 300:
            raise Refusal("InvalidSignatureException")
        made = self.fault(operation, number, arguments)
        if made is not None:
            return made if isinstance(made, str) else json.dumps(made)
        if arguments["UserPoolId"] != self.pool:
            raise Refusal("ResourceNotFoundException")
        return self._operation(operation, arguments)

    def _permitted(self) -> bool:
        if not self.rate:
            return True
        now = time.monotonic()
        left, at = self.bucket if self.bucket[1] else (self.rate, now)
        left = min(self.rate, left + (now - at) * self.rate)
        self.bucket = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def _operation(self, operation: str, arguments: dict[str, Any]) -> str:
        if operation == "DescribeUserPool":
            return json.dumps({"UserPool": {"Id": self.pool, "EstimatedNumberOfUsers": len(self.directory.people)}})
        if operation == "ListGroups":
            names = list(self.directory.groups)
            start, end, token = _page(arguments, "NextToken", "groups", len(names))
            items = [{"GroupName": name, "UserPoolId": self.pool, "CreationDate": CREATED} for name in names[start:end]]
            return json.dumps({"Groups": items, **token})
        if operation == "ListUsersInGroup":
            name = arguments["GroupName"]
            if name not in self.directory.groups:
                raise Refusal("ResourceNotFoundException")
            members = self.directory.groups[name]
            start, end, token = _page(arguments, "NextToken", name, len(members))
            return self._users(members[start:end], token)
        if operation == "ListUsers":
            chosen = range(len(self.directory.people))
            if wanted := arguments.get("Filter"):
                sub = wanted.split('"')[1]
                return self._users([n for n in chosen if self.directory.people[n][0] == sub], {})
            start, end, token = _page(arguments, "PaginationToken", "users", len(chosen))
            return self._users(list(chosen[start:end]), token)
        raise Refusal("UnknownOperationException")

    def prepared(self) -> list[str]:
        """The people as JSON, made once: the benchmark shall not measure this."""
        people = self.directory.people
        if self.texts[:2] != (id(people), len(people)):
            self.texts = (id(people), len(people), [_text(person) for person in people])
        return self.texts[2]

    def _users(self, places: list[int], token: dict[str, str]) -> str:
        texts = self.prepared()
        rest = json.dumps(token)[1:-1]
        return '{"Users":[' + ",".join(texts[n] for n in places) + "]" + ("," + rest if rest else "") + "}"


def _page(arguments: dict[str, Any], key: str, name: str, length: int) -> tuple[int, int, dict[str, str]]:
    limit = arguments.get("Limit", PAGE)
    if not 0 <= limit <= PAGE:
        raise Refusal("InvalidParameterException")
    start = 0
    if token := arguments.get(key):
        where, _, place = bytes.fromhex(token).decode().rpartition("@")
        if where != name:
            raise Refusal("InvalidParameterException")
        start = int(place)
    end = start + (limit or PAGE)
    return start, end, {key: f"{name}@{end}".encode().hex()} if end < length else {}


def _text(person: tuple[str, str, str, str, bool]) -> str:
    sub, username, email, name, enabled = person
    attributes = {"sub": sub, "email": email, "email_verified": "true", "name": name}
    return json.dumps(
        {
            "Username": username,
            "Attributes": [{"Name": key, "Value": value} for key, value in attributes.items()],
            "UserCreateDate": CREATED,
            "UserLastModifiedDate": CREATED,
            "Enabled": enabled,
            "UserStatus": "CONFIRMED",
        }
    )


def _when(signed_at: str) -> float:
    return datetime.strptime(signed_at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    service: StandIn

    def do_POST(self) -> None:
        begun = time.monotonic()
        arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        try:
            text, status = self.service.answer(operation, arguments, self.headers.get("X-Amz-Date", "")), 200
        except Refusal as refusal:
            text, status = json.dumps({"__type": refusal.code, "message": "made up"}), refusal.status
        time.sleep(max(0.0, self.service.latency - (time.monotonic() - begun)))
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Date", formatdate(self.service.clock(), usegmt=True))
        if text == "cut":
            self.send_header("Content-Length", "4096")
            self.end_headers()
            self.wfile.write(b'{"Users":[{"Username"')
            self.close_connection = True
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """What was called so far, for the benchmark, which runs in another process."""
        body = json.dumps({"calls": self.service.calls, "throttled": self.service.throttled}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:  # a client that was killed says nothing
        pass


def server(service: StandIn, port: int = 0) -> Server:
    return Server(("127.0.0.1", port), type("Bound", (Handler,), {"service": service}))


@contextmanager
def serving(service: StandIn) -> Iterator[str]:
    """Serve in a thread of this process; the address."""
    made = server(service)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("users", "groups", "memberships"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--rate", type=float, default=30.0)
    parser.add_argument("--latency", type=float, default=0.06)
    options = parser.parse_args()
    directory = Directory.invented(options.users, options.groups, options.memberships)
    service = StandIn(directory, latency=options.latency, rate=options.rate)
    service.prepared()
    made = server(service)
    print(json.dumps({"port": made.server_address[1], "needed": directory.needed()}), flush=True)  # noqa: T201
    made.serve_forever()


if __name__ == "__main__":
    main()
