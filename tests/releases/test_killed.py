"""A release is made whole or not at all, whatever happens to it half-way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments import actions as draft_actions
from deployments.releases import actions
from deployments.releases.models import Release
from dialadmin.history.models import Entry
from tests.deployments.factories import TESTER, deployment, make_draft
from tests.releases.factories import make_release

ROOT = Path(__file__).parents[2]

# Where a release may break: module, and the name that it calls there.
POINTS = (
    ("deployments.exports", "export"),
    ("deployments.releases.drafts", "draft_review"),
    ("deployments.releases.actions", "encrypt"),
    ("deployments.releases.models", "Release.save"),
    ("deployments.releases.actions", "record"),
)


@pytest.mark.django_db
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("module", "name"), POINTS, ids=[name for _, name in POINTS])
def test_a_failure_at_any_step_leaves_no_half_release(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, when: str
) -> None:
    make_draft()
    make_release("first")
    draft_actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    with monkeypatch.context() as patch:
        path = f"{module}.{name}"
        owner: Any = sys.modules[module]
        for step in name.split("."):
            holder, owner = owner, getattr(owner, step)

        def failing(*args: Any, **kwargs: Any) -> None:
            if when == "after":
                owner(*args, **kwargs)
            raise OSError("the disk is full")

        patch.setattr(path, failing)
        assert holder is not None
        with pytest.raises(OSError, match="the disk is full"):
            make_release("second")
    assert [release.number for release in Release.objects.all()] == [1]
    assert Entry.objects.filter(act="release.made").count() == 1
    assert make_release("second").number == 2
    assert [entry.note for entry in Entry.objects.filter(act="release.made")] == ["second", "first"]


# Runs in a process of its own: forks one child for each moment, which is killed there, and says what is left.
SCRIPT = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0)
from deployments.releases import actions, drafts, reading
from deployments.releases.models import Release
from dialadmin.history.models import Entry
from tests.deployments.factories import make_draft
from tests.releases.factories import make_release

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(real):
    def dying(*args, **kwargs):
        real(*args, **kwargs)
        die()
    return dying

def committing():
    actions.record = lambda *args, **kwargs: (real_record(*args, **kwargs), connection.on_commit(die))

real_record = actions.record
MOMENTS = {
    "before the export": lambda: setattr(actions.exports, "export", die),
    "before the row": lambda: setattr(actions, "encrypt", die),
    "after the row": lambda: setattr(actions, "record", die),
    "before the commit": lambda: setattr(actions, "record", after(real_record)),
    "after the commit": committing,
}
make_draft()
connection.close()
for name, patch in MOMENTS.items():
    child = os.fork()
    if child == 0:
        patch()
        make_release("killed " + name)
        os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (name, status)
    noted = list(Entry.objects.filter(act="release.made").values_list("note", flat=True))
    whole = [(release.note, len(reading.data(release)) > 100) for release in Release.objects.all()]
    connection.close()
    print(name, noted, whole, sep="|")
make_draft({})
print("then", make_release("alive").number, sep="|")
"""


def test_a_process_that_is_killed_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "dialadmin.settings",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    made = "killed after the commit"
    assert run.stdout.splitlines() == [
        "before the export|[]|[]",
        "before the row|[]|[]",
        "after the row|[]|[]",
        "before the commit|[]|[]",
        f"after the commit|['{made}']|[('{made}', True)]",
        "then|2",
    ]


def test_what_the_tests_break_is_what_a_release_calls() -> None:
    """The points above are found by name: one that a release no longer calls would prove nothing."""
    assert {"export", "draft_review", "encrypt", "record"} <= set(actions.release.__code__.co_names)
