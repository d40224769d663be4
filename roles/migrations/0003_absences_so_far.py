"""Enter those who are disabled or gone already, so that an audit asks one table."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.utils import timezone


def enter(apps: Any, schema_editor: Any) -> None:
    """Who has gone, since then. Of the disabled nobody noted when: they are absent since the last good sync at latest."""
    User, Absence, SyncRun = (apps.get_model("roles", name) for name in ("User", "Absence", "SyncRun"))
    good = SyncRun.objects.filter(state__in=("applied", "unchanged")).order_by("-id").first()
    seen = good.finished_at if good and good.finished_at else timezone.now()
    away = [(pk, "gone", since) for pk, since in User.objects.exclude(gone_at=None).values_list("pk", "gone_at")]
    away += [(pk, "disabled", seen) for pk in User.objects.filter(enabled=False).values_list("pk", flat=True)]
    Absence.objects.bulk_create(
        [Absence(user_id=pk, kind=kind, since=since) for pk, kind, since in away], batch_size=500
    )


class Migration(migrations.Migration):
    dependencies = [("roles", "0002_absence")]
    operations = [migrations.RunPython(enter, migrations.RunPython.noop)]
