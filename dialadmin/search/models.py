"""The index of names. It only repeats what other tables say: `index.py` brings it up to date with them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class ByteOrdered(models.CharField[str, str]):
    """A text that sorts by its bytes on every database, so that a prefix is a range of the index."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        plain: Any = super().db_type(connection)
        return f'{plain} COLLATE "C"' if connection.vendor == "postgresql" else plain


class Item(models.Model):
    """One thing that can be found: a user, role, deployment, API key or release.

    `text` has the names that it is found by, folded, one to a line.
    """

    kind = models.CharField(max_length=12)
    object_id = models.BigIntegerField()
    title = models.CharField(max_length=512)
    subtitle = models.CharField(max_length=1024, blank=True)
    state = models.CharField(max_length=12, blank=True)  # a badge, where the state is worth one
    text = models.TextField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "object_id"], name="one_item_per_object"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.title}"


class Word(models.Model):
    """A word, or a whole name, that an item is found by."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="words", db_index=False)
    kind = models.CharField(max_length=12)  # of the item: the range of a prefix is read per kind
    word = ByteOrdered(max_length=128)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["kind", "word", "item"], name="words_by_prefix"),
            models.Index(fields=["item", "word"], name="words_of_item"),
        ]

    def __str__(self) -> str:
        return self.word


class Cut(models.Model):
    """A word without one of its letters, or whole: equal cuts betray a typing error (`words.cuts`)."""

    cut = ByteOrdered(max_length=64)
    word = ByteOrdered(max_length=64)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["cut", "word"], name="one_cut_per_word"),
        ]

    def __str__(self) -> str:
        return f"{self.cut} of {self.word}"
