"""`sync_cognito --every`: it stays, paces itself, outlives what fails, and stops when it is told."""

from __future__ import annotations

import subprocess
import threading
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dialadmin.accounts.models import Staff
from dialadmin.history.recorder import Actor
from roles import sync
from roles.management.commands import sync_cognito
from roles.management.commands.sync_cognito import in_words, interval
from roles.models import SyncRun
from roles.reading import CognitoError, Pace, Reading
from tests.roles.test_sync import remote, run

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), (" 6h", 21600), ("1d", 86400)])
def test_an_interval_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert interval(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "m", "15 m", "-5m", "1.5h", "5s", "0m", "9999999m", "15m15s"])
def test_what_is_no_interval_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"as in 15m|at least 10s"):
        interval(text)


class Stopping:
    """Stands in for the event that a signal sets: it is set after so many pauses, which it notes and skips."""

    def __init__(self, pauses: int) -> None:
        self.left, self.pauses = pauses, list[float]()

    def is_set(self) -> bool:
        return self.left == 0

    def wait(self, seconds: float) -> None:
        self.left -= 1
        self.pauses.append(seconds)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[list[float], str]]:
    """Let a worker do so many rounds, in which the runs have these outcomes."""

    def start(*outcomes: Any) -> tuple[list[float], str]:
        stopping, out, left = Stopping(len(outcomes)), StringIO(), list(outcomes)

        @contextmanager
        def told() -> Iterator[Any]:
            yield stopping

        def outcome(**_: Any) -> SyncRun:
            found = left.pop(0)
            if isinstance(found, OperationalError | sync.AlreadyRunningError):
                raise found
            result: SyncRun = run(found)
            return result

        monkeypatch.setattr(sync_cognito, "told_to_stop", told)
        monkeypatch.setattr(sync_cognito, "run_sync", outcome)
        monkeypatch.setattr(sync_cognito, "JITTER", 0.0)
        call_command("sync_cognito", "--every", "15m", stdout=out)
        return stopping.pauses, out.getvalue()

    return start


def test_a_worker_syncs_and_pauses_until_it_is_told_to_stop(work: Any) -> None:
    pauses, out = work(remote(6, analysts="0"), remote(6, analysts="01"), remote(6, analysts="01"))
    assert pauses == [900, 900, 900]
    assert "1 membership added." in out
    assert "Nothing has changed." in out
    assert "Next sync in 0:15:00." in out
    assert out.endswith("Stopped.\n")


def test_after_a_failure_it_comes_back_sooner_and_then_less_and_less_so(work: Any) -> None:
    trouble = CognitoError("Cognito throttled the sync.")
    pauses, out = work(*[trouble] * 7, remote(6), trouble)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900, 30]
    assert "Cognito throttled the sync. Nothing was changed." in out


def test_a_database_that_is_away_is_waited_for(work: Any) -> None:
    pauses, out = work(OperationalError("the connection is closed"), remote(6))
    assert pauses == [30, 900]
    assert "The database cannot be used" in out
    assert "Applied: 6 users added." in out


def test_a_sync_that_waits_for_a_person_or_another_that_runs_is_no_failure(work: Any) -> None:
    run(remote(6, analysts="012345"))
    pauses, out = work(remote(2, analysts="01"), sync.AlreadyRunningError("Sync 7 of Ada is still running."))
    assert pauses == [900, 900]
    assert "repeat it with --allow-removals" in out
    assert "Sync 7 of Ada is still running." in out


@pytest.mark.parametrize("option", ["--dry-run", "--allow-removals"])
def test_a_worker_allows_nothing_by_itself(option: str) -> None:
    with pytest.raises(CommandError, match="for a person, once"):
        call_command("sync_cognito", "--every", "15m", option)


def test_a_run_that_a_page_entered_is_performed_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entered = sync.start(by=Actor("sub-ada", "Ada"), note="They left")
    done: list[SyncRun] = []
    monkeypatch.setattr(sync_cognito, "perform", lambda run, stop: done.append(run))
    call_command("sync_cognito", "--run", str(entered.pk))
    assert done == [entered]
    assert (done[0].order["by"], done[0].order["note"]) == ("sub-ada", "They left")
    SyncRun.objects.update(state="failed")
    with pytest.raises(CommandError, match=f"no sync {entered.pk}"):
        call_command("sync_cognito", "--run", str(entered.pk))


def test_the_pace_halves_once_a_second_when_throttled_and_comes_back() -> None:
    now = [100.0]
    pace = Pace(16, clock=lambda: now[0])
    sent = 0
    while pace.wait() == 0:
        pace.spend()
        sent += 1
    assert sent == 4  # the burst
    assert pace.wait() == pytest.approx(1 / 16)
    pace.slow_down()
    pace.slow_down()
    assert pace.rate == 8
    now[0] += 1
    assert pace.wait() == 0
    assert pace.rate == pytest.approx(8.8)
    now[0] += 60
    pace.wait()
    assert pace.rate == 16


def test_the_estimate_follows_what_is_known() -> None:
    reading = Reading()
    assert (reading.expected_calls, reading.seconds_left) == (None, None)
    reading = Reading(expected_users=600, groups=3, groups_read=1, member_pages=4, calls=8, rate=2)
    assert reading.expected_calls == 10 + 1 + 4 + 2
    assert reading.seconds_left == 4
    reading = Reading(earlier_calls=100, calls=30, throttled=5, users=60, rate=15)
    assert (reading.expected_calls, reading.seconds_left) == (105, 5)
    assert in_words(reading) == "Reading: 30 of about 105 calls, 60 people, 0 of 0 groups; about 0:00:05 left"


# --- On the pages ------------------------------------------------------------------------------------


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


def test_the_page_of_a_run_shows_how_far_it_is_and_is_told_when_it_has_ended(editor: Client) -> None:
    entered = sync.start(by=Actor("sub-ada", "Ada"))
    url = reverse("roles:sync", args=[entered.pk])
    assert "Starting" in editor.get(url).content.decode()
    entered.progress = {"phase": "reading", **sync.progress_of(Reading(calls=1200, users=40120, throttled=3, rate=1))}
    entered.progress |= {"expected": 6910, "seconds_left": 200}
    entered.save(update_fields=["progress"])
    page = editor.get(url).content.decode()
    for words in ("40,120 people", "of about 6,910", "3 of them throttled", "about 4 minutes left", "Look again"):
        assert words in page
    part = editor.get(url, headers={"HX-Request": "true", "HX-Target": "sync-progress"})
    assert "<html" not in part.content.decode()
    assert "HX-Refresh" not in part.headers
    SyncRun.objects.update(state="unchanged")
    part = editor.get(url, headers={"HX-Request": "true", "HX-Target": "sync-progress"})
    assert part.headers["HX-Refresh"] == "true"


def test_a_run_whose_process_died_says_so_and_offers_another(editor: Client) -> None:
    entered = sync.start(by=Actor("sub-ada", "Ada"))
    url = reverse("roles:sync", args=[entered.pk])
    assert "No sign of life" not in editor.get(url).content.decode()
    SyncRun.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=4))
    page = editor.get(url).content.decode()
    assert "No sign of life since" in page
    assert "Sync now" in page


def test_a_click_does_not_wait_for_a_large_pool(editor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roles.views.PATIENCE", 0.0)
    monkeypatch.setattr(sync, "launch", lambda run: None)
    page = editor.post(reverse("roles:sync-start"), follow=True).content.decode()
    assert "Starting" in page
    assert SyncRun.objects.get().state == "running"


def test_the_process_of_a_run_is_started_and_a_run_that_it_leaves_behind_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[list[str]] = []
    threads: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: started.append(command))
    monkeypatch.setattr(threading, "Thread", lambda **how: SimpleNamespace(start=lambda: threads.append(how)))
    entered = sync.start(by=Actor("sub-ada", "Ada"))
    launch(entered)
    assert started[0][-3:] == ["sync_cognito", "--run", str(entered.pk)]
    monkeypatch.setattr(sync, "connection", SimpleNamespace(close=lambda: None))
    sync._outlive(SimpleNamespace(wait=lambda: 3), entered, Actor("sub-ada", "Ada"))  # type: ignore[arg-type]
    entered.refresh_from_db()
    assert (entered.state, entered.error) == ("failed", "Its process ended early (code 3). The log has the details.")


def test_a_process_that_cannot_be_started_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", fail)
    entered = sync.start(by=Actor("sub-ada", "Ada"))
    launch(entered)
    entered.refresh_from_db()
    assert entered.state == "failed"
    assert "could not be started (Cannot allocate memory)" in entered.error


launch = sync.launch  # as it is outside tests


@pytest.mark.parametrize(("hours", "warned"), [(1, False), (23, False), (25, True)])
def test_the_home_page_warns_when_the_last_good_sync_is_old(hours: int, warned: bool, editor: Client) -> None:
    run(remote(6))
    SyncRun.objects.update(finished_at=timezone.now() - timedelta(hours=hours))
    assert ("longer ago than it should be" in editor.get(reverse("home")).content.decode()) is warned
