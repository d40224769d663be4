"""The same two questions in django-guardian, in a project of its own on the same kind of database.

python -m tests.benchmarks.guardian SAMPLES.json ENGINE DATABASE_URL prints {"users": s, "objects": s}: seconds of all
asked deployments, and of all asked people. Prints {} where guardian is not installed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import environ


def main(samples_at: str, engine: str, url: str) -> None:
    if importlib.util.find_spec("guardian") is None:
        print("{}")
        return
    drawn: dict[str, Any] = json.loads(Path(samples_at).read_text())
    with tempfile.TemporaryDirectory() as folder:
        own = f"sqlite:///{folder}/guardian.sqlite3"
        if engine == "postgresql":
            import psycopg

            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE guardian")
            own = url.rpartition("/")[0] + "/guardian"
        print(json.dumps(measured(drawn, own)))


def measured(drawn: dict[str, Any], url: str) -> dict[str, float]:
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": environ.Env.db_url_config(url)},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "guardian"],
        AUTHENTICATION_BACKENDS=["guardian.backends.ObjectPermissionBackend"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        GUARDIAN_MONKEY_PATCH_USER=False,
        ANONYMOUS_USER_NAME=None,
        SILENCED_SYSTEM_CHECKS=["guardian.W001"],
        USE_TZ=True,
    )
    django.setup()
    from django.contrib.auth.models import Group, Permission, User
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command
    from django.db import connection
    from guardian.models import GroupObjectPermission
    from guardian.shortcuts import get_objects_for_user, get_users_with_perms

    call_command("migrate", verbosity=0)
    # Django's own Site-like table would do for the objects; content types are the rows that are always there.
    objects = {name: ContentType.objects.create(app_label="yardstick", model=name) for name in drawn["listed"]}
    kind = ContentType.objects.get_for_model(ContentType)
    reach = Permission.objects.create(codename="reach_contenttype", name="reach", content_type=kind)
    User.objects.bulk_create([User(pk=pk, username=f"u{pk}", password="!") for pk in drawn["people"]], 5000)
    names = sorted({name for name, _ in drawn["members"]} | {r for some in drawn["listed"].values() for r in some})
    Group.objects.bulk_create([Group(name=name) for name in names])
    groups = dict(Group.objects.values_list("name", "pk"))
    known = set(drawn["people"])
    through = User.groups.through
    through.objects.bulk_create(
        [through(user_id=pk, group_id=groups[name]) for name, pk in drawn["members"] if pk in known], 20_000
    )
    GroupObjectPermission.objects.bulk_create(
        [
            GroupObjectPermission(
                group_id=groups[role], permission=reach, content_type=kind, object_pk=str(objects[name].pk)
            )
            for name, some in drawn["listed"].items()
            for role in some
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    asked = [objects[name] for _, name in drawn["asked"]]
    persons = list(User.objects.filter(pk__in=drawn["persons"]))

    def users() -> None:
        for item in asked:
            list(get_users_with_perms(item, with_group_users=True))

    def reached() -> None:
        for user in persons:
            list(get_objects_for_user(user, "contenttypes.reach_contenttype", ContentType))

    return {"users": best(users), "objects": best(reached)}


def best(work: Any) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main(*sys.argv[1:])
