"""`erase_user PERSON --reason TEXT --yes`: take the personal data of somebody who has gone out of the records."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from dialadmin.history.recorder import Actor
from roles import actions
from roles.models import User


class Command(BaseCommand):
    help = "Erase the personal data of somebody who has gone from the pool. It cannot be undone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("person", help="username, e-mail address or sub")
        parser.add_argument("--reason", required=True, help="kept in history, without the names of this person")
        parser.add_argument("--yes", action="store_true", help="do it; without this it is only said who it would be")

    def handle(self, *, person: str, reason: str, yes: bool, **_: Any) -> None:
        named = Q(sub=person) | Q(username=person) | Q(email__iexact=person)
        found = list(User.objects.filter(named)[:10])
        if not found:
            raise CommandError(f"Nobody is known by the username, e-mail address or sub {person}.")
        if len(found) > 1:
            lines = "".join(f"\n  {user.sub}  {user.username}" for user in found)
            raise CommandError(f"{person} means several people; name one by the sub:{lines}")
        user = found[0]
        if problem := actions.erase_problem(user):
            raise CommandError(problem)
        if not yes:
            raise CommandError(f"This would erase {user} (sub {user.sub}) for good. Repeat it with --yes.")
        counts = actions.erase_user(user=user, reason=reason, by=Actor.command("erase_user"))
        changed = ", ".join(f"{count:,} in {place}" for place, count in counts.items())
        self.stdout.write(f"Erased. They are erased-{user.pk} now. Rows changed: {changed or 'none'}.")
