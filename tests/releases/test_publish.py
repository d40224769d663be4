"""Publishing brings a release to a target whole or not at all, and history says which."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from deployments.releases import process, publishing, reading, targets
from deployments.releases.models import Publication, Release
from deployments.releases.targets.file import FileTarget
from deployments.releases.targets.interface import TargetError
from dialadmin.environment import TargetUrl
from dialadmin.history.models import Entry
from dialadmin.history.presentation import sentence
from tests.deployments.factories import SECRETS, TESTER, make_draft
from tests.releases.factories import make_release

ROOT = Path(__file__).parent.parent.parent
State = Publication.State


@pytest.fixture
def release(db: None) -> Release:
    make_draft()
    return make_release()


@pytest.fixture
def core(tmp_path: Path, settings: Any) -> FileTarget:
    settings.TARGETS = [TargetUrl("core", "file", str(tmp_path / "config.json"))]
    target = targets.configured()["core"]
    assert isinstance(target, FileTarget)
    return target


def publish(release: Release, target: Any) -> Publication:
    return publishing.publish(release=release, target=target, by=TESTER)


def acts() -> list[str]:
    return list(Entry.objects.filter(act__startswith="publication.").order_by("pk").values_list("act", flat=True))


def last_sentence() -> str:
    entry = Entry.objects.filter(act__startswith="publication.").order_by("-pk")[0]
    return sentence(entry.act, target=entry.target_name, before=entry.before, after=entry.after, note=entry.note)


def test_the_target_holds_the_bytes_of_the_release(release: Release, core: FileTarget) -> None:
    row = publish(release, core)
    assert (row.state, row.error, row.number) == (State.PUBLISHED, "", 1)
    assert row.finished_at is not None
    assert core.read() == reading.data(release)
    assert acts() == ["publication.started", "publication.published"]
    assert last_sentence() == f"published release 1 to core: sha256 {release.digest[:12]}…"


def test_publishing_twice_changes_nothing_and_says_so(release: Release, core: FileTarget) -> None:
    publish(release, core)
    before = core.path.stat()
    assert publish(release, core).state == State.UNCHANGED
    after = core.path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert last_sentence() == "published release 1 to core, which held it already"


def test_a_failure_is_told_and_the_next_attempt_is_free(release: Release, core: FileTarget) -> None:
    core.path.mkdir()
    row = publish(release, core)
    assert row.state == State.FAILED
    assert "It is a folder. Name a file in the folder." in row.error
    assert last_sentence().startswith("could not publish release 1 to core: ")
    core.path.rmdir()
    assert publish(release, core).state == State.PUBLISHED


def test_content_of_somebody_else_that_is_replaced_is_told(release: Release, core: FileTarget) -> None:
    core.path.write_text("{}")
    row = publish(release, core)
    assert row.state == State.PUBLISHED
    assert row.error.startswith("It replaced content that was no release (sha256 44136fa355b3…), which is kept")
    assert core.path.with_name("config.json.previous").read_text() == "{}"
    assert "It replaced content that was no release" in last_sentence()


class Fickle:
    """A target that misbehaves as told; else it holds what was written."""

    name, where = "core", "the fickle place"

    def __init__(self, *, lose_answer: bool = False, spoil: bool = False, crash: bool = False) -> None:
        self.held: bytes | None = None
        self.lose_answer, self.spoil, self.crash = lose_answer, spoil, crash

    def read(self) -> bytes | None:
        return self.held

    def write(self, data: bytes, digest: str) -> None:
        if self.crash:
            raise RuntimeError("upstream-secret")
        self.held = b"spoilt" if self.spoil else data
        if self.lose_answer:
            raise TargetError("cannot be written", where=self.where, why="no answer came.", mend="Try again.")


def test_a_write_whose_answer_was_lost_is_not_called_a_failure(release: Release) -> None:
    assert publish(release, Fickle(lose_answer=True)).state == State.PUBLISHED


def test_what_reads_back_as_something_else_is_a_failure(release: Release) -> None:
    row = publish(release, Fickle(spoil=True))
    assert row.state == State.FAILED
    assert "reads back as something else" in row.error


def test_an_unexpected_failure_is_told_without_its_secrets(release: Release) -> None:
    row = publish(release, Fickle(crash=True))
    assert row.state == State.FAILED
    assert row.error == "It failed unexpectedly (RuntimeError). The log has the details."


def test_no_secret_reaches_publications_or_history(release: Release, core: FileTarget) -> None:
    publish(release, core)
    text = json.dumps(list(Publication.objects.values_list("error")) + list(Entry.objects.values_list("after", "note")))
    assert not any(secret in text for secret in SECRETS)


# --- One at a time ---------------------------------------------------------------------------------


def started(number: int = 1, *, by: str = "Ada", process: str = "", minutes: int = 0) -> Publication:
    row = Publication.objects.create(number=number, target="core", by=by, process=process)
    Publication.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(minutes=minutes))
    return row


def test_two_do_not_publish_to_one_target_at_a_time(release: Release, core: FileTarget) -> None:
    started(process=process.identity(), minutes=2)
    with pytest.raises(
        publishing.AlreadyPublishingError, match=r"Ada began to publish release 1 to core 2.minutes ago"
    ):
        publish(release, core)
    assert core.read() is None
    with pytest.raises(IntegrityError), transaction.atomic():
        Publication.objects.create(number=1, target="core", by="x")


def test_of_two_that_start_at_the_same_moment_one_is_refused(
    release: Release, core: FileTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(process=process.identity())
    monkeypatch.setattr(publishing, "settle", lambda **_: None)  # as it was just before the other one started
    with pytest.raises(publishing.AlreadyPublishingError, match="Ada began"):
        publish(release, core)
    assert Publication.objects.count() == 1
    assert acts() == []


def test_another_target_does_not_wait(release: Release, core: FileTarget, tmp_path: Path) -> None:
    started(process=process.identity())
    assert publish(release, FileTarget("other", tmp_path / "other.json")).state == State.PUBLISHED


def gone() -> str:
    """The identity of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    boot, namespace, _, began = process.identity().split()
    return f"{boot} {namespace} {ended.pid} {began}"


def test_only_what_is_surely_gone_is_called_gone() -> None:
    boot, namespace, pid, began = process.identity().split()
    assert process.is_gone(gone())
    assert process.is_gone(f"{boot} {namespace} {pid} {int(began) + 1}")  # the number was given to another
    assert not process.is_gone(process.identity())
    for unknown in ("", "nonsense", f"other {namespace} 1 1", f"{boot} pid:[1] 1 1", f"{boot} {namespace} x 1"):
        assert not process.is_gone(unknown)


@pytest.mark.parametrize("arrived", [True, False])
def test_what_a_dead_process_began_ends_as_the_target_says(release: Release, core: FileTarget, arrived: bool) -> None:
    if arrived:
        core.write(reading.data(release), release.digest)
    row = started(process=gone())
    assert publishing.is_interrupted(row)
    assert publishing.settle(target=core, by=TESTER) is None
    row.refresh_from_db()
    assert row.state == (State.PUBLISHED if arrived else State.FAILED)
    assert row.error.startswith("Its process was killed")
    assert acts() == ["publication.published" if arrived else "publication.failed"]


def test_a_process_of_another_machine_is_waited_for_ten_minutes(release: Release, core: FileTarget) -> None:
    row = started(process="other-boot pid:[1] 12 34", minutes=9)
    assert publishing.settle(target=core, by=TESTER) == row
    Publication.objects.update(started_at=timezone.now() - timedelta(minutes=11))
    assert publishing.settle(target=core, by=TESTER) is None


def test_it_stays_open_while_the_target_cannot_tell(release: Release, tmp_path: Path) -> None:
    row = started(process=gone())
    with pytest.raises(TargetError):
        publishing.settle(target=FileTarget("core", tmp_path / "gone" / "x.json"), by=TESTER)
    row.refresh_from_db()
    assert row.state == State.STARTED


def test_a_late_process_does_not_overwrite_what_was_settled(release: Release, core: FileTarget) -> None:
    class Slow(Fickle):
        def write(self, data: bytes, digest: str) -> None:
            Publication.objects.update(state=State.FAILED, error="taken for dead")
            super().write(data, digest)

    assert publish(release, Slow()).error == "taken for dead"
    assert acts() == ["publication.started"]


# --- The command -----------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_command_publishes_to_the_only_target(release: Release, core: FileTarget) -> None:
    assert run("publish_release", "1") == f"Published release 1 to core ({core.path}) and read it back.\n"
    assert run("publish_release", "1", "--target", "core") == (
        f"{core.path} holds release 1 already; nothing was written.\n"
    )
    assert core.read() == run("export_settings", "--release", "1").encode()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("7",), "There is no release 7. The last is 1."),
        (("1", "--target", "prod"), "There is no target prod. TARGETS names core, spare."),
        (("1",), "Name one of the targets with --target: core, spare."),
        (("1", "--target", "spare"), "not published to spare"),
    ],
)
def test_the_command_refuses_with_a_reason(
    release: Release, settings: Any, core: FileTarget, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    settings.TARGETS = [*settings.TARGETS, TargetUrl("spare", "file", str(tmp_path / "no" / "x.json"))]
    with pytest.raises(CommandError) as refused:
        run("publish_release", *arguments)
    assert said in str(refused.value)


def test_without_a_target_the_command_says_how_to_name_one(release: Release, settings: Any) -> None:
    settings.TARGETS = []
    with pytest.raises(CommandError, match="Set TARGETS, for example"):
        run("publish_release", "1")


# --- kill -9 ---------------------------------------------------------------------------------------

# Each moment is what is patched to kill the process, and whether the target holds the new release then.
MOMENTS = {
    "before anything is written": ("tempfile.mkstemp", "before", False),
    "in the middle of the bytes": ("os.fsync", "before", False),
    "before the rename": ("pathlib.Path.replace", "before", False),
    "after the rename": ("pathlib.Path.replace", "after", True),
    "before the row is finished": ("deployments.releases.actions.finish_publication", "before", True),
}
KILLED = """
import importlib, os, signal, sys
import django
django.setup()
from django.core.management import call_command
name, when, number = sys.argv[1:]
path, attribute = name.rsplit(".", 1)
try:
    owner = importlib.import_module(path)
except ModuleNotFoundError:
    module, holder = path.rsplit(".", 1)
    owner = getattr(importlib.import_module(module), holder)
real = getattr(owner, attribute)
def dying(*a, **k):
    if when == "after":
        real(*a, **k)
        if not str(a[-1]).endswith("config.json"):
            return
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, attribute, dying)
call_command("publish_release", number)
"""

LOOK = """
import django
django.setup()
from django.core.management import call_command
call_command("check_drift")
call_command("publish_release", "2")
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with two releases, the first of them published."""
    folder = tmp_path_factory.mktemp("killed")
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "from tests.deployments.factories import *\n"
        "from tests.releases.factories import make_release\n"
        "from deployments.actions import attach_role\n"
        "make_draft(); make_release()\n"
        "attach_role(deployment=deployment('gpt-4o'), role_name='legal', by=TESTER); make_release()\n"
        "call_command('publish_release', '1')\n"
    )
    assert child(folder, "-c", script).returncode == 0
    return folder


def child(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "dialadmin.settings",
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "TARGETS": f"core=file://{folder / 'config.json'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def rows(folder: Path, sql: str) -> list[Any]:
    connection = sqlite3.connect(folder / "db.sqlite3")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_process_killed_at_any_moment_leaves_the_old_or_the_new(template: Path, tmp_path: Path, moment: str) -> None:
    patched, when, arrived = MOMENTS[moment]
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    old = (tmp_path / "config.json").read_bytes()
    killed = child(tmp_path, "-c", KILLED, patched, when, "2")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    held = (tmp_path / "config.json").read_bytes()
    assert (held != old) is arrived
    assert json.loads(held)["models"]["gpt-4o"]["userRoles"] == [
        "analysts",
        "engineers",
        *(["legal"] if arrived else []),
    ]
    assert rows(tmp_path, "SELECT number, state FROM releases_publication ORDER BY id DESC LIMIT 1") == [(2, "started")]

    looked = child(tmp_path, "-c", LOOK)
    assert looked.returncode == 0, looked.stderr
    drift, again = looked.stdout.splitlines()
    assert f"It is release {2 if arrived else 1}." in drift
    assert ("already" in again) is arrived
    state, error = rows(tmp_path, "SELECT state, error FROM releases_publication WHERE id = 2")[0]
    assert state == ("published" if arrived else "failed")
    assert error.startswith("Its process was killed")
    acts = [
        act for (act,) in rows(tmp_path, "SELECT act FROM history_entry WHERE act LIKE 'publication.%' ORDER BY id")
    ]
    assert acts[2:4] == ["publication.started", f"publication.{state}"]
    assert sorted(path.name for path in tmp_path.iterdir() if "config.json" in path.name) == [
        "config.json",
        "config.json.previous",
    ]
