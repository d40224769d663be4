"""`publish_release N [--target T]`: bring a release to a target, and prove that it arrived."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deployments.releases import proof, publishing, reading, targets
from deployments.releases.models import Publication
from deployments.releases.targets.interface import Target, TargetError
from dialadmin.history.recorder import Actor
from dialadmin.secrets import UndecryptableError

ACTOR = Actor.command("publish_release")


class Command(BaseCommand):
    help = "Publish a release to a target of TARGETS. Exit 0: the target holds it; 1: it does not, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("number", type=int, metavar="N", help="the number of the release")
        parser.add_argument("--target", metavar="T", help="a name of TARGETS; may be left out where there is one only")

    def handle(self, *, number: int, target: str | None, **_: Any) -> None:
        release = reading.by_number(number)
        if release is None:
            last = reading.latest()
            known = f"The last is {last.number}." if last else "Nothing has been released yet."
            raise CommandError(f"There is no release {number}. {known}")
        chosen = choose(target)
        try:
            row = publishing.publish(release=release, target=chosen, by=ACTOR)
            if row.state == Publication.State.FAILED:
                raise CommandError(f"Release {number} was not published to {chosen.name}. {row.error}")
            if row.state == Publication.State.UNCHANGED:
                self.stdout.write(f"{chosen.where} holds release {number} already; nothing was written.")
            else:
                done = f"Published release {number} to {chosen.name} ({chosen.where}) and read it back."
                self.stdout.write(f"{done} {row.error}".rstrip())
            core = proof.after_publishing(chosen, by=ACTOR)
        except (publishing.AlreadyPublishingError, TargetError, UndecryptableError, reading.DamagedError) as error:
            raise CommandError(str(error)) from error
        if core is not None:
            self.stdout.write("\n".join(proof.told(core)))


def choose(name: str | None) -> Target:
    """The target of this name, or the only one. Raises CommandError, naming those that there are."""
    known = targets.configured()
    if not known:
        raise CommandError("There is no target. Set TARGETS, for example TARGETS=core=file:///etc/dial/config.json.")
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        raise CommandError(f"Name one of the targets with --target: {', '.join(known)}.")
    if name not in known:
        raise CommandError(f"There is no target {name}. TARGETS names {', '.join(known)}.")
    return known[name]
