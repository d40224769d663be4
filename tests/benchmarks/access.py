"""Who reaches what, on 100,000 people: python -m tests.benchmarks.access [--users 10000] [--ten-times]

First the gate: on both profiles the answers of the index equal those of a plain evaluation, by digest. Then ratios,
each against a baseline that is measured in the same run on the same data: the same question in indexed SQL, in
django-guardian, in PostgreSQL's COPY. Each line is the best of some runs; more than 1 x is faster than the baseline
where it says faster, and more expensive where it says of.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.yardstick import ROOT, databases, environment, fill

RUNS = 5
ASKED, PEOPLE = 20, 100  # deployments and people that are asked about
GATE = 400  # people of the gate; each is evaluated on every deployment
LIMITS = ("minute", "day", "requestHour", "requestDay")


def best(work: Callable[[], Any], runs: int = RUNS) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def said(question: str, value: float, words: str, goal: str = "") -> None:
    """One line: the figure, what it is, and whether it reaches a goal such as `>= 5` or `<= 64`."""
    told = f"  {question:44} {value:8.2f} {words}"
    if goal:
        relation, number = goal.split()
        reached = value >= float(number) if relation == ">=" else value <= float(number)
        told += f"   (goal {goal}: {'ok' if reached else 'missed'})"
    print(told, flush=True)


def megabytes(pid: int | str = "self") -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


# --- in a process of its own, with Django on the database ---------------------------------------------


def child(part: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "dialadmin.settings"
    import django

    import tests.environment  # noqa: F401  # sets the rest of the environment

    django.setup()
    {"gate": gate, "questions": questions, "cold": cold, "samples": samples, "scale": scale}[part]()


def gate() -> None:
    """The index against the engine, person by person and deployment by deployment."""
    from deployments.access import rows, source
    from deployments.access.index import KINDS, Index, Population
    from deployments.core.access import is_allowed
    from deployments.core.limits import contributors, effective
    from deployments.core.load import WINDOWS

    index = source.current()
    drawn = sorted(random.Random(1).sample(range(index.people.count), min(GATE, index.people.count)))
    held = [index.people.roles_of(number) for number in drawn]
    holding = {
        role: sum(1 << at for at, some in enumerate(held) if role in some)
        for role in {r for some in held for r in some}
    }
    few = Index(index.settings, Population(range(len(drawn)), [index.people.names[n] for n in drawn], holding))
    fast = b"".join(block for block, _ in rows.everything(few, rows.CSV)).decode().splitlines()

    def plain() -> Iterator[str]:
        settings = index.settings
        subjects = [("user", index.people.names[n], roles) for n, roles in zip(drawn, held, strict=True)]
        subjects += [("key", label, frozenset(key.roles)) for label, key in few.keys]
        for kind, name, roles in subjects:
            for item in settings.deployments:
                if not is_allowed(item, roles):
                    continue
                limit = effective(settings, item, roles)
                enforced = item.section in settings.rules.enforced
                given = contributors(limit, settings, item) if enforced else {}
                numbers = limit.as_dict() if enforced else {}
                state = "denied" if enforced and limit.denied else "limited" if numbers else "unlimited"
                via = "|".join(sorted((item.user_roles or frozenset()) & roles))
                cells = [kind, name, KINDS[item.section], item.name]
                cells += ["open" if item.user_roles is None else "restricted", via]
                for window in WINDOWS:
                    cells += [str(numbers[window]), given[window][0]] if window in numbers else ["", ""]
                text = io.StringIO()
                csv.writer(text, lineterminator="").writerow([*cells, state])
                yield text.getvalue()

    one, other = (hashlib.sha256("\n".join(sorted(some)).encode()).hexdigest() for some in (fast, plain()))
    if one != other:
        raise SystemExit("The gate is shut: the index and the plain evaluation differ.")
    listed = sum(few.listed(item).bit_count() for item in few.deployments)
    people = sum(line.startswith("user") for line in fast)
    if listed != people:
        raise SystemExit("The gate is shut: the counts differ from the rows.")
    print(
        f"  gate: {len(fast):,} rows of {len(drawn)} people equal the plain evaluation, sha256 {one[:12]}", flush=True
    )


def cold() -> None:
    """Building the index of people against reading the memberships gathered per group, and its memory."""
    from django.db import connection

    from deployments.access import source

    def gathered() -> None:
        gather = "string_agg(user_id::text, ',')" if connection.vendor == "postgresql" else "group_concat(user_id)"
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT role_id, {gather} FROM roles_membership WHERE until IS NULL GROUP BY role_id"  # noqa: S608
            )
            cursor.fetchall()

    gathered()
    idle = megabytes()
    people = source.people_now()
    grown = megabytes() - idle
    baseline, built = best(gathered), best(source.people_now)
    said("building the index", built / baseline, "x of reading the memberships per group", "<= 2")
    said("memory of the index", grown, f"MB, {people.count:,} people", "<= 64")


def scale() -> None:
    """What grows with the number of people, as JSON: seconds of the CSV and of the counts, megabytes of the process."""
    from deployments.access import rows, source

    before = megabytes()
    index = source.current()
    counted = best(index.counts, 3)
    start = time.perf_counter()
    size = sum(len(block) for block, _ in rows.everything(index, rows.CSV))
    written = time.perf_counter() - start
    print(
        json.dumps(
            {
                "people": index.people.count,
                "csv": written,
                "counts": counted,
                "bytes": size,
                "memory": megabytes() - before,
            }
        )
    )


def questions() -> None:
    from django.db import connection

    from deployments.access import source
    from deployments.access.index import members

    index = source.current()
    people = index.people
    people.role_sets  # noqa: B018  # built once, with the index
    places = {(item.section, item.name): item for item in index.deployments}
    asked = [places[place] for place in map(tuple, json.loads(os.environ["YARDSTICK_ASKED"]))]
    persons = json.loads(os.environ["YARDSTICK_PERSONS"])
    numbers = [people.number_of[pk] for pk in persons]
    bare: dict[str, float] = json.loads(os.environ["YARDSTICK_GUARDIAN"])

    def sql(statement: str, *parameters: Any) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # so that the baseline has a plan that fits what is there
    able = "JOIN roles_user u ON u.id = m.user_id AND u.enabled AND u.gone_at IS NULL"
    of_deployment = f"""
        SELECT DISTINCT m.user_id FROM deployments_attachment a
        JOIN deployments_deployment d ON d.id = a.deployment_id
        JOIN roles_membership m ON m.role_id = a.role_id AND m.until IS NULL {able}
        WHERE d.name = %s AND d.access = 'restricted'"""  # noqa: S608
    for item in asked:
        wanted = {pk for (pk,) in sql(of_deployment, item.name)}
        assert {people.ids[n] for n in members(index.listed(item))} == wanted
    ids = people.ids
    fast = best(lambda: [[ids[n] for n in members(index.listed(item))] for item in asked])
    slow = best(lambda: [sql(of_deployment, item.name) for item in asked])
    said("all users of one deployment", slow / fast, "x faster than indexed SQL", ">= 5")
    if "users" in bare:
        said("", bare["users"] / fast, "x faster than guardian's get_users_with_perms", ">= 100")

    fast = best(lambda: [list(index.answers(people.roles_of(number))) for number in numbers])
    if "objects" in bare:
        said("one user explained", fast / bare["objects"], "x of guardian's bare get_objects_for_user", "<= 1")
    said("", fast / len(numbers) * 1000, "ms each")

    counted = f"""
        SELECT a.deployment_id, count(DISTINCT m.user_id) FROM deployments_attachment a
        JOIN roles_membership m ON m.role_id = a.role_id AND m.until IS NULL {able}
        GROUP BY a.deployment_id"""  # noqa: S608
    per_person = f"""
        SELECT m.user_id, count(DISTINCT a.deployment_id) FROM roles_membership m {able}
        JOIN deployments_attachment a ON a.role_id = m.role_id
        WHERE m.until IS NULL GROUP BY m.user_id"""  # noqa: S608
    assert sum(number for _, number in sql(counted)) == sum(
        index.listed(item).bit_count() for item in index.deployments if item.user_roles
    )
    engine = "PostgreSQL's" if connection.vendor == "postgresql" else "SQLite's"
    goals = (">= 50", ">= 10") if connection.vendor == "postgresql" else ("", "")
    slow, fast = best(lambda: sql(counted), 3), best(index.counts)
    said("people per deployment, all", slow / fast, f"x faster than {engine} count(distinct)", goals[0])
    slow, fast = best(lambda: sql(per_person), 3), best(index.reach_counts)
    said("deployments per person, all", slow / fast, f"x faster than {engine} count(distinct)", goals[1])


def samples() -> None:
    """What is asked about, for this process and for guardian's: printed as JSON."""
    from deployments.access import source
    from roles.models import Membership

    index = source.current()
    drawn = random.Random(2)
    restricted = [item for item in index.deployments if item.user_roles]
    Path(os.environ["YARDSTICK_SAMPLES"]).write_text(
        json.dumps(
            {
                "asked": [(item.section, item.name) for item in drawn.sample(restricted, ASKED)],
                "persons": drawn.sample(list(index.people.ids), PEOPLE),
                "listed": {item.name: sorted(item.user_roles) for item in restricted if item.user_roles},
                "people": list(index.people.ids),
                "members": list(Membership.objects.filter(until=None).values_list("role__name", "user_id")),
            }
        )
    )


# --- the whole matrix over HTTP -----------------------------------------------------------------------


@contextlib.contextmanager
def served(url: str) -> Iterator[tuple[str, int, str]]:
    """Gunicorn with one worker on the database: its address, the worker's process, and a session that may read."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "tests.benchmarks.serving:application", f"--bind=127.0.0.1:{port}"]
    command += ["--workers=1", "--timeout=600", "--log-level=error"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(url))
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(200):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/pid") as answer:
                yield address, int(answer.read()), ""
                return
            time.sleep(0.1)
        raise SystemExit("The server did not start.")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def matrix(url: str, engine: str, folder: str) -> None:
    path = Path(folder) / "matrix.csv"
    with served(url) as (address, pid, _):
        urllib.request.urlopen(f"{address}/warm").read()
        before = megabytes(pid)
        most = before
        times, firsts = [], []
        buffer = bytearray(1 << 20)
        for _ in range(3):
            start = time.perf_counter()
            size = 0
            with urllib.request.urlopen(f"{address}/matrix") as answer:
                first = answer.read(1)
                firsts.append(time.perf_counter() - start)
                size = len(first)
                while got := answer.readinto(buffer):  # a reader that costs next to nothing
                    size += got
                    most = max(most, megabytes(pid))
            times.append(time.perf_counter() - start)
        with urllib.request.urlopen(f"{address}/matrix") as answer, path.open("wb") as file:
            file.writelines(iter(lambda: answer.read(1 << 20), b""))
    body = path.read_bytes()
    took = min(times)

    def written() -> None:
        with (Path(folder) / "again.csv").open("wb") as file:
            for at in range(0, len(body), 1 << 18):
                file.write(body[at : at + (1 << 18)])

    floor = best(written, 3)
    lines = body.count(b"\n")
    print(f"  {'the whole matrix as CSV over HTTP':44} {lines:,} lines, {len(body) / 1e6:,.0f} MB", flush=True)
    said("", took / floor, "x of writing the same bytes to a file", "<= 12")
    said("", most - before, "MB of growth", "<= 32")
    said("", min(firsts) * 1000, "ms to the first byte", "<= 50")
    if engine == "postgresql":
        copied = copy(url, Path(folder) / "copy.csv")
        said("", copied / took, "x faster than PostgreSQL's COPY of the same rows", ">= 8")


def copy(url: str, path: Path) -> float:
    """The rows of people by COPY, with the limits resolved in SQL; seconds of one run.

    Kinder to PostgreSQL than the product is to itself: the role behind each number is left out.
    """
    import psycopg

    limits = ", ".join(
        f"max(coalesce((l.body::jsonb ->> '{window}')::bigint, 9223372036854775807)) AS \"{window}\""
        for window in LIMITS
    )
    windows = ", ".join(f'coalesce(x."{window}", f."{window}") AS "{window}"' for window in LIMITS)
    fallback = ", ".join(
        f"coalesce((l.body::jsonb ->> '{window}')::bigint, 9223372036854775807) AS \"{window}\"" for window in LIMITS
    )
    statement = f"""
        COPY (
          WITH able AS (SELECT id, username FROM roles_user WHERE enabled AND gone_at IS NULL),
          reach AS (
            SELECT m.user_id, a.deployment_id, string_agg(r.name, '|' ORDER BY r.name) AS via
            FROM roles_membership m JOIN deployments_attachment a ON a.role_id = m.role_id
            JOIN roles_role r ON r.id = m.role_id JOIN able ON able.id = m.user_id
            JOIN deployments_deployment d ON d.id = a.deployment_id AND d.access = 'restricted'
            WHERE m.until IS NULL GROUP BY 1, 2
            UNION ALL SELECT able.id, d.id, '' FROM able CROSS JOIN deployments_deployment d WHERE d.access = 'open'
          ),
          own AS (
            SELECT m.user_id, d.id AS deployment_id, {limits}
            FROM roles_membership m JOIN deployments_limit l ON l.role_id = m.role_id
            JOIN deployments_deployment d ON d.name = l.deployment_name AND d.kind = 'model'
            WHERE m.until IS NULL AND (d.access = 'open' OR EXISTS (
              SELECT 1 FROM deployments_attachment a WHERE a.deployment_id = d.id AND a.role_id = m.role_id))
            GROUP BY 1, 2
          ),
          fallback AS (
            SELECT d.id AS deployment_id, {fallback}
            FROM deployments_limit l JOIN roles_role r ON r.id = l.role_id AND r.name = 'default'
            JOIN deployments_deployment d ON d.name = l.deployment_name AND d.kind = 'model'
          )
          SELECT 'user', able.username, d.kind, d.name, d.access, reach.via, {windows}
          FROM reach JOIN able ON able.id = reach.user_id JOIN deployments_deployment d ON d.id = reach.deployment_id
          LEFT JOIN own x ON x.user_id = reach.user_id AND x.deployment_id = reach.deployment_id
          LEFT JOIN fallback f ON f.deployment_id = reach.deployment_id
        ) TO STDOUT WITH (FORMAT csv)"""  # noqa: S608
    with psycopg.connect(url) as connection, path.open("wb") as file:
        connection.execute("ANALYZE")
        start = time.perf_counter()
        with connection.cursor().copy(statement) as rows:
            for data in rows:
                file.write(data)
        return time.perf_counter() - start


# --- the parts together -------------------------------------------------------------------------------


def run(part: str, url: str, **variables: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.access", "--part", part],
        cwd=ROOT,
        env={**environment(url), **variables},
        check=True,
    )


def guardian(samples_at: Path, engine: str, url: str) -> dict[str, float]:
    """Seconds of guardian's two questions, or nothing where it is not installed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.guardian", str(samples_at), engine, url],
        cwd=ROOT, env=environment(url), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    if not found:
        print("  django-guardian is not installed: `make bench` installs it.", flush=True)
    return found


def ten_times(size: dict[str, int]) -> None:
    """The same questions with ten times the people."""
    found = []
    for times in (1, 10):
        with tempfile.TemporaryDirectory(prefix="yardstick-") as folder:
            url = f"sqlite:///{folder}/yardstick.sqlite3"
            fill(url, users=size["users"] * times, groups=size["groups"], deployments=size["deployments"])
            done = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.access", "--part", "scale"],
                cwd=ROOT, env=environment(url), stdout=subprocess.PIPE, text=True, check=True,
            )  # fmt: skip
            found.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"  {found[-1]}", flush=True)
    few, many = found
    said("the whole matrix as CSV", many["csv"] / few["csv"], "x of a tenth of the people", "<= 12")
    said("people per deployment, all", many["counts"] / few["counts"], "x of a tenth of the people", "<= 12")
    said("memory, index and CSV", many["memory"] / few["memory"], "x of a tenth of the people", "<= 8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--groups", type=int, default=500)
    parser.add_argument("--deployments", type=int, default=1_000)
    parser.add_argument("--ten-times", action="store_true", help="only compare with ten times the people")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        child(options.part)
        return
    size = {"users": options.users, "groups": options.groups, "deployments": options.deployments}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that databases are taken down
    print(f"access: {options.users:,} people, {options.groups} groups, {options.deployments:,} deployments")
    if options.ten_times:
        ten_times(size)
        return
    with databases() as found:
        print("profile clustered, sqlite", flush=True)
        clustered = f"{found['sqlite']}-clustered"
        fill(clustered, **size, profile="clustered")
        run("gate", clustered)
        for engine, url in found.items():
            print(f"profile independent, {engine}", flush=True)
            fill(url, **size)
            run("gate", url)
            run("cold", url)
            with tempfile.TemporaryDirectory() as folder:
                at = Path(folder) / "samples.json"
                run("samples", url, YARDSTICK_SAMPLES=str(at))
                drawn = json.loads(at.read_text())
                run(
                    "questions",
                    url,
                    YARDSTICK_ASKED=json.dumps(drawn["asked"]),
                    YARDSTICK_PERSONS=json.dumps(drawn["persons"]),
                    YARDSTICK_GUARDIAN=json.dumps(guardian(at, engine, url)),
                )
                matrix(url, engine, folder)


if __name__ == "__main__":
    main()
