"""What happened: append-only."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self

from django.db import models
from django.urls import reverse

from dialadmin.history import presentation, registry


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete history."""


class EntryQuerySet(models.QuerySet["Entry"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("history entries are never changed")

    def delete(self) -> NoReturn:
        raise AppendOnlyError("history entries are never deleted")

    def about(self, target_kind: str, target_id: str) -> Self:
        """The entries about one thing, newest first."""
        return self.filter(target_kind=target_kind, target_id=target_id)


class Entry(models.Model):
    """One event. No foreign keys to anything else: history neither blocks a deletion nor follows one; it copies names.

    `undoes` is the entry that this one took back: at most one does, and that one can be taken back in turn.
    """

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    act = models.CharField(max_length=64, db_index=True)
    actor_id = models.CharField(max_length=255)
    actor_name = models.CharField(max_length=255)
    target_kind = models.CharField(max_length=32, blank=True)
    target_id = models.CharField(max_length=512, blank=True)
    target_name = models.CharField(max_length=512, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    note = models.TextField(blank=True)
    request_id = models.CharField(max_length=32, blank=True, db_index=True)  # what was done at once has the same
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    # What undoing needs beyond `before` and nobody reads: texts as they were written, places in an order.
    restore = models.JSONField(null=True)

    objects: ClassVar[models.Manager[Entry]] = models.Manager.from_queryset(EntryQuerySet)()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        verbose_name_plural = "entries"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["target_kind", "target_id", "-id"], name="history_by_target"),
            models.Index(fields=["actor_id", "-id"], name="history_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_name} {self.act} {self.target_name}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise AppendOnlyError("history entries are never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError("history entries are never deleted")

    @property
    def sentence(self) -> str:
        return presentation.sentence(
            self.act, target=self.target_name, before=self.before, after=self.after, note=self.note
        )

    @property
    def undo_url(self) -> str:
        """The page that takes it back; empty where its act cannot be. Whether it has been is `undone_by`."""
        act = registry.get(self.act)
        return reverse(act.undo, args=[self.pk]) if act and act.undo and self.pk else ""

    @property
    def differences(self) -> list[tuple[str, str | None, str | None]]:
        return presentation.differences(self.before, self.after)
