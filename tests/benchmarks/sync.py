"""A sync at scale, against a stand-in for Cognito: python -m tests.benchmarks.sync [--users 100000] [--rate 30]

The stand-in runs in a process of its own, with a stated latency and quota, and so does each sync. What is printed:

- calls made / calls needed, and the wall time of the reading / (calls needed / quota);
- the work of our own: what the sync takes besides the reading, and what the search's index takes after it, in time of
  the processor, as shares of that time (at a faster quota than Cognito's these shares are larger);
- writing the rows for the first time, against bulk_create of the same rows;
- a second sync of the unchanged pool: what it writes;
- the peak memory of each.

`--rate 30` is Cognito's quota; 100,000 people take some four minutes each of two times. At a higher rate the latency
is scaled down with it, so that the shape stays the same and only our own work weighs more. The database is SQLite in
a temporary file, or the one of --database, whose tables are emptied.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
QUOTA, LATENCY = 30.0, 0.06  # Cognito's calls a second, and seconds that each takes
MEMBERSHIPS_EACH, GROUPS = 3, 500


@contextmanager
def stand_in(users: int, rate: float) -> Iterator[dict[str, Any]]:
    """A stand-in of so many people; its port and how many calls can read it."""
    options = {"users": users, "groups": GROUPS, "memberships": users * MEMBERSHIPS_EACH, "rate": rate}
    command = [sys.executable, "-m", "tests.roles.stand_in", f"--latency={LATENCY * QUOTA / rate}"]
    command += [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def called(port: int) -> dict[str, Any]:
    """What the stand-in was asked for so far: {"calls": {operation: count}, "throttled": count}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def measured(part: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run one part in a process of its own; what it printed."""
    command = [sys.executable, "-m", "tests.benchmarks.sync", "--part", part]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class Cost(NamedTuple):
    """What something took, in seconds: by the clock, and of the processor, which other programs do not lengthen."""

    wall: float = 0.0
    processor: float = 0.0

    @classmethod
    def until_now(cls) -> Cost:
        return cls(time.perf_counter(), time.process_time())

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.processor - other.processor)

    def __add__(self, other: Cost) -> Cost:  # type: ignore[override]
        return Cost(self.wall + other.wall, self.processor + other.processor)


def sync_part() -> dict[str, Any]:
    """One sync in this process, with what it cost."""
    from django.db import connection

    from dialadmin.history.recorder import Actor
    from dialadmin.search import index
    from roles import cognito
    from roles.sync import run_sync

    reading = indexing = Cost()  # the index of the search follows after the commit: said apart
    refresh = index.refresh

    def measured_refresh(*arguments: Any) -> int:
        nonlocal indexing
        before = Cost.until_now()
        found = refresh(*arguments)
        indexing = indexing + (Cost.until_now() - before)
        return found

    index.refresh = measured_refresh  # type: ignore[assignment]

    def read(*arguments: Any, **named: Any) -> Any:
        nonlocal reading
        before = Cost.until_now()
        pool = cognito.read_pool(*arguments, **named)
        reading = Cost.until_now() - before
        return pool

    connection.force_debug_cursor = True
    before = Cost.until_now()
    run = run_sync(by=Actor.command("benchmark"), read=read)
    whole = Cost.until_now() - before
    own = whole - reading - indexing
    statements = [query["sql"] or "" for query in connection.queries]
    writing = [
        text for text in statements if re.search(r"(INSERT INTO|UPDATE|COPY) \"?(roles_(?!syncrun)|history)", text)
    ]
    return {
        "state": run.state,
        "error": run.error,
        "counts": run.counts,
        "wall": whole.wall - indexing.wall,
        "own": own._asdict(),
        "indexing": indexing._asdict(),
        "reading": reading._asdict(),
        "writing": len(writing),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def writing_part() -> dict[str, Any]:
    """The rows of the mirror, as they lie there, written again into empty tables: our way and by bulk_create."""
    from django.db import connection, transaction

    from roles.mirror import insert
    from roles.models import Membership, User

    people = [
        (row.pk, row.sub, row.username, row.email, row.name, row.enabled, row.status, row.pool_created_at)
        for row in User.objects.all()
    ]
    held = list(Membership.objects.values_list("role_id", "user_id", "since"))
    columns = ("sub", "username", "email", "name", "enabled", "status", "pool_created_at")

    def emptied() -> None:
        Membership.objects.all()._raw_delete(connection.alias)
        from roles.models import Absence

        Absence.objects.all()._raw_delete(connection.alias)
        User.objects.all()._raw_delete(connection.alias)

    def timed(write_people: Any, write_held: Any) -> tuple[float, float]:
        with transaction.atomic():
            emptied()
        with transaction.atomic():
            begun = time.perf_counter()
            write_people()
            middle = time.perf_counter()
            ids = dict(User.objects.values_list("sub", "pk"))
            again = [(role, ids[subs[user]], since) for role, user, since in held]
            resumed = time.perf_counter()
            write_held(again)
            return middle - begun, time.perf_counter() - resumed

    subs = {pk: sub for pk, sub, *_ in people}

    def plainly() -> tuple[float, float]:
        return timed(
            lambda: User.objects.bulk_create(
                [User(**dict(zip(columns, row, strict=True))) for _, *row in people], batch_size=500
            ),
            lambda again: Membership.objects.bulk_create(
                [Membership(role_id=role, user_id=user, since=since) for role, user, since in again], batch_size=500
            ),
        )

    def quickly() -> tuple[float, float]:
        return timed(
            lambda: insert(User, columns, [row for _, *row in people]),
            lambda again: insert(Membership, ("role_id", "user_id", "since"), again),
        )

    rounds = [(plainly(), quickly()) for _ in range(2)]  # by turns, and the best of each: other programs run too
    plain = [min(one[n] for one, _ in rounds) for n in range(2)]
    ours = [min(other[n] for _, other in rounds) for n in range(2)]
    return {
        "bulk_create": sum(plain),
        "ours": sum(ours),
        "of_people": plain[0] / ours[0],
        "of_memberships": plain[1] / ours[1],
    }


def benchmark(users: int, rate: float, environment: dict[str, str]) -> None:
    with stand_in(users, rate) as service:
        port, needed = service["port"], service["needed"]
        environment = {
            **environment,
            "COGNITO_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "COGNITO_USER_POOL_ID": "eu-west-1_StandIn01",
            "COGNITO_CALLS_PER_SECOND": str(rate),
        }
        bound = needed / rate
        print(f"{users:,} people, {GROUPS} groups, about {users * MEMBERSHIPS_EACH:,} memberships")
        latency = LATENCY * QUOTA / rate
        print(f"  {needed:,} calls needed; at {rate:g} a second {bound:.0f} s; latency {latency * 1000:.0f} ms")
        for name in ("first", "again"):
            before = called(port)
            found = measured("sync", environment)
            after = called(port)
            assert found["state"] in ("applied", "unchanged"), found
            calls = sum(after["calls"].values()) - sum(before["calls"].values())
            throttled = after["throttled"] - before["throttled"]
            wall = found["wall"]
            print(f"  {name}: {found['state']}, {found['counts']['memberships']:,} memberships")
            print(f"    calls made / needed       {calls / needed:8.3f} x  ({throttled} throttled)")
            print(f"    wall / (needed / rate)    {wall / bound:8.3f} x  ({wall:.1f} s)")
            for label, what in (("work besides the reading", "own"), ("search index, afterwards", "indexing")):
                cost = Cost(**found[what])
                print(f"    {label}  {cost.processor / bound:8.1%}    ", end="")
                print(f"({cost.processor:.2f} s; {cost.wall:.2f} s by the clock)")
            each = found["reading"]["processor"] / calls
            print(f"    processor, for a page     {each * 1000:8.1f} ms")
            print(f"    statements that write     {found['writing']:8,}    (besides the run's own row)")
            print(f"    peak memory               {found['memory']:8,} MB")
        written = measured("writing", environment)
        faster = written["bulk_create"] / written["ours"]
        print(f"  writing: bulk_create / ours {faster:7.1f} x  ({written['ours']:.2f} s)")
        print(f"    people {written['of_people']:.1f} x, memberships {written['of_memberships']:.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, action="append", help="default: 10000 and 100000")
    parser.add_argument("--rate", type=float, default=120.0, help="calls a second; Cognito's is 30 (default: 120)")
    parser.add_argument("--database", help="another database than a temporary SQLite file; its tables are emptied")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        import django

        django.setup()
        print(json.dumps(sync_part() if options.part == "sync" else writing_part()))
        return
    import tests.environment  # noqa: F401  # what the parts inherit

    os.environ["DJANGO_SETTINGS_MODULE"] = "dialadmin.settings"
    for users in options.users or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as directory:
            kept = {"DATABASE_URL": options.database or f"sqlite:///{directory}/benchmark.sqlite3"}
            environment = {**os.environ, **kept}
            for command in ("migrate", "flush") if options.database else ("migrate",):
                subprocess.run(
                    [sys.executable, "manage.py", command, "--no-input", "--verbosity=0"],
                    cwd=ROOT, env=environment, check=True,
                )  # fmt: skip
            benchmark(users, options.rate, environment)


if __name__ == "__main__":
    main()
