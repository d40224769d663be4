"""A sync applies whole or not at all, never takes anything from what Core is told, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from time import sleep
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from deployments.access.source import people_at, people_now
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from roles import mirror, sync
from roles.models import Absence, Membership, Role, SyncRun, User
from roles.reading import CognitoError, Pool, Reading, RemoteGroup, RemoteUser
from roles.sync import AlreadyRunningError, run_sync
from tests.roles.conftest import CognitoPool

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning"),  # inside moto
]
BY = Actor.command("tests")


def remote(people: int = 6, **groups: str) -> Pool:
    """A pool of so many people; `analysts="012"` is a group of the people 0, 1 and 2."""
    return Pool(
        {name: RemoteGroup(name) for name in groups},
        {f"sub-{n}": RemoteUser(f"sub-{n}", f"user-{n}", f"user-{n}@example.com", f"User {n}") for n in range(people)},
        {name: frozenset(f"sub-{n}" for n in digits) for name, digits in groups.items()},
    )


def disabled(pool: Pool, digits: str = "") -> Pool:
    """This pool, with these people disabled."""
    away = {f"sub-{digit}" for digit in digits}
    users = {sub: user._replace(enabled=sub not in away) for sub, user in pool.users.items()}
    return replace(pool, users=users)


def run(pool: Pool | Exception, **options: Any) -> SyncRun:
    """A sync of this pool, or of one that cannot be read. Who is missing from it is nowhere else."""

    def read(progress: Any, /, *, earlier_calls: int | None) -> Pool:
        progress(Reading(earlier_calls, calls=3))
        if isinstance(pool, Exception):
            raise pool
        return pool

    return run_sync(by=BY, read=read, **{"look_up": lambda subs, progress: (), **options})


def state() -> tuple[Any, ...]:
    return (
        list(Role.objects.order_by("pk").values()),
        list(User.objects.order_by("pk").values()),
        list(Membership.objects.order_by("pk").values()),
    )


def members(name: str) -> set[str]:
    found = Membership.objects.filter(role__name=name, until=None).values_list("user__sub", flat=True)
    return {sub.removeprefix("sub-") for sub in found}


def test_the_first_sync_takes_everything_in() -> None:
    result = run(remote(analysts="012", engineers="23"))
    assert result.state == "applied"
    assert result.finished_at is not None
    assert (members("analysts"), members("engineers")) == ({"0", "1", "2"}, {"2", "3"})
    assert User.objects.count() == 6
    entry = Entry.objects.get()
    assert entry.act == "sync.applied"
    assert entry.note == "2 groups added, 6 users added, 5 memberships added"


def test_an_unchanged_pool_changes_no_row() -> None:
    run(remote(analysts="012"))
    before = state()
    assert run(remote(analysts="012")).state == "unchanged"
    assert state() == before
    assert Entry.objects.count() == 1


def test_a_membership_that_ends_is_closed_and_one_that_comes_back_is_new() -> None:
    run(remote(analysts="01234"))
    run(remote(analysts="0123"))
    closed = Membership.objects.get(user__sub="sub-4")
    assert closed.until is not None
    run(remote(analysts="01234"))
    assert Membership.objects.filter(user__sub="sub-4").count() == 2
    closed.refresh_from_db()
    assert closed.until is not None


def test_a_group_that_goes_keeps_its_role_for_the_export() -> None:
    run(remote(analysts="01", engineers="2", legal="3", finance="4", support="5"), allow_removals=True)
    Role.objects.filter(name="engineers").update(in_settings=True, body='{"costLimit": {"day": 1}}')
    result = run(remote(analysts="01", legal="3", finance="4", support="5"), allow_removals=True)
    role = Role.objects.get(name="engineers")
    assert (role.pool, role.in_settings, role.body) == ("gone", True, '{"costLimit": {"day": 1}}')
    assert role.gone_at is not None
    assert members("engineers") == set()
    assert {"state": "removed", "kind": "group", "name": "engineers"}.items() <= result.changes[0].items()
    run(remote(analysts="01", engineers="2", legal="3", finance="4", support="5"))
    role.refresh_from_db()
    assert role.pool == "present"
    assert Role.objects.filter(name="engineers", gone_at=None).exists()


def test_a_role_that_was_no_group_becomes_one_and_stays_the_same_row() -> None:
    role = Role.objects.create(name="analysts", in_settings=True)
    run(remote(analysts="0"))
    role.refresh_from_db()
    assert (role.pool, role.in_settings) == ("present", True)


def test_a_person_who_goes_stays_on_record_and_comes_back_as_the_same_row() -> None:
    run(remote(6))
    pk = User.objects.get(sub="sub-5").pk
    run(remote(5))
    assert User.objects.get(pk=pk).gone_at is not None
    run(remote(6))
    assert User.objects.get(sub="sub-5").pk == pk
    assert User.objects.get(pk=pk).gone_at is None


def absences() -> list[tuple[str, str, bool]]:
    """(person, kind, whether it has ended), in the order in which they began."""
    rows = Absence.objects.order_by("pk").values_list("user__sub", "kind", "until")
    return [(sub.removeprefix("sub-"), kind, until is not None) for sub, kind, until in rows]


def test_who_is_disabled_or_gone_is_absent_until_they_return() -> None:
    full = remote(6, analysts="012")
    run(full)
    assert absences() == []
    run(disabled(full, "5"))
    run(disabled(full, "5"))
    assert absences() == [("5", "disabled", False)]
    run(disabled(remote(5, analysts="012")))
    assert absences() == [("5", "disabled", False), ("5", "gone", False)]
    run(full)
    assert absences() == [("5", "disabled", True), ("5", "gone", True)]
    run(disabled(remote(7, analysts="012"), "56"))
    assert absences()[2:] == [("5", "disabled", False), ("6", "disabled", False)]


def test_the_audit_follows_who_leaves_from_the_sync_that_saw_it() -> None:
    full = remote(9, analysts="012345678")
    run(full)
    before = timezone.now()
    run(disabled(remote(8, analysts="01234567"), "7"))
    after = timezone.now()
    left = {f"user-{n}" for n in range(9)}
    assert set(people_at(before).names) == left
    assert set(people_at(after).names) == set(people_now().names) == left - {"user-7", "user-8"}
    run(full)
    assert set(people_now().names) == left
    assert set(people_at(after).names) == left - {"user-7", "user-8"}


def test_an_absence_that_an_older_sync_left_out_is_made_good() -> None:
    run(disabled(remote(6, analysts="012"), "5"))
    Absence.objects.all().delete()
    run(disabled(remote(6, analysts="01"), "5"), allow_removals=True)
    assert absences() == [("5", "disabled", False)]


def test_who_was_disabled_or_gone_before_absences_were_kept_is_entered_by_the_migration() -> None:
    run(remote(6))
    when = timezone.now() - timedelta(days=3)
    User.objects.filter(sub="sub-0").update(gone_at=when)
    User.objects.filter(sub="sub-1").update(enabled=False)
    import_module("roles.migrations.0003_absences_so_far").enter(apps, None)
    good = SyncRun.objects.get()
    assert list(Absence.objects.values_list("user__sub", "kind", "since")) == [
        ("sub-0", "gone", when),
        ("sub-1", "disabled", good.finished_at),
    ]


@pytest.mark.parametrize("how", ["out of the group", "disabled", "gone", "disabled when first seen"])
def test_who_leaves_loses_the_level_of_the_dashboard_at_once(how: str, ada: Staff) -> None:
    Staff.objects.filter(pk=ada.pk).update(sub="sub-5", groups=["dial-publishers", "of the token alone"])
    kept = remote(6, **{"dial-publishers": "012345", "z": "0"})
    run(remote(5, **{"dial-publishers": "01234", "z": "0"}) if how == "disabled when first seen" else kept)
    pools = {
        "out of the group": remote(6, **{"dial-publishers": "01234", "z": "0"}),
        "gone": remote(5, **{"dial-publishers": "01234", "z": "0"}),
    }
    assert run(pools.get(how, disabled(kept, "5"))).state == "applied"
    ada.refresh_from_db()
    assert ada.level == "none"
    assert ada.groups == (["of the token alone"] if how == "out of the group" else [])
    entry = Entry.objects.get(act="staff.groups-lost")
    assert entry.actor_name == BY.name


def test_who_stays_keeps_the_level_of_the_dashboard(ada: Staff) -> None:
    Staff.objects.filter(pk=ada.pk).update(sub="sub-5", groups=["dial-publishers"])
    run(remote(6, **{"dial-publishers": "012345", "z": "012345"}))
    run(remote(6, **{"dial-publishers": "01235", "z": "12345"}))
    ada.refresh_from_db()
    assert (ada.level, ada.groups) == ("publisher", ["dial-publishers"])


@pytest.mark.parametrize("pool", [remote(2, analysts="01"), remote(6, analysts="0"), remote(6, engineers="0")])
def test_a_sync_that_would_remove_much_stops_before_it_changes_anything(pool: Pool) -> None:
    run(remote(6, analysts="012345"))
    before = state()
    result = run(pool)
    assert result.state == "stopped"
    assert "It would remove" in result.error
    assert result.changes
    assert state() == before
    first = Entry.objects.first()
    assert first is not None
    assert first.act == "sync.stopped"
    assert run(pool, allow_removals=True).state == "applied"


def test_a_pool_that_cannot_be_read_changes_nothing() -> None:
    run(remote(analysts="012"))
    before = state()
    result = run(CognitoError("Cognito throttled the sync."))
    assert (result.state, result.error) == ("failed", "Cognito throttled the sync.")
    assert state() == before
    first = Entry.objects.first()
    assert first is not None
    assert first.act == "sync.failed"


@pytest.mark.parametrize("pool", [Pool(), Pool(users=remote(6).users)])
def test_a_pool_that_is_suddenly_empty_is_never_believed(pool: Pool) -> None:
    run(remote(6, analysts="0"))
    before = state()
    result = run(pool, allow_removals=True)
    assert result.state == "failed"
    assert "not believed" in result.error
    assert state() == before


def test_removals_are_allowed_as_far_as_somebody_has_seen_them() -> None:
    run(remote(8, analysts="01234567"))
    seen = run(remote(5, analysts="01234")).counts
    assert (seen["users_gone"], seen["memberships_removed"]) == (3, 3)
    grown = run(remote(4, analysts="0123"), allow_removals=True, seen=seen)
    assert grown.state == "stopped"
    assert "more than what was allowed" in grown.error
    assert run(remote(5, analysts="01234"), allow_removals=True, seen=seen, note="They left").state == "applied"
    entry = Entry.objects.first()
    assert entry is not None
    assert entry.note == "3 users gone, 3 memberships removed. They left"


@pytest.mark.parametrize("broken", ["_apply_users", "_open_memberships", "record"])
def test_a_sync_that_breaks_in_the_middle_leaves_nothing(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run(remote(analysts="012"))
    before = state()
    module = sync if broken == "record" else mirror
    real = getattr(module, broken)
    calls: list[int] = []

    def fail(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("broken")
        return real(*args, **kwargs)

    monkeypatch.setattr(module, broken, fail)
    result = run(remote(8, analysts="0123", engineers="4"))
    assert result.state == "failed"
    assert "unexpectedly (RuntimeError)" in result.error
    assert "RuntimeError: broken" in caplog.text
    assert state() == before
    assert run(remote(8, analysts="0123", engineers="4")).state == "applied"


def test_an_interrupted_sync_blocks_nobody() -> None:
    def read(progress: Any, /, *, earlier_calls: int | None) -> Pool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sync(by=BY, read=read)
    assert SyncRun.objects.get().state == "failed"
    assert run(remote()).state == "applied"


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_pool_is_read() -> None:
    open_while_reading: list[bool] = []

    def read(progress: Any, /, *, earlier_calls: int | None) -> Pool:
        open_while_reading.append(connection.in_atomic_block)
        return remote(analysts="0")

    assert run_sync(by=BY, read=read).state == "applied"
    assert open_while_reading == [False]


def test_a_clock_that_was_set_back_ends_no_membership_before_it_began() -> None:
    run(remote(analysts="012345"))
    later = timezone.now() + timedelta(days=1)
    Membership.objects.update(since=later)
    run(remote(analysts="01234"))
    assert Membership.objects.get(user__sub="sub-5").until == later


def test_a_run_that_is_told_to_stop_ends_while_it_reads() -> None:
    result = run(remote(), stop=lambda: "Its process was told to stop.")
    assert (result.state, result.error) == ("failed", "Its process was told to stop.")
    assert not User.objects.exists()


def test_a_list_that_lacks_somebody_whom_the_pool_has_is_not_believed() -> None:
    run(remote(8, analysts="012"))
    before = state()
    asked: list[Any] = []

    def look_up(subs: Any, progress: Any) -> Any:
        asked.extend(subs)
        return {"sub-7"}

    result = run(remote(7, analysts="012"), look_up=look_up)
    assert result.state == "failed"
    assert "incomplete: it left out 1 of 1" in result.error
    assert asked == ["sub-7"]
    assert state() == before


def test_no_more_people_are_looked_up_than_a_sync_can_spare() -> None:
    run(remote(200))
    asked: list[Any] = []

    def look_up(subs: Any, progress: Any) -> Any:
        asked.extend(subs)
        return ()

    run(remote(20), look_up=look_up)
    assert len(asked) == len(set(asked)) == sync.LOOKED_UP


def test_another_pool_waits_for_a_person_however_little_it_changes(settings: Any) -> None:
    run(remote(6, analysts="012"))
    settings.COGNITO_USER_POOL_ID = "eu-west-1_Another1"
    result = run(remote(7, analysts="012"))
    assert result.state == "stopped"
    assert "read from the pool eu-west-1_TestPool1; COGNITO_USER_POOL_ID is now eu-west-1_Another1" in result.error
    assert run(remote(7, analysts="012"), allow_removals=True, seen=result.counts).state == "applied"
    assert run(remote(7, analysts="012")).state == "unchanged"


def test_what_was_changed_here_while_the_pool_was_read_is_left_alone() -> None:
    run(remote(6, analysts="012"))

    def read(progress: Any, /, *, earlier_calls: int | None) -> Pool:
        sleep(0.005)
        later = timezone.now()
        analysts, user = Role.objects.get(name="analysts"), User.objects.get(sub="sub-5")
        Membership.objects.create(role=analysts, user=user, since=later)
        Membership.objects.filter(user__sub="sub-0").update(until=later)
        return remote(6, analysts="012")

    assert run_sync(by=BY, read=read).state == "unchanged"
    assert members("analysts") == {"1", "2", "5"}


def test_a_sign_of_life_that_does_not_get_through_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside tests no transaction is open while the pool is read, so that a new connection may help."""
    run_row = sync.start(by=BY)
    pulse = sync._Pulse(run_row, lambda reading: None, lambda: "")
    monkeypatch.setattr(sync, "_update", raising(OperationalError("gone")))
    closed: list[int] = []
    monkeypatch.setattr(sync, "connection", SimpleNamespace(in_atomic_block=False, close=lambda: closed.append(1)))
    pulse(Reading())
    assert closed == [1]


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_a_dry_run_shows_the_changes_and_makes_none() -> None:
    result = run(remote(analysts="01"), dry_run=True)
    assert result.state == "preview"
    assert {change["kind"] for change in result.changes} == {"group", "user", "membership"}
    assert state() == ([], [], [])


def test_a_second_sync_does_not_start_while_one_runs() -> None:
    running = SyncRun.objects.create(by="another")
    with pytest.raises(AlreadyRunningError, match=f"Sync {running.pk} of another, started 0.minutes ago"):
        run(remote())
    SyncRun.objects.filter(pk=running.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=11))
    assert run(remote()).state == "applied"
    running.refresh_from_db()
    assert running.state == "failed"
    assert "no sign of life for 11\xa0minutes" in running.error


def test_a_run_that_was_taken_for_dead_applies_nothing_when_it_wakes() -> None:
    def read(progress: Any, /, *, earlier_calls: int | None) -> Pool:
        SyncRun.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=11))
        run(remote(3, analysts="0"))
        return remote(6, engineers="12")

    woken = run_sync(by=BY, read=read)
    assert woken.state == "failed"
    assert "no sign of life" in woken.error
    assert User.objects.count() == 3
    assert members("engineers") == set()


def test_a_run_gives_signs_of_life_while_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "BEAT_EVERY", -1.0)
    beats: list[Any] = []

    def read(progress: Any, /, *, earlier_calls: int | None) -> Pool:
        for calls in range(3):
            sleep(0.002)  # a tick of SQLite's clock
            progress(Reading(calls=calls, users=60 * calls))
            run = SyncRun.objects.get()
            beats.append(run.heartbeat_at)
            assert (run.progress["phase"], run.progress["people"]) == ("reading", 60 * calls)
        return remote()

    result = run_sync(by=BY, read=read)
    assert beats == sorted(set(beats))
    assert (result.progress["phase"], result.progress["calls"]) == ("", 2)


def test_the_statements_grow_by_batches_not_by_rows() -> None:
    def statements(people: int) -> list[int]:
        """Of a first sync of so many people in 20 groups, and of one that takes a tenth of them away."""
        full = remote(people, **{f"group-{n}": "" for n in range(20)})
        full = Pool(full.groups, full.users, dict.fromkeys(full.groups, frozenset(full.users)))
        rest = {sub: user for sub, user in full.users.items() if not sub.endswith("7")}
        fewer = Pool(full.groups, rest, dict.fromkeys(full.groups, frozenset(rest)))
        counted = []
        for pool in (full, fewer):
            with CaptureQueriesContext(connection) as captured:
                assert run(pool).state == "applied"
            counted.append(len(captured))
        Membership.objects.all().delete()
        Absence.objects.all().delete()
        User.objects.all().delete()
        Role.objects.all().delete()
        return counted

    few = statements(10)
    many = statements(200)  # 4,000 memberships
    assert many[0] <= few[0] + 4000 // 200  # SQLite takes fewer rows in one statement than PostgreSQL
    assert many[1] <= few[1] + 2


def test_the_real_pool_is_read_and_applied_by_the_command(
    pool: CognitoPool, capsys: pytest.CaptureFixture[str]
) -> None:
    pool.group("analysts")
    pool.user("grace", "analysts")
    call_command("sync_cognito", "--dry-run")
    assert "Nothing was changed" in capsys.readouterr().out
    assert not User.objects.exists()
    call_command("sync_cognito")
    out = capsys.readouterr().out
    assert "+ group analysts" in out
    assert "+ membership Grace (in analysts)" in out
    assert "Read 1 users, 1 groups and 1 memberships. Applied: 1 group added, 1 user added" in out
    call_command("sync_cognito")
    assert "Nothing has changed." in capsys.readouterr().out
    pool.user("alan")
    pool.api.admin_delete_user(UserPoolId=pool.id, Username="grace")
    with pytest.raises(CommandError, match="--allow-removals") as stopped:
        call_command("sync_cognito")
    assert stopped.value.returncode == 2
    call_command("sync_cognito", "--allow-removals")
    assert User.objects.get(username="grace").gone_at is not None


def test_the_command_says_why_it_failed(pool: CognitoPool, settings: Any) -> None:
    settings.COGNITO_USER_POOL_ID = "eu-west-1_Missing"
    with pytest.raises(CommandError, match="There is no user pool") as failed:
        call_command("sync_cognito")
    assert failed.value.returncode == 1
    SyncRun.objects.create(by="another")
    with pytest.raises(CommandError, match="still running"):
        call_command("sync_cognito")


@pytest.fixture
def editor(client_of: Callable[[Staff], Client], edit: Staff) -> Client:
    return client_of(edit)


def test_the_button_syncs_and_shows_what_changed(editor: Client, pool: CognitoPool) -> None:
    pool.group("analysts")
    pool.user("grace", "analysts")
    page = editor.post(reverse("roles:sync-start"), follow=True).content.decode()
    assert "Applied" in page
    assert "Grace" in page
    assert members("analysts") != set()


def test_the_button_previews_and_asks_before_much_is_removed(editor: Client, pool: CognitoPool) -> None:
    run(remote(6, analysts="0123"))
    pool.group("analysts")
    pool.user("alan")
    page = editor.post(reverse("roles:sync-start"), {"mode": "preview"}, follow=True).content.decode()
    assert "Preview only" in page
    page = editor.post(reverse("roles:sync-start"), follow=True).content.decode()
    assert "Is it right?" in page
    assert User.objects.filter(gone_at=None).count() == 6
    stopped = SyncRun.objects.get(state="stopped")
    answers = {"mode": "allow-removals", "run": stopped.pk}
    for wrong in ({}, {"reason": "They left"}, {"reason": "They left", "confirmation": "yes"}):
        assert editor.post(reverse("roles:sync-start"), {**answers, **wrong}).status_code == 400
    assert User.objects.filter(gone_at=None).count() == 6
    right = {"reason": "They left", "confirmation": "remove"}
    assert editor.post(reverse("roles:sync-start"), {**answers, **right, "run": "x"}).status_code == 404
    page = editor.post(reverse("roles:sync-start"), {**answers, **right}, follow=True).content.decode()
    assert "Applied" in page
    entry = Entry.objects.first()
    assert entry is not None
    assert "Removals allowed: They left" in entry.note
    assert [user.username for user in User.objects.filter(gone_at=None)] == ["alan"]


def test_a_second_click_while_a_sync_runs_is_harmless(editor: Client) -> None:
    SyncRun.objects.create(by="another")
    page = editor.post(reverse("roles:sync-start"), follow=True).content.decode()
    assert "still running" in page


@pytest.mark.parametrize("name", ["roles:list", "roles:users", "roles:syncs"])
def test_lists_take_as_many_queries_for_few_rows_as_for_many(name: str, editor: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert editor.get(reverse(name)).status_code == 200
        return len(captured)

    run(remote(2, analysts="01"))
    few = queries()
    run(remote(9, analysts="012345678", engineers="01", legal="2"))
    assert queries() == few


@pytest.mark.parametrize("name", ["roles:list", "roles:users", "roles:syncs"])
def test_a_list_without_rows_says_what_to_do(name: str, editor: Client) -> None:
    assert 'class="empty"' in editor.get(reverse(name)).content.decode()
    assert "Show all" in editor.get(reverse(name), {"q": "x", "pool": "gone", "state": "failed"}).content.decode()


def test_pages_show_members_and_past_memberships(editor: Client) -> None:
    run(remote(6, analysts="01234"))
    run(remote(6, analysts="0123"))
    role = Role.objects.get(name="analysts")
    page = editor.get(reverse("roles:detail", args=[role.pk])).content.decode()
    assert "User 3" in page
    assert "User 4" not in page
    assert "1 earlier membership ended" in page
    person = editor.get(reverse("roles:user", args=[User.objects.get(sub="sub-4").pk])).content.decode()
    assert "Earlier groups" in person
    assert "In no group" in person


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("analysts", "There is a role"),
        ("Analysts", "two roles"),
        ("a/b", "0.38"),
        (" a", "would match no group"),
        ("\u00a0a", "would match no group"),
        ("   ", "Give the role a name"),
        ("", "required"),
        ("ANALYSTS", "analysts differs in case alone"),
    ],
)
def test_a_role_name_that_core_would_drop_or_mix_up_is_refused_beside_the_field(
    name: str, words: str, editor: Client
) -> None:
    Role.objects.create(name="analysts")
    response = editor.post(reverse("roles:create"), {"name": name})
    assert response.status_code == 400
    assert words in response.content.decode()
    assert 'id="id_name_errors"' in response.content.decode()
    assert Role.objects.count() == 1


def test_a_new_role_is_known_and_not_yet_in_the_settings(editor: Client) -> None:
    editor.post(reverse("roles:create"), {"name": "reporters"})
    role = Role.objects.get()
    assert (role.name, role.in_settings, role.pool) == ("reporters", False, "none")
    assert Entry.objects.get().act == "role.created"
