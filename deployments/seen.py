"""What a form was made from: the state of one object, so that edits of others do not get in its way.

Two people who edit two deployments never meet. Two who edit the same one do: the second is shown what the first
did, beside what they wanted themselves, and decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from django.db.models import Max, Q, QuerySet
from django.utils.crypto import salted_hmac

from deployments import acts, draft
from deployments.models import Deployment, Draft, Limit
from dialadmin.history.models import Entry


@dataclass(frozen=True)
class Seen:
    """The parts of an object that edits look at, and the last entry of history about it (0: none).

    `access` and `roles` are of a deployment; `body` is a digest of its entry, of a limit, or of another value.
    """

    access: str
    roles: str
    body: str
    entry: int

    def __str__(self) -> str:
        return f"{self.access}.{self.roles}.{self.body}.{self.entry}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The inverse of `str`; None for what is none."""
        parts = text.split(".")
        if len(parts) != 4 or not (parts[3].isdecimal() and len(parts[3]) < 19):
            return None
        return cls(parts[0], parts[1], parts[2], int(parts[3]))


def of_deployment(deployment: Deployment) -> Seen:
    """Two queries."""
    roles = sorted(deployment.attachments.values_list("role__name", flat=True))
    # Decrypted, since the same secret is another text each time it is encrypted.
    body = draft.dump_text(draft.decrypted(deployment.kind, draft.load_text(deployment.body)))
    return Seen(deployment.access, _digest("\n".join(roles)), _digest(body), _last(about_deployment(deployment.pk)))


def of_limit(role_name: str, deployment_name: str) -> Seen:
    """Two queries."""
    row = Limit.objects.filter(role__name=role_name, deployment_name=deployment_name).values_list("body", flat=True)
    return Seen("", "", _digest(row.first()), _last(about_limit(role_name, deployment_name)))


def of_target_version(draft: Draft) -> Seen:
    """One query."""
    return Seen("", "", _digest(draft.target_version), _last(about_target_version()))


def about_deployment(pk: int) -> QuerySet[Entry]:
    """The entries that may have changed a deployment: those about it, and those about the whole draft."""
    return Entry.objects.filter(Q(target_kind="deployment", target_id=str(pk)) | _whole())


def about_limit(role_name: str, deployment_name: str) -> QuerySet[Entry]:
    return Entry.objects.filter(Q(target_kind="limit", target_id=limit_id(role_name, deployment_name)) | _whole())


def about_target_version() -> QuerySet[Entry]:
    return Entry.objects.filter(act=acts.TARGET_VERSION_CHANGED.code)


def limit_id(role_name: str, deployment_name: str) -> str:
    """How history knows a limit."""
    return f"{role_name}\n{deployment_name}"[:512]


def _whole() -> Q:
    """The acts on the draft that are about no single object, as an import is."""
    return Q(target_kind="", act__in=acts.ON_DRAFT - {acts.TARGET_VERSION_CHANGED.code, acts.SECRETS_ROTATED.code})


def _last(entries: QuerySet[Entry]) -> int:
    return entries.aggregate(last=Max("pk"))["last"] or 0


def _digest(text: str | None) -> str:
    """A keyed digest: what it is taken of may hold secrets, and forms carry it."""
    return "none" if text is None else salted_hmac("deployments.seen", text).hexdigest()[:16]
