"""One sync of the pool: read everything, plan (pure), judge the plan, apply it in one transaction.

A sync changes what we know of people. What Core is told (attachments, limits, the roles of API keys) it
never touches: a group that has gone keeps its role, marked gone, until somebody takes it away.
"""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import threading
import time
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any, Protocol

from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.timesince import timesince

from dialadmin.accounts.actions import lose_groups
from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Level
from dialadmin.history.recorder import Actor, Target, record
from roles import acts, cognito
from roles.mirror import apply, read_local
from roles.models import SyncRun
from roles.plan import REMOVALS, Local, Plan, describe, emptied, excessive, plan, summary
from roles.reading import CognitoError, Pool, Progress, Reading

logger = logging.getLogger(__name__)

# A run without a sign of life for this long is taken to be dead. It gives one every few seconds, also while it
# waits for Cognito, but for the time in which it writes.
STALE_AFTER = timedelta(minutes=3)
BEAT_EVERY = 2.0  # seconds
SHOWN = 300  # changes kept on the run for its page
LOOKED_UP = 60  # people who are missing from the list, asked for one by one before they are believed to be gone
GOOD = (SyncRun.State.APPLIED, SyncRun.State.UNCHANGED)


class AlreadyRunningError(Exception):
    """Another process is syncing; nothing was started. The text says which, and since when."""


class SyncRefusedError(Exception):
    """What was read must not be applied. The text is for people: why, and what to do."""


class Read(Protocol):
    """Reads the whole pool, or raises CognitoError."""

    def __call__(self, progress: Progress, /, *, earlier_calls: int | None) -> Pool: ...


# Which of these people, by sub, the pool has after all.
LookUp = Callable[[Collection[str], Progress], Collection[str]]


def run_sync(
    *,
    by: Actor,
    dry_run: bool = False,
    allow_removals: bool = False,
    seen: Mapping[str, int] | None = None,
    note: str = "",
    **how: Any,
) -> SyncRun:
    """One sync, in this process: `start`, then `perform` (which takes `how`). Raises AlreadyRunningError."""
    order = start(by=by, dry_run=dry_run, allow_removals=allow_removals, seen=seen, note=note)
    return perform(order, **how)


def start(
    *,
    by: Actor,
    dry_run: bool = False,
    allow_removals: bool = False,
    seen: Mapping[str, int] | None = None,
    note: str = "",
) -> SyncRun:
    """The row of a new run, which is the order to sync and the lock: the database takes one running row only.

    `allow_removals` applies a plan that removes more than SYNC_MAX_REMOVAL_SHARE. With `seen`, the counts of a
    run that somebody looked at, that holds for no more removals than they saw. Raises AlreadyRunningError.
    """
    dead = SyncRun.objects.filter(state=SyncRun.State.RUNNING, heartbeat_at__lt=Now() - STALE_AFTER)
    for run in dead:
        silent = timesince(run.heartbeat_at)
        _fail(run, f"It gave no sign of life for {silent}; its process was probably killed.", by=by)
    order = {
        "by": by.id,
        "allow_removals": allow_removals,
        "seen": None if seen is None else dict(seen),
        "note": note,
    }
    try:
        with transaction.atomic():
            run = SyncRun.objects.create(
                by=by.name[:255], dry_run=dry_run, order=order, pool_id=settings.COGNITO_USER_POOL_ID
            )
    except IntegrityError as error:
        other = SyncRun.objects.filter(state=SyncRun.State.RUNNING).first()
        which = (
            f"Sync {other.pk} of {other.by}, started {timesince(other.started_at)} ago," if other else "Another sync"
        )
        raise AlreadyRunningError(f"{which} is still running. Wait for it to end, then look at what it did.") from error
    run.refresh_from_db()  # the database's clock says when it began
    return run


def perform(
    run: SyncRun,
    *,
    read: Read | None = None,
    look_up: LookUp | None = None,
    tell: Progress = lambda reading: None,
    stop: Callable[[], str] = lambda: "",
) -> SyncRun:
    """Do what a run was started for. The run says what came of it, also when it failed or was stopped.

    Nothing of the mirror is written before the pool is read to its end, and then everything in one transaction,
    with its history entry. `tell` hears of progress; `stop` says why to end, if so, and is heeded until writing begins.
    """
    by = Actor(run.order.get("by", ""), run.by)
    begun = time.monotonic()
    try:
        pulse = _Pulse(run, tell, stop)
        remote = (read or cognito.read_pool)(pulse, earlier_calls=_earlier_calls(run))
        pulse.phase("comparing", seconds=round(time.monotonic() - begun, 1))
        local = read_local((run.started_at + timedelta(milliseconds=1), timezone.now()))  # SQLite's shows no less
        if reason := emptied(remote, local):
            raise SyncRefusedError(reason)
        _look_up(remote, local, look_up or cognito.still_there, pulse)
        pulse.phase("writing")
        _conclude(run, remote, local, by=by)
    except (CognitoError, SyncRefusedError) as error:
        logger.warning("sync %s failed: %s", run.pk, error, exc_info=error.__cause__)
        _fail(run, str(error), by=by)
    except Exception as error:
        logger.exception("sync %s failed unexpectedly", run.pk)
        if isinstance(error, DatabaseError) and not connection.in_atomic_block:
            connection.close()  # it may be broken; the next statement opens another
        _fail(run, f"It failed unexpectedly ({type(error).__name__}). The log has the details.", by=by)
    except BaseException:  # the command was interrupted: nobody has to wait for the run to grow stale
        _fail(run, "It was interrupted.", by=by)
        raise
    run.refresh_from_db()
    return run


def _earlier_calls(run: SyncRun) -> int | None:
    """How many calls the last good reading of this pool took: a first guess for this one."""
    earlier = SyncRun.objects.filter(state__in=GOOD, pool_id=run.pool_id).first()
    return earlier.progress.get("needed") if earlier else None


def _look_up(remote: Pool, local: Local, look_up: LookUp, pulse: _Pulse) -> None:
    """Do not believe a list of people that lacks somebody whom the pool has: Cognito's is only eventually complete."""
    missing = sorted(local.users.keys() - remote.users.keys())
    asked = missing if len(missing) <= LOOKED_UP else random.sample(missing, LOOKED_UP)
    if asked and (found := look_up(asked, pulse.alive)):
        raise SyncRefusedError(
            f"Cognito's list of people was incomplete: it left out {len(found):,} of {len(asked):,} looked up by name, "
            "who are there. Sync again in a minute."
        )


def _conclude(run: SyncRun, remote: Pool, local: Local, *, by: Actor) -> None:
    """Judge what was read, and apply it if it may be: the rows, the run and history together or not at all."""
    difference = plan(remote, local)
    run.counts = {
        **difference.counts(),
        "users": len(remote.users),
        "groups": len(remote.groups),
        "memberships": sum(len(subs) for subs in remote.members.values()),
    }
    run.changes = list(islice(describe(difference, ChainMap(remote.users, dict(local.users))), SHOWN))
    allowed, seen, note = (run.order.get(key) for key in ("allow_removals", "seen", "note"))
    words = _against(run, difference, local)
    grown = seen is not None and any(len(getattr(difference, name)) > seen.get(name, 0) for name in REMOVALS)
    words += " That is more than what was allowed." if words and allowed and grown else ""
    with transaction.atomic():
        if run.dry_run:
            _finish(run, SyncRun.State.PREVIEW, words)
        elif words and (grown or not allowed):
            _finish(run, SyncRun.State.STOPPED, words)
            record(acts.SYNC_STOPPED, by=by, target=_target(run), after=difference.counts(), note=words)
        elif difference.empty:
            _finish(run, SyncRun.State.UNCHANGED)
        else:
            _finish(run, SyncRun.State.APPLIED)
            apply(difference, now=timezone.now())
            _take_levels(difference, by=by)
            text = ". ".join(filter(None, (summary(difference.counts()), note)))
            record(acts.SYNCED, by=by, target=_target(run), after=difference.counts(), note=text)


def _against(run: SyncRun, difference: Plan, local: Local) -> str:
    """Why a person has to look at this plan before it is applied; "" when nobody has to."""
    words = []
    earlier = SyncRun.objects.filter(state__in=GOOD).exclude(pool_id="").first()
    if earlier is not None and earlier.pool_id != run.pool_id and (local.users or local.groups):
        words.append(
            f"What is known was read from the pool {earlier.pool_id}; COGNITO_USER_POOL_ID is now {run.pool_id}."
        )
    if too_much := excessive(difference, local, settings.SYNC_MAX_REMOVAL_SHARE):
        words.append(f"It would remove {' and '.join(map(str, too_much))}.")
    return " ".join(words)


def _take_levels(plan: Plan, *, by: Actor) -> None:
    """Whoever left a group, was disabled or is gone loses the level of this dashboard that it gave, at once."""
    touched = (*plan.users_added, *plan.users_returned, *(after for _, after in plan.users_changed))
    absent = {*plan.users_gone, *(user.sub for user in touched if not user.enabled)}
    lost: dict[str, set[str]] = {}
    for name, sub in plan.memberships_removed:
        lost.setdefault(sub, set()).add(name)
    # Their tokens may have named groups that the pool does not know, so all of them is not what the tables say.
    for sub, groups in Staff.objects.exclude(level=Level.NONE).values_list("sub", "groups"):
        if sub in absent:
            lost[sub] = set(groups)
    if lost:
        lose_groups(lost=lost, by=by)


class _Pulse:
    """What a reading calls as it goes on: it gives signs of life, writes down how far it is, and ends a run that was
    told to stop or given up on."""

    def __init__(self, run: SyncRun, tell: Progress, stop: Callable[[], str]) -> None:
        self.run, self.tell, self.stop = run, tell, stop
        self.beaten = float("-inf")

    def __call__(self, reading: Reading) -> None:
        self.tell(reading)
        self.run.progress = {"phase": "reading", **progress_of(reading)}
        self.alive(reading)

    def alive(self, _: Reading) -> None:
        """A sign of life alone: what is read now is no part of the pool's reading."""
        if reason := self.stop():
            raise SyncRefusedError(reason)
        now = time.monotonic()
        if now - self.beaten > BEAT_EVERY:
            self.beaten = now
            try:
                _update(self.run, heartbeat_at=Now(), progress=self.run.progress)
            except DatabaseError:  # what was read is not lost for that; the next sign of life may get through
                if connection.in_atomic_block:
                    raise
                logger.warning("sync %s could not give a sign of life", self.run.pk, exc_info=True)
                connection.close()

    def phase(self, name: str, **more: object) -> None:
        if reason := self.stop():
            raise SyncRefusedError(reason)
        self.run.progress = {**self.run.progress, "phase": name, **more}
        _update(self.run, heartbeat_at=Now(), progress=self.run.progress)


def progress_of(reading: Reading) -> dict[str, Any]:
    """How far a reading is, for the row of its run."""
    return {
        "calls": reading.calls,
        "needed": reading.calls - reading.throttled - reading.repeated,
        "expected": reading.expected_calls,
        "seconds_left": reading.seconds_left,
        "people": reading.users,
        "groups": reading.groups,
        "groups_read": reading.groups_read,
        "memberships": reading.memberships,
        "throttled": reading.throttled,
        "repeated": reading.repeated,
        "trouble": reading.trouble,
    }


def _update(run: SyncRun, **values: object) -> None:
    """Write to the row of a run, as long as it is ours: another process may have taken it for dead."""
    if not SyncRun.objects.filter(pk=run.pk, state=SyncRun.State.RUNNING).update(**values):
        raise SyncRefusedError("Another process took this run for dead and ended it.")


def _finish(run: SyncRun, state: SyncRun.State, error: str = "") -> None:
    progress = {**run.progress, "phase": ""}
    counts, changes = run.counts, run.changes
    _update(run, state=state, error=error, counts=counts, changes=changes, progress=progress, finished_at=Now())


def _fail(run: SyncRun, error: str, *, by: Actor) -> None:
    with transaction.atomic():
        ended = SyncRun.objects.filter(pk=run.pk, state=SyncRun.State.RUNNING).update(
            state=SyncRun.State.FAILED, error=error, finished_at=Now()
        )
        if ended:
            record(acts.SYNC_FAILED, by=by, target=_target(run), note=error)


def _target(run: SyncRun) -> Target:
    return Target("sync", str(run.pk), f"sync {run.pk}")


# --- Apart from the request that asked for it ------------------------------------------------------


def launch(run: SyncRun) -> None:
    """Perform a run in a process of its own: it outlives the request, and takes its memory with it when it ends."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "sync_cognito", "--run", str(run.pk)]
    by = Actor(run.order.get("by", ""), run.by)
    try:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command, cwd=settings.BASE_DIR, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
    except OSError as error:
        logger.exception("sync %s could not be started", run.pk)
        _fail(run, f"Its process could not be started ({error.strerror}). Run `manage.py sync_cognito` instead.", by=by)
        return
    threading.Thread(target=_outlive, args=(process, run, by), daemon=True).start()


def _outlive(process: subprocess.Popen[bytes], run: SyncRun, by: Actor) -> None:
    """Wait for the process, and end a run that it left behind, so that nobody waits for it to grow stale."""
    code = process.wait()
    try:
        _fail(run, f"Its process ended early (code {code}). The log has the details.", by=by)
    finally:
        connection.close()  # this thread's own
