"""Taking a person out of what was written down: the one exception to “entries are never changed”.

The law may demand it, and it is done in the open: a token stands where the person's names stood, no row and no number
goes, and the writer who calls this records an entry that says what was done, without the data. Each app registers the
tables in which it copied names (`register`, in its `ready`); history's own are below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import models

from dialadmin.history.models import Entry

FREE_TEXTS = {"note", "reason", "detail", "error"}  # where a name may stand inside a sentence


@dataclass(frozen=True)
class Redaction:
    """Who is taken out, and the token that takes their place.

    `distinct` names (the sub, an e-mail address, a full name that nobody else bears) are replaced wherever they stand
    as whole words. `common` ones (`max`, or a name that two people bear) are replaced only in what is about this
    person: a row or a JSON object that holds their sub, or whose target is the row `row_id` of the users.
    """

    sub: str
    row_id: str
    token: str
    distinct: frozenset[str] = frozenset()
    common: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        return _pattern({self.sub, *self.distinct}), _pattern({self.sub, *self.distinct, *self.common})

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name.casefold() for name in (*self.distinct, *self.common) if name)

    def text(self, value: str, *, about: bool, free: bool = False) -> str:
        """The text without the person."""
        if about and value.casefold() in self._names:
            return self.token
        certain, everything = self._patterns
        return (everything if about and free else certain).sub(self.token, value)

    def value(self, value: Any, *, about: bool, free: bool = False) -> Any:
        """A JSON value without the person."""
        if isinstance(value, str):
            return self.text(value, about=about, free=free)
        if isinstance(value, Mapping):
            about = about or self.is_about(value)
            return {
                self.text(key, about=about): self.value(part, about=about, free=key in FREE_TEXTS)
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [self.value(part, about=about, free=free) for part in value]
        return value

    def is_about(self, row: Mapping[str, Any]) -> bool:
        target = (row.get("target_kind"), row.get("target_id"))
        return target == ("user", self.row_id) or self.sub in (part for part in row.values() if isinstance(part, str))

    def rows(
        self,
        model: type[models.Model],
        *names: str,
        read: Sequence[str] = (),
        about: Callable[[Mapping[str, Any]], bool] | None = None,
    ) -> set[Any]:
        """Take the person out of these columns of a table, past a manager that forbids changes; the rows changed.

        `about` says of a row whether it is about the person, by these columns and those of `read`.
        """
        decide = about or self.is_about
        changed: set[Any] = set()
        table: models.QuerySet[models.Model] = models.QuerySet(model)
        for row in table.order_by("pk").values("pk", *names, *read).iterator(2000):
            about_them = decide(row)
            new = {name: self.value(row[name], about=about_them, free=name in FREE_TEXTS) for name in names}
            different = {name: value for name, value in new.items() if value != row[name]}
            if different:
                table.filter(pk=row["pk"]).update(**different)
                changed.add(row["pk"])
        return changed


def _pattern(names: set[str]) -> re.Pattern[str]:
    """Any of these names as whole words, the longest first."""
    ordered = sorted(filter(None, names), key=len, reverse=True)
    return re.compile(rf"(?<![\w.@+-])(?:{'|'.join(map(re.escape, ordered))})(?![\w@+-]|\.\w)", re.IGNORECASE)


Place = Callable[[Redaction], int]  # takes the person out of some tables; how many rows that changed

_places: dict[str, Place] = {}


def register(name: str, place: Place) -> None:
    """`name` is what an administrator reads: `releases`."""
    if name in _places:
        raise ValueError(f"{name} is registered twice")
    _places[name] = place


def redact(redaction: Redaction) -> dict[str, int]:
    """Take somebody out everywhere. Call it in the transaction of the writer that records it. `{"history": 12}`."""
    counts = {name: place(redaction) for name, place in sorted(_places.items())}
    return {name: count for name, count in counts.items() if count}


def _history(redaction: Redaction) -> int:
    names = ("actor_id", "actor_name", "target_id", "target_name", "before", "after", "note")
    return len(redaction.rows(Entry, *names, read=("target_kind",)))


register("history", _history)


def names_in_history(sub: str, row_id: str) -> set[str]:
    """Every name under which history knows somebody: names change, entries keep the old ones."""
    found: set[str] = set()
    about = models.Q(actor_id=sub) | models.Q(target_kind="staff", target_id=sub)
    about |= models.Q(target_kind="user", target_id=row_id)
    fields: Sequence[str] = ("actor_id", "actor_name", "target_id", "target_name", "before", "after")
    for actor, actor_name, target, target_name, *values in Entry.objects.filter(about).values_list(*fields).iterator():
        found |= {actor_name} if actor == sub else set()
        found |= {target_name} if target in (sub, row_id) else set()
        for value in values:
            if isinstance(value, Mapping):
                found |= {text for key in ("username", "email", "name") if isinstance(text := value.get(key), str)}
    return found - {""}
