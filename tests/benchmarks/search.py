"""How long the search takes at 100,000 people: python -m tests.benchmarks.search

On the database of DATABASE_URL, in a test database of its own. Each line is the best of some runs, the slowest query
last; the ratio is to what a page without an index would do, `icontains` over four columns of the users.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

PEOPLE = 100_000
RUNS = 7
FIRST = ("grace", "ada", "alan", "edsger", "barbara", "donald", "margaret", "linus", "radia", "tim", "vint", "anita")
LAST = (
    "hopper",
    "lovelace",
    "turing",
    "dijkstra",
    "liskov",
    "knuth",
    "hamilton",
    "torvalds",
    "perlman",
    "cerf",
    "borg",
)
QUERIES = (
    "grace", "grace hopper13", "hopper132", "u0012345", "an br", "a", "gr", "ada.turing77@ex", "grcae", "hoper",
    "margret knuth", "model-17", "gpt4o", "team-0012", "hopper g", "zzzz", "ring99",
    "a b c", "00000000-0000-4000-8000-000000012345",
)  # fmt: skip


def best(work: Callable[[], Any]) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def fill() -> None:
    from deployments.models import Deployment
    from roles.models import Role, User

    User.objects.bulk_create(
        [
            User(
                sub=f"00000000-0000-4000-8000-{n:012}",
                username=f"u{n:07}",
                name=f"{FIRST[n % 12].title()} {LAST[n // 12 % 10].title()} {n}",
                email=f"{FIRST[n % 12]}.{LAST[n // 12 % 10]}{n}@example.com",
            )
            for n in range(PEOPLE)
        ],
        2000,
    )
    Role.objects.bulk_create([Role(name=f"team-{n:04}", pool="present") for n in range(500)])
    Deployment.objects.bulk_create(
        [Deployment(kind="model", name=f"model-{n:04}", display_name=f"Model {n}") for n in range(999)]
        + [Deployment(kind="model", name="gpt-4o", display_name="GPT-4o")]
    )


def main() -> None:
    import django
    from django.db import connection
    from django.db.models import Q

    import tests.environment  # noqa: F401  # sets the rest of the environment

    os.environ["DJANGO_SETTINGS_MODULE"] = "dialadmin.settings"
    django.setup()
    from dialadmin.accounts.models import Staff
    from dialadmin.search.find import find
    from dialadmin.search.index import refresh
    from roles.models import User

    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        fill()
        for what in ("built", "compared, nothing new"):
            start = time.perf_counter()
            count = refresh()
            print(f"{connection.vendor}: index {what}: {count:,} entries in {time.perf_counter() - start:.2f} s")
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        staff = Staff(level="publisher")
        anywhere = Q(username__icontains="hopper132") | Q(email__icontains="hopper132")
        anywhere |= Q(name__icontains="hopper132") | Q(sub__icontains="hopper132")
        baseline = best(lambda: list(User.objects.filter(anywhere)[:50]))
        print(f"icontains over four columns {baseline * 1000:.1f} ms")
        timed = sorted((best(lambda query=query: find(query, staff)), query) for query in QUERIES)  # type: ignore[misc]
        for seconds, query in timed:
            answer = find(query, staff)
            print(f"  {query:38} {seconds * 1000:7.1f} ms  {seconds / baseline:6.2f} x  {answer.total:5} found")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
