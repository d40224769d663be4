"""A release is whole, numbered, never changed, and never made of what nobody has read."""

from __future__ import annotations

import hashlib
import json
from io import StringIO
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from deployments import actions as draft_actions
from deployments import exports
from deployments.releases import actions, reading
from deployments.releases.models import ImmutableError, Release
from dialadmin.history.models import Entry
from dialadmin.history.recorder import record
from roles.acts import MEMBER_ADDED
from roles.models import SyncRun
from tests.deployments.factories import SECRETS, TESTER, deployment, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def draft() -> None:
    make_draft()


def release(note: str = "why", **options: str) -> Release:
    """Release the draft as somebody does who has just read its review."""
    basis = reading.basis()
    return actions.release(note=note, by=TESTER, **{"seen": str(basis), "typed": str(basis.number + 1), **options})


def test_a_release_holds_the_exact_bytes_of_the_export() -> None:
    wanted = exports.export()
    made = release("first")
    assert reading.data(made) == wanted.data
    assert made.digest == hashlib.sha256(wanted.data).hexdigest()
    assert reading.document(made) == json.loads(wanted.data)
    assert (made.number, made.note, made.author_name, made.sync_id) == (1, "first", TESTER.name, None)
    assert reading.latest() == reading.by_number(1) == made


def test_what_is_stored_shows_no_secret() -> None:
    made = release()
    assert not any(secret in made.payload for secret in SECRETS)
    entry = Entry.objects.get(act="release.made")
    assert not any(secret in json.dumps([entry.before, entry.after, entry.note]) for secret in SECRETS)


def test_numbers_go_up_and_the_bytes_of_a_number_stay() -> None:
    first = release()
    before = reading.data(first)
    draft_actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    assert release().number == 2
    kept = reading.by_number(1)
    assert kept is not None
    assert reading.data(kept) == before


def test_a_release_is_neither_changed_nor_deleted() -> None:
    made = release()
    made.note = "another"
    for attempt in (made.save, made.delete, Release.objects.all().delete, lambda: Release.objects.update(note="x")):
        with pytest.raises(ImmutableError):
            attempt()


def test_bytes_that_do_not_fit_the_digest_are_not_handed_out() -> None:
    made = release()
    made.digest = "0" * 64
    with pytest.raises(reading.DamagedError, match="release 1"):
        reading.data(made)


@pytest.mark.parametrize("change", ["draft", "pool", "group", "release", "nonsense"])
def test_a_stale_review_is_not_released(change: str) -> None:
    seen = str(reading.basis())
    if change == "draft":
        draft_actions.attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    elif change == "pool":
        SyncRun.objects.create(state=SyncRun.State.APPLIED, by="test")
    elif change == "group":
        record(MEMBER_ADDED, by=TESTER, after={"group": "legal"})
    elif change == "release":
        release()
    else:
        seen = "no fingerprint"
    count = Release.objects.count()
    with pytest.raises(actions.StaleReviewError):
        release(seen=seen)
    assert Release.objects.count() == count


def test_a_sync_that_changed_nothing_leaves_a_review_as_it_is() -> None:
    seen = str(reading.basis())
    SyncRun.objects.create(state=SyncRun.State.UNCHANGED, by="test")
    assert release(seen=seen).number == 1


def test_a_note_is_required() -> None:
    with pytest.raises(actions.NoteMissingError):
        release("  ")


def test_a_draft_that_core_refuses_is_not_released() -> None:
    make_draft({"models": {"m": {"type": "chat", "typo": 1}}})
    with pytest.raises(exports.RefusedError):
        release()
    assert not Release.objects.exists()
    assert not Entry.objects.filter(act="release.made").exists()


def test_a_fingerprint_can_be_read_back() -> None:
    basis = reading.basis()
    assert reading.Basis.parse(str(basis)) == basis
    assert reading.Basis.parse("1.2") is None


def test_the_command_writes_the_bytes_of_a_release(tmp_path: Path) -> None:
    made = release()
    make_draft({})
    call_command("export_settings", release=1, output=str(tmp_path / "out.json"), stdout=StringIO())
    assert (tmp_path / "out.json").read_bytes() == reading.data(made)
    out = StringIO()
    call_command("export_settings", release=1, stdout=out)
    assert out.getvalue().encode() == reading.data(made)
    with pytest.raises(CommandError, match="There is no release 7"):
        call_command("export_settings", release=7, stdout=StringIO())


def test_releases_follow_a_rotation_of_the_keys(settings: Settings) -> None:
    made = release()
    data, old = reading.data(made), settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *old]
    call_command("rotate_secrets", stdout=StringIO())
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    kept = reading.by_number(1)
    assert kept is not None
    assert (reading.data(kept), kept.digest) == (data, made.digest)
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("rotate_secrets", stdout=StringIO())
