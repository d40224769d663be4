"""Review and export at scale: python -m tests.benchmarks.releases [--people 100000] [--deployments 1000]

On the database of DATABASE_URL, in a test database of its own. Each line is the best of some runs and a ratio:

- people gained and lost by one edit, against EXCEPT in SQL over the same rows, on an index that is built;
- the same edit as a page shows it, with limits and API keys;
- the review of the whole draft after that edit, everything read and parsed anew, and its queries;
- the export's bytes, against the same SELECTs with orjson.dumps of the ready document, and their queries.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

RUNS = 7
EXPORTS = 40


def best(work: Callable[[], Any], runs: int = RUNS) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


HOLDERS = "SELECT m.user_id FROM roles_membership m JOIN roles_user u ON u.id = m.user_id \
WHERE m.until IS NULL AND m.role_id IN ({}) AND u.enabled AND u.gone_at IS NULL"


def by_sql(had: list[int], has: list[int]) -> tuple[int, int]:
    """How many people gain and lose by an edit of `userRoles` (ids of roles), as the database tells."""
    from django.db import connection

    counts = []
    for one, other in ((has, had), (had, has)):
        holders = [HOLDERS.format(", ".join(map(str, some))) for some in (one, other)]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM ({holders[0]} EXCEPT {holders[1]}) AS gone")  # noqa: S608  # numbers
            counts.append(cursor.fetchone()[0])
    return counts[0], counts[1]


def measure_edits() -> None:
    from deployments.access import source
    from deployments.releases.review import gained_and_lost, review_edit
    from roles.models import Role

    start = time.perf_counter()
    index = source.current()
    print(f"index built in {time.perf_counter() - start:.2f} s: {index.people.count:,} people")
    settings = index.settings
    # One on which no limit may deny: there, gained and lost is a matter of bits alone.
    plain = [item for item in settings.deployments if gained_and_lost(settings, settings, item, item, index.people)]
    old = max(plain[:100], key=lambda item: len(item.user_roles or ()))
    had = sorted(old.user_roles or ())
    new_role = next(role for role in sorted(index.people.holding) if role not in had)
    has = [*had[1:], new_role]
    new = replace(old, user_roles=frozenset(has))
    quick = gained_and_lost(settings, settings, old, new, index.people)
    assert quick is not None
    ids = dict(Role.objects.values_list("name", "pk"))
    before, after = [ids[name] for name in had], [ids[name] for name in has]
    assert tuple(bits.bit_count() for bits in quick) == by_sql(before, after)
    baseline = best(lambda: by_sql(before, after))
    print(f"gained and lost by one edit, EXCEPT in SQL {baseline * 1000:10.2f} ms")
    edits: dict[str, Callable[[], Any]] = {
        "gained and lost by one edit": lambda: gained_and_lost(settings, settings, old, new, index.people),
        "with limits and API keys": lambda: review_edit(settings, settings, old, new, index.people),
    }
    for name, work in edits.items():
        seconds = min(best(work) for _ in range(5))
        print(f"  {name:38} {seconds * 1000:10.3f} ms  {baseline / seconds:7.0f} times faster")


def measure_review() -> None:
    from django.core.cache import cache
    from django.db import connection
    from django.db.models import Count
    from django.test.utils import CaptureQueriesContext

    from deployments import actions
    from deployments.models import Deployment
    from deployments.releases import drafts
    from dialadmin.history.recorder import Actor
    from tests.releases.factories import make_release

    make_release("first")
    deployment = Deployment.objects.annotate(listed=Count("attachments")).order_by("-listed", "pk")[0]
    role = deployment.roles.values_list("name", flat=True)[0]
    actions.detach_role(deployment=deployment, role_name=role, by=Actor.command("bench"))
    drafts.population()
    with CaptureQueriesContext(connection) as captured:
        told = drafts.draft_review().review
    assert told is not None
    assert len(told.lines) == 1

    def anew() -> None:
        cache.clear()
        drafts.draft_review()

    print(f"review of the draft, all anew {best(anew, 3) * 1000:10.0f} ms  {len(captured)} queries")
    print(f"review of the draft, again    {best(drafts.draft_review, 3) * 1000:10.2f} ms")


def measure_export() -> None:
    import orjson
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from deployments import draft, exports
    from dialadmin import secrets

    document = draft.document()
    row = draft.current()
    with CaptureQueriesContext(connection) as selects:
        text = draft.text(row)
    statements = [query["sql"] for query in selects]
    exports.export()  # judged once
    with CaptureQueriesContext(connection) as all_queries:
        exports.export()

    def baseline_work() -> None:
        with connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql.replace("%", "%%"))
                cursor.fetchall()
        orjson.dumps(document)

    def first_in_a_process() -> None:
        draft._decrypted_text.cache_clear()
        secrets._remembered.cache_clear()
        draft.text(row)

    kib = len(text) // 1024
    works: dict[str, Callable[[], Any]] = {
        "its SELECTs + orjson.dumps of the ready document": baseline_work,
        "export: the canonical bytes": lambda: draft.text(row).encode(),
        "export: the bytes, no secret remembered": first_in_a_process,
        "export: bytes, verdict kept, digest": exports.export,
    }
    # Turn by turn, so that what else the machine does meets all of them.
    turns = [[best(work, 1) for work in works.values()] for _ in range(EXPORTS)]
    baseline, *_ = fastest = [min(times) for times in zip(*turns, strict=True)]
    for name, seconds in zip(works, fastest, strict=True):
        print(f"  {name:48} {seconds * 1000:8.1f} ms  {seconds / baseline:5.2f} x")
    print(f"  {kib:,} KiB")
    print(f"  queries: {len(selects)} for the bytes, {len(all_queries)} in all")


def main() -> None:
    import django
    from django.db import connection

    import tests.environment  # noqa: F401  # sets the rest of the environment

    os.environ["DJANGO_SETTINGS_MODULE"] = "dialadmin.settings"
    django.setup()
    from django.core.management import call_command

    from deployments.access import source
    from deployments.models import Limit

    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--deployments", type=int, default=1_000)
    options = parser.parse_args()
    name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        call_command("make_organisation", users=options.people, deployments=options.deployments, stdout=StringIO())
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        source.forget()
        limits = Limit.objects.count()
        print(f"{connection.vendor}: {options.people:,} people, {options.deployments:,} deployments, {limits:,} limits")
        measure_edits()
        measure_export()
        measure_review()
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
