"""Keeping the index in step with the tables: after each change that history notes, and after each migration.

The tables stay the truth. A refresh compares them with the index and writes what differs, so that it does not
matter how a change was written, one row at a time or a hundred thousand by COPY.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from django.apps import AppConfig
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models.signals import post_migrate, post_save

from dialadmin.history.models import Entry
from dialadmin.history.redaction import Redaction
from dialadmin.search.models import Cut, Item, Word
from dialadmin.search.sources import KINDS, Source
from dialadmin.search.words import cuts, guessable, words

T = TypeVar("T")

BATCH = 500  # rows per statement
LOCK = 0x5EA2C4  # any number, the same in every process

# What an act of history may have changed, by its code or what stands before the dot. One that stands nowhere is
# taken to have changed all.
CONCERNS: dict[str, tuple[str, ...]] = {
    "sync.applied": ("user", "role"),
    "sync.failed": (),
    "sync.stopped": (),
    "user": ("user",),
    "role": ("role",),
    "group.created": ("role",),
    "group": (),
    "deployment": ("deployment", "role"),
    "limit": ("role",),
    "key": ("key", "role"),
    "draft": ("deployment", "role", "key"),
    "draft.exported": (),
    **dict.fromkeys(("draft.undone", "draft.redone"), ("deployment", "role")),
    "review.applied": ("deployment",),
    "release": ("release", "deployment", "role", "key"),
    **dict.fromkeys(("release.downloaded", "staff", "token", "access", "review", "publication", "proof", "pool"), ()),
}


def refresh(kinds: Iterable[str] = tuple(KINDS)) -> int:
    """Make the index say of these kinds what the tables say; the number of items written or removed."""
    with transaction.atomic():
        if connection.vendor == "postgresql":  # SQLite lets one write at a time by itself
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        return sum(_refresh(kind) for kind in kinds)


def _refresh(kind: str) -> int:
    fields = ("object_id", "title", "subtitle", "state", "text")
    known = {
        row[0]: (pk, Source(*row))
        for pk, *row in Item.objects.filter(kind=kind).values_list("pk", *fields).iterator(2000)
    }
    fresh: list[Source] = []
    outdated: list[int] = []
    for source in KINDS[kind][1]():
        pk, before = known.pop(source.object_id, (None, None))
        if source != before:
            fresh.append(source)
            if pk is not None:
                outdated.append(pk)
    outdated.extend(pk for pk, _ in known.values())
    for ids in _batches(outdated):
        Word.objects.filter(item_id__in=ids)._raw_delete("default")
        Item.objects.filter(pk__in=ids)._raw_delete("default")
    for sources in _batches(fresh, 2000):
        _add(kind, sources)
    return len(fresh) + len(known)


def _add(kind: str, sources: list[Source]) -> None:
    items = Item.objects.bulk_create([Item(kind=kind, **source._asdict()) for source in sources], BATCH)
    found = [(item.pk, word) for item in items for word in words(item.text.split("\n"))]
    _insert(Word, ("kind", "word", "item_id"), [(kind, word, pk) for pk, word in found])
    # The neighbours of a person's number are other persons; a deployment is called gpt-4o.
    guesses = {word for _, word in found if guessable(word) and (kind != "user" or word.isalpha())}
    known: set[str] = set()
    for batch in _batches(sorted(guesses)):
        known.update(Cut.objects.filter(cut__in=batch, word__in=batch).values_list("word", flat=True))
    _insert(Cut, ("cut", "word"), [(cut, word) for word in sorted(guesses - known) for cut in cuts(word)])


def _insert(model: type[Word] | type[Cut], columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Many small rows, past the making of objects: half a million of them are usual."""
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        elif rows:
            marks = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({marks})", rows)  # noqa: S608 - our own names


def _batches(values: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch


def forget_person(person: Redaction) -> int:
    """Forget the words by which only an erased person was found, once the tables have forgotten them."""
    theirs = set(words([person.sub, *person.distinct, *person.common]))

    def forget() -> None:
        refresh()
        kept = set(Word.objects.filter(word__in=theirs).values_list("word", flat=True))
        Cut.objects.filter(word__in=theirs - kept)._raw_delete("default")

    transaction.on_commit(forget, robust=True)
    return 0  # known when it is done


def follow(app: AppConfig) -> None:
    """Refresh after each change that history notes, and after each migration."""
    post_save.connect(_after_entry, sender=Entry, dispatch_uid="search")
    post_migrate.connect(_after_migrations, sender=app, dispatch_uid="search")


def _after_entry(instance: Entry, **_: Any) -> None:
    kinds = CONCERNS.get(instance.act, CONCERNS.get(instance.act.partition(".")[0], tuple(KINDS)))
    if kinds and not _waits(kinds):
        # After the commit, in its own transaction: a change never fails because of the index.
        transaction.on_commit(partial(refresh, kinds), robust=True)


def _waits(kinds: tuple[str, ...]) -> bool:
    """Whether this transaction refreshes these kinds at its end anyway: one is enough for a thousand changes.

    What was registered under a savepoint leaves the list when that is rolled back, so whatever stands in it now
    is dropped only together with this change.
    """
    return any(
        isinstance(waiting, partial) and waiting.func is refresh and waiting.args == (kinds,)
        for _, waiting, *_ in connection.run_on_commit
    )


def _after_migrations(**_: Any) -> None:
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        refresh()
