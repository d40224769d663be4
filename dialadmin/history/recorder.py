"""The only writer of history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from dialadmin.history.registry import Act
from dialadmin.middleware import current_request_id


@dataclass(frozen=True)
class Actor:
    """Who did it: a member of staff, or a command that somebody's machine ran."""

    id: str
    name: str

    @classmethod
    def staff(cls, staff: Staff) -> Self:
        return cls(id=staff.sub, name=str(staff))

    @classmethod
    def command(cls, name: str) -> Self:
        return cls(id=f"command:{name}", name=f"command {name}")


@dataclass(frozen=True)
class Target:
    """What it was done to; `id` is what the target's page is found by."""

    kind: str
    id: str
    name: str


def record(
    act: Act,
    *,
    by: Actor,
    target: Target | None = None,
    before: Any = None,
    after: Any = None,
    note: str = "",
    undoes: Entry | None = None,
    restore: Any = None,
) -> Entry:
    """Append one entry. Call it inside the transaction of the change; mask secrets before you call it.

    `before` and `after` are plain JSON values that hold just what changed. `undoes` is the entry that this act takes
    back, `restore` what taking this one back will need beyond `before`.
    """
    return Entry.objects.create(
        act=act.code,
        actor_id=by.id,
        actor_name=by.name,
        target_kind=target.kind if target else "",
        target_id=target.id if target else "",
        target_name=target.name if target else "",
        before=before,
        after=after,
        note=note,
        request_id=current_request_id.get(),
        undoes=undoes,
        restore=restore,
    )
