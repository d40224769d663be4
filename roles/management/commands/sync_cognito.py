"""`sync_cognito`: mirror the pool once, and print what changed; or again and again, with `--every`."""

from __future__ import annotations

import random
import re
import signal
import threading
import time
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from dialadmin.history.recorder import Actor
from roles.models import SyncRun
from roles.plan import COUNTED, summary
from roles.reading import Progress, Reading
from roles.sync import AlreadyRunningError, perform, run_sync

MARKS = {"added": "+", "changed": "~", "removed": "-"}
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
SHORTEST = timedelta(seconds=10)
FIRST_PAUSE = 30.0  # seconds after a first failure; doubled with each further one, up to the interval
JITTER = 0.1  # of each pause, so that several workers and other jobs of the account drift apart


def interval(text: str) -> timedelta:
    """`90s`, `15m`, `6h` or `1d`."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text.strip())
    if not match:
        raise ArgumentTypeError(f"“{text}” is no interval. Write a number and s, m, h or d, as in 15m.")
    found = timedelta(**{UNITS[match[2]]: int(match[1])})
    if found < SHORTEST:
        raise ArgumentTypeError(f"“{text}” is too short: at least {SHORTEST.seconds}s.")
    return found


class Command(BaseCommand):
    help = (
        "Mirror the groups, users and memberships of the Cognito pool. "
        "Exit codes: 0 done; 1 failed, nothing changed; 2 stopped because somebody has to look, nothing changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show what would change and change nothing")
        parser.add_argument("--allow-removals", action="store_true", help="apply even if much would be removed")
        parser.add_argument(
            "--every", type=interval, metavar="15m", help="stay and sync again and again; SIGTERM or Ctrl-C ends it"
        )
        parser.add_argument("--run", type=int, help=SUPPRESS)  # how a page starts the run that it has entered

    def handle(
        self, *, dry_run: bool, allow_removals: bool, every: timedelta | None, run: int | None = None, **_: Any
    ) -> None:
        with told_to_stop() as stopping:
            self._stopping = stopping
            if run is not None:
                self._perform(run)
            elif every is None:
                self._sync(dry_run=dry_run, allow_removals=allow_removals)
            elif dry_run or allow_removals:
                raise CommandError("--every neither looks only nor allows removals: those are for a person, once.")
            else:
                self._worker(every)

    def _perform(self, number: int) -> None:
        entered = SyncRun.objects.filter(pk=number, state=SyncRun.State.RUNNING).first()
        if entered is None:
            raise CommandError(f"There is no sync {number} that waits to be performed.")
        perform(entered, stop=self._why_stop)

    def _worker(self, every: timedelta) -> None:
        """Sync, pause, and so on, until told to stop. No failure ends it; each makes the next pause."""
        failures = 0
        while not self._stopping.is_set():
            try:
                self._sync(dry_run=False, allow_removals=False)
            except CommandError as error:
                self._say(str(error))
                failed = error.returncode == 1
                failures = failures + 1 if failed and not isinstance(error.__cause__, AlreadyRunningError) else 0
            else:
                failures = 0
            if not self._stopping.is_set():
                self._pause(min(every.total_seconds(), FIRST_PAUSE * 2 ** (failures - 1)) if failures else None, every)
        self._say("Stopped.")

    def _pause(self, shorter: float | None, every: timedelta) -> None:
        seconds = (shorter or every.total_seconds()) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        if not connection.in_atomic_block:
            connection.close()  # it would be idle for minutes, and may be broken; the next statement opens another
        self._say(f"Next sync in {timedelta(seconds=round(seconds))}.")
        self._stopping.wait(seconds)

    def _why_stop(self) -> str:
        return "Its process was told to stop." if self._stopping.is_set() else ""

    def _say(self, text: str) -> None:
        self.stdout.write(f"{timezone.now():%Y-%m-%d %H:%M:%S} {text}")
        self.stdout.flush()

    def _sync(self, *, dry_run: bool, allow_removals: bool) -> None:
        try:
            run = run_sync(
                by=Actor.command("sync_cognito"),
                dry_run=dry_run,
                allow_removals=allow_removals,
                tell=self._teller(),
                stop=self._why_stop,
            )
        except AlreadyRunningError as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used ({error}). Has `manage.py migrate` been run?") from error
        if run.state == SyncRun.State.FAILED:
            raise CommandError(f"{run.error} Nothing was changed.")
        self._print_changes(run)
        read = (
            f"Read {run.counts['users']:,} users, {run.counts['groups']:,} groups and "
            f"{run.counts['memberships']:,} memberships."
        )
        if run.state == SyncRun.State.STOPPED:
            raise CommandError(
                f"{read} {run.error} Nothing was changed. If that is right, repeat it with --allow-removals.",
                returncode=2,
            )
        changed = summary(run.counts)
        endings = {
            SyncRun.State.APPLIED: f"Applied: {changed}.",
            SyncRun.State.UNCHANGED: "Nothing has changed.",
            SyncRun.State.PREVIEW: f"Dry run: {changed or 'nothing to change'}. Nothing was changed.",
        }
        self.stdout.write(f"{read} {endings[SyncRun.State(run.state)]}")
        if run.state == SyncRun.State.PREVIEW and run.error and not allow_removals:
            self.stdout.write(f"{run.error} A sync would stop here and ask for --allow-removals.")

    def _teller(self) -> Progress:
        """A line of progress: over and over the same one in a terminal, a new one each half minute in a log."""
        terminal = self.stderr.isatty()
        pause = 0.5 if terminal else 30.0
        told = time.monotonic()

        def tell(reading: Reading) -> None:
            nonlocal told
            if time.monotonic() - told < pause:
                return
            told = time.monotonic()
            line = in_words(reading)
            self.stderr.write(f"\r\033[K{line}" if terminal else line, ending="" if terminal else "\n")
            self.stderr.flush()

        return tell

    def _print_changes(self, run: SyncRun) -> None:
        for change in run.changes:
            detail = f" ({change['detail']})" if change["detail"] else ""
            self.stdout.write(f"{MARKS[change['state']]} {change['kind']} {change['name']}{detail}")
        hidden = sum(run.counts.get(name, 0) for name in COUNTED) - len(run.changes)
        if hidden > 0:
            self.stdout.write(f"… and {hidden:,} more")


def in_words(reading: Reading) -> str:
    """`Reading: 1,200 of about 6,900 calls, 40,000 people, 12 of 500 groups; about 0:05:20 left.`"""
    expected = reading.expected_calls
    calls = (
        f"{reading.calls:,} of about {max(expected, reading.calls):,} calls" if expected else f"{reading.calls:,} calls"
    )
    line = f"Reading: {calls}, {reading.users:,} people, {reading.groups_read:,} of {reading.groups:,} groups"
    if reading.seconds_left:
        line += f"; about {timedelta(seconds=reading.seconds_left)} left"
    return f"{line}. {reading.trouble}" if reading.trouble else line


@contextmanager
def told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, so that a sync ends where it can; a second one insists."""
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return

    def stop(number: int, _frame: object) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
