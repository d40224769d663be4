"""Releases and where they were sent. Written by actions alone."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn, Self

from django.db import models


class ImmutableError(TypeError):
    """Somebody tried to change or delete a release."""


class ReleaseQuerySet(models.QuerySet["Release"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise ImmutableError("a release is never changed")

    def delete(self) -> NoReturn:
        raise ImmutableError("a release is never deleted")

    def in_force(self, at: Any) -> Self:
        """The releases made until that moment, newest first: the first is the one in force."""
        return self.filter(created_at__lte=at).order_by("-number")


class Release(models.Model):
    """A numbered, immutable export of the draft.

    `payload` is the encryption of the exact bytes; `digest` is their sha256, hexadecimal. No foreign
    keys: a release outlives what it was made from. `sync_id` is the sync it was judged against.
    """

    number = models.PositiveIntegerField(unique=True)
    created_at = models.DateTimeField(db_index=True)
    author_id = models.CharField(max_length=255)
    author_name = models.CharField(max_length=255)
    note = models.TextField()
    digest = models.CharField(max_length=64, db_index=True)
    payload = models.TextField()
    target_version = models.CharField(max_length=16)
    draft_version = models.PositiveBigIntegerField()
    sync_id = models.PositiveBigIntegerField(null=True)
    restored_from = models.PositiveIntegerField(null=True)  # the number whose restoring led to this one

    objects: ClassVar[models.Manager[Release]] = models.Manager.from_queryset(ReleaseQuerySet)()

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]

    def __str__(self) -> str:
        return f"release {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise ImmutableError("a release is never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImmutableError("a release is never deleted")


class PublicationQuerySet(models.QuerySet["Publication"]):
    def arrived(self) -> Self:
        """Those after which the target held the release."""
        return self.filter(state__in=(Publication.State.PUBLISHED, Publication.State.UNCHANGED))


class Publication(models.Model):
    """One attempt to bring a release to a target: started, then published, unchanged or failed.

    The database takes one started row per target, which is the lock of publishing. `process` identifies
    the process that holds it (`deployments.releases.process`).
    """

    class State(models.TextChoices):
        STARTED = "started", "Started"
        PUBLISHED = "published", "Published"
        UNCHANGED = "unchanged", "Was there already"
        FAILED = "failed", "Failed"

    number = models.PositiveIntegerField()
    target = models.CharField(max_length=128)
    state = models.CharField(max_length=12, choices=State.choices, default=State.STARTED)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    by = models.CharField(max_length=255)
    error = models.TextField(blank=True)  # for people: what went wrong and what to do, or what else is to be known
    process = models.CharField(max_length=255, blank=True, default="")

    objects: ClassVar[models.Manager[Publication]] = models.Manager.from_queryset(PublicationQuerySet)()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["target"], condition=models.Q(state="started"), name="one_started_per_target"
            )
        ]

    def __str__(self) -> str:
        return f"release {self.number} to {self.target} ({self.get_state_display()})"


class Proof(models.Model):
    """What was found at a place when it was last looked at: one row per target, and one for Core.

    `number` is the release that is there, `expected` the one that was published; None where there is none,
    or it is none of ours. `differences` are lines for people, secrets masked.
    """

    class State(models.TextChoices):
        SAME = "same", "As published"
        DRIFTED = "drifted", "Drifted"
        UNREACHABLE = "unreachable", "Could not be read"
        UNKNOWN = "unknown", "Nothing to compare"

    CORE = "Core"  # no target can be called so: their names are in lower case

    place = models.CharField(max_length=128, unique=True)
    state = models.CharField(max_length=12, choices=State.choices)
    number = models.PositiveIntegerField(null=True)
    expected = models.PositiveIntegerField(null=True)
    detail = models.TextField(blank=True)
    differences = models.JSONField(default=list)
    checked_at = models.DateTimeField()
    by = models.CharField(max_length=255)

    class Meta:
        ordering: ClassVar[list[str]] = ["place"]

    def __str__(self) -> str:
        return f"{self.place}: {self.get_state_display()}"
