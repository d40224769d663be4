"""Whatever happens while the pool is read, nobody loses access by accident, and the run says why it ended.

Each fault is put on the wire: into a server that speaks Cognito's protocol (`stand_in.py`), so that the real client,
its signatures and its retries are part of what is tested.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from deployments import draft
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from roles import reading
from roles.models import Absence, Membership, Role, SyncRun, User
from roles.sync import run_sync
from tests.deployments.factories import make_draft
from tests.roles.stand_in import POOL, Directory, Refusal, StandIn, serving

pytestmark = pytest.mark.django_db
BY = Actor.command("tests")
ROOT = Path(__file__).parents[2]
PEOPLE, GROUPS, MEMBERSHIPS = 200, 5, 400


@pytest.fixture
def service(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A pool of 200 people in 5 groups (four pages of people), served on loopback."""
    monkeypatch.setattr(reading, "PAUSE", 0.002)
    service = StandIn(Directory.invented(PEOPLE, GROUPS, MEMBERSHIPS))
    with serving(service) as address:
        settings.COGNITO_ENDPOINT_URL, settings.COGNITO_USER_POOL_ID = address, POOL
        yield service


@pytest.fixture
def known(service: StandIn, ada: Staff) -> tuple[Any, ...]:
    """What is known after a good sync, with a draft that gives the groups access and a publisher among the people."""
    make_draft()
    sub = service.directory.people[0][0]
    Staff.objects.filter(pk=ada.pk).update(sub=sub, groups=["dial-publishers"])
    service.directory.groups["dial-publishers"] = [0, 1]
    assert run_sync(by=BY).state == "applied"
    service.calls.clear()
    return access()


def access() -> tuple[Any, ...]:
    """Everything on which somebody's access depends, in the audit, the draft and the dashboard."""
    return (
        set(Membership.objects.values_list("role__name", "user__sub", "since", "until")),
        set(User.objects.values_list("sub", "enabled", "gone_at")),
        set(Absence.objects.values_list("user", "kind", "until")),
        set(Role.objects.values_list("name", "pool", "in_settings", "body")),
        draft.current().version,
        list(Staff.objects.values_list("sub", "level")),
    )


@contextmanager
def fault(service: StandIn, plant: Callable[[str, int, dict[str, Any]], Any]) -> Iterator[None]:
    service.fault, before = plant, service.fault
    yield
    service.fault = before


def refusing(operation: str, code: str, status: int = 400, numbers: Callable[[int], bool] = lambda n: True) -> Any:
    def plant(called: str, number: int, arguments: dict[str, Any]) -> None:
        if called == operation and numbers(number):
            raise Refusal(code, status)

    return plant


def cutting(operation: str, numbers: Callable[[int], bool]) -> Any:
    return lambda called, number, arguments: "cut" if called == operation and numbers(number) else None


def failed(words: str) -> SyncRun:
    """A sync fails for this reason, and says so on its page and in history."""
    run = run_sync(by=BY)
    assert run.state == "failed", run.error
    assert words in run.error
    entry = Entry.objects.first()
    assert entry is not None
    assert (entry.act, entry.note) == ("sync.failed", run.error)
    return run


# --- Trouble that passes: the run goes on, and what was read stays read ------------------------------


@pytest.mark.parametrize("every", [2, 3, 7])
def test_throttling_on_every_nth_call_slows_a_sync_and_changes_nothing(
    every: int, service: StandIn, known: tuple[Any, ...]
) -> None:
    def plant(called: str, number: int, arguments: dict[str, Any]) -> None:
        if called != "DescribeUserPool" and sum(service.calls.values()) % every == 0:
            raise Refusal("TooManyRequestsException")

    with fault(service, plant):
        run = run_sync(by=BY)
    assert run.state == "unchanged", run.error
    assert run.progress["throttled"] > 0
    assert run.progress["needed"] == service.directory.needed()  # no page was asked for again but the throttled ones
    assert sum(service.calls.values()) == service.directory.needed() + run.progress["throttled"]
    assert access() == known


@pytest.mark.parametrize(
    "plant",
    [
        cutting("ListUsers", lambda n: n in (1, 2)),
        cutting("ListUsersInGroup", lambda n: n % 2 == 0),
        refusing("ListUsers", "InternalErrorException", 500, lambda n: n in (0, 2)),
        lambda called, number, arguments: "<html>proxy</html>" if called == "ListGroups" and number == 0 else None,
    ],
    ids=["cut in the list of people", "cut in groups", "internal errors", "a proxy answers"],
)
def test_a_connection_that_is_cut_is_taken_up_again(plant: Any, service: StandIn, known: tuple[Any, ...]) -> None:
    with fault(service, plant):
        run = run_sync(by=BY)
    assert run.state == "unchanged", run.error
    assert run.progress["repeated"] > 0
    assert access() == known


# --- Trouble that does not pass: nothing is kept -----------------------------------------------------


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (refusing("ListUsers", "TooManyRequestsException", 400, lambda n: n >= 2), "throttled"),
        (refusing("ListUsers", "InternalErrorException", 500, lambda n: n >= 2), "problem of its own"),
        (cutting("ListUsers", lambda n: n >= 2), "was cut off"),
        (cutting("ListUsersInGroup", lambda n: n >= 3), "was cut off"),
        (refusing("ListUsersInGroup", "AccessDeniedException", 400, lambda n: n >= 3), "cognito-idp:ListUsersInGroup"),
        (refusing("ListUsers", "ExpiredTokenException", 400, lambda n: n >= 2), "expired"),
        (lambda called, n, a: {"PaginationToken": "x"} if called == "ListUsers" and n == 2 else None, "lacks Users"),
        (lambda called, n, a: {"Users": [{}]} if called == "ListUsersInGroup" and n == 2 else None, "lacks sub"),
    ],
    ids=["throttled", "errors", "cut", "cut in groups", "denied in the middle", "expired", "no list", "no people"],
)
def test_a_page_that_is_lost_in_the_middle_fails_the_whole(
    plant: Any, words: str, service: StandIn, known: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ATTEMPTS", 3)
    service.directory.people += [("sub-of-new", "new", "new@example.com", "New", True)]
    with fault(service, plant):
        failed(words)
    assert access() == known
    assert run_sync(by=BY).state == "applied"
    assert User.objects.filter(sub="sub-of-new").exists()


def test_a_page_that_cognito_leaves_out_without_a_word_is_noticed(service: StandIn, known: tuple[Any, ...]) -> None:
    """People who are in no group, so that no other list tells of them."""
    service.directory.people += [(f"sub-{n}", f"u{n}", "", "", True) for n in range(60)]
    assert run_sync(by=BY).state == "applied"
    before = access()

    def plant(called: str, number: int, arguments: dict[str, Any]) -> Any:
        if called == "ListUsers" and arguments.get("PaginationToken") == b"users@180".hex():
            return {"Users": []}  # and no further token
        return None

    with fault(service, plant):
        run = failed("Cognito's list of people was incomplete")
    assert access() == before
    assert run.progress["people"] >= 180  # who was read, not who was looked up


def test_a_token_that_comes_twice_ends_the_reading(service: StandIn, known: tuple[Any, ...]) -> None:
    again = b"users@60".hex()

    def plant(called: str, number: int, arguments: dict[str, Any]) -> Any:
        return {"Users": [], "PaginationToken": again} if called == "ListUsers" and number >= 2 else None

    with fault(service, plant):
        failed("sent a page twice")
    assert service.calls["ListUsers"] <= 4
    assert access() == known


# --- A pool that is not what it was ------------------------------------------------------------------


def test_a_group_deleted_between_two_calls_goes_and_nothing_else(service: StandIn, known: tuple[Any, ...]) -> None:
    name = list(service.directory.groups)[-2]

    def plant(called: str, number: int, arguments: dict[str, Any]) -> None:
        if called == "ListUsersInGroup" and arguments["GroupName"] == name:
            service.directory.groups.pop(name, None)

    service.directory.groups |= {f"more-{n}": [n] for n in range(20)}
    assert run_sync(by=BY).state == "applied"
    before = access()
    with fault(service, plant):
        run = run_sync(by=BY)
    assert run.state == "applied", run.error
    ended = {group for group, sub, since, until in access()[0] - before[0]}
    assert ended == {name}
    role = Role.objects.get(name=name)
    assert (role.pool, access()[1], access()[4]) == ("gone", before[1], before[4])


@pytest.mark.parametrize("what", ["people", "groups"])
@pytest.mark.parametrize("allowed", [True, False])
def test_an_empty_pool_is_never_believed(what: str, allowed: bool, service: StandIn, known: tuple[Any, ...]) -> None:
    service.directory = Directory() if what == "people" else Directory(service.directory.people)
    run = run_sync(by=BY, allow_removals=allowed)
    assert run.state == "failed"
    assert f"no {what}" in run.error
    assert access() == known


def test_another_pool_id_waits_for_a_person(settings: Any, service: StandIn, known: tuple[Any, ...]) -> None:
    settings.COGNITO_USER_POOL_ID = "eu-west-1_Mistyped1"
    failed("There is no user pool eu-west-1_Mistyped1")
    settings.COGNITO_USER_POOL_ID = service.pool = "eu-west-1_Another01"
    service.directory = Directory.invented(PEOPLE, GROUPS, MEMBERSHIPS, seed=2)
    run = run_sync(by=BY)
    assert run.state == "stopped"
    assert f"What is known was read from the pool {POOL}" in run.error
    assert "200 of 200 people (100%)" in run.error
    assert access() == known


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_wrong_is_named(hours: int, service: StandIn, known: tuple[Any, ...]) -> None:
    service.clock = lambda: time.time() + hours * 3600
    failed("the clock of this machine")
    assert access() == known


# --- Processes --------------------------------------------------------------------------------------


def test_of_two_syncs_at_once_the_second_does_not_begin(service: StandIn, known: tuple[Any, ...]) -> None:
    met: list[str] = []

    def plant(called: str, number: int, arguments: dict[str, Any]) -> None:
        if called == "ListGroups" and number == 0:
            met.append("reading")

    def tell(so_far: reading.Reading) -> None:
        if met == ["reading"]:
            with pytest.raises(CommandError, match=r"Sync \d+ of command tests, started .* is still running"):
                call_command("sync_cognito")
            met.append("refused")

    with fault(service, plant):
        run = run_sync(by=BY, tell=tell)
    assert (met, run.state) == (["reading", "refused"], "unchanged")
    assert access() == known
    assert SyncRun.objects.count() == 2


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The tables of this test's database in a file, for other processes."""
    if connection.vendor != "sqlite":
        pytest.skip("the copy is made by SQLite's backup")
    path = tmp_path / "dialadmin.sqlite3"
    connection.ensure_connection()
    with sqlite3.connect(path) as copy:
        connection.connection.backup(copy)
    copy.close()
    return path


def asked(path: Path, sql: str) -> list[Any]:
    with sqlite3.connect(path, timeout=10) as database:
        rows = database.execute(sql).fetchall()
    database.close()
    return rows


@pytest.mark.django_db(transaction=True)
def test_a_sync_that_is_killed_leaves_all_as_it_was_and_one_that_is_stopped_says_so(
    service: StandIn, database: Path, settings: Any
) -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{database}",
        "COGNITO_ENDPOINT_URL": settings.COGNITO_ENDPOINT_URL,
        "COGNITO_USER_POOL_ID": POOL,
    }
    reached, go_on = threading.Event(), threading.Event()

    def plant(called: str, number: int, arguments: dict[str, Any]) -> None:
        if called == "ListUsersInGroup" and number >= 3:
            reached.set()
            go_on.wait(20)

    def begin() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "sync_cognito", "--every", "1h"],
            cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    service.fault = plant
    with begin() as process:
        assert reached.wait(30)
        process.kill()
        go_on.set()
        process.communicate(timeout=20)
    counts = "SELECT (SELECT count(*) FROM roles_user), (SELECT count(*) FROM roles_membership)"
    assert asked(database, counts) == [(0, 0)]
    assert asked(database, "SELECT state FROM roles_syncrun") == [("running",)]
    asked(database, "UPDATE roles_syncrun SET heartbeat_at = '2026-01-01 00:00:00'")

    reached.clear()
    go_on.clear()
    service.calls.clear()
    with begin() as process:
        assert reached.wait(30)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        go_on.set()
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
    assert "told to stop. Nothing was changed." in out
    assert out.endswith("Stopped.\n")
    assert asked(database, counts) == [(0, 0)]
    runs = asked(database, "SELECT state, error FROM roles_syncrun ORDER BY id")
    assert [state for state, _ in runs] == ["failed", "failed"]
    assert "gave no sign of life" in runs[0][1]
    assert runs[1][1] == "Its process was told to stop."
    assert asked(database, "SELECT count(*) FROM history_entry WHERE act = 'sync.failed'") == [(2,)]
