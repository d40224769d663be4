"""Access reviews: who reached what when one was opened, and what was decided. Written by actions alone."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from deployments.access.why import LABELS


class AccessReview(models.Model):
    """One review of chosen deployments.

    `digest` is the sha256 of the frozen rows; `report_digest` that of rows and decisions together, taken
    when the review was closed. No foreign keys: a review outlives what it speaks of. `release` is the
    number of the release that the rows rest on, None for the draft.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Signed off"
        DISCARDED = "discarded", "Discarded"

    title = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    opened_at = models.DateTimeField()
    opened_by_id = models.CharField(max_length=255)
    opened_by = models.CharField(max_length=255)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by_id = models.CharField(max_length=255, blank=True)
    closed_by = models.CharField(max_length=255, blank=True)
    note = models.TextField(blank=True)
    deployments = models.JSONField(default=list)  # [[kind, name], …], as chosen
    rows_count = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64)
    report_digest = models.CharField(max_length=64, blank=True)
    draft_version = models.PositiveBigIntegerField()
    release = models.PositiveIntegerField(null=True, blank=True)
    sync_id = models.PositiveBigIntegerField(null=True, blank=True)
    target_version = models.CharField(max_length=16)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def basis_words(self) -> str:
        """What the rows were read from."""
        settings = f"release {self.release}" if self.release else f"the draft (version {self.draft_version})"
        sync = f", sync {self.sync_id}" if self.sync_id else ""
        return f"{settings}{sync}, for Core {self.target_version}"


class ReviewAnswer(models.Model):
    """How the rows that share it reach one deployment: thousands of people have a handful of answers.

    `via` are the roles that let in, empty when it was open; `limit` maps windows to numbers, unlimited
    ones left out; `state` is a `why.State`.
    """

    review = models.ForeignKey(AccessReview, on_delete=models.CASCADE, related_name="answers")
    kind = models.CharField(max_length=12)
    deployment = models.CharField(max_length=512)
    via = models.JSONField(default=list)
    limit = models.JSONField(default=dict)
    state = models.CharField(max_length=10)

    def __str__(self) -> str:
        return f"{self.kind} {self.deployment}"

    @property
    def limit_words(self) -> str:
        """`10 tokens per minute, 5 requests per day`; empty when unlimited."""
        return ", ".join(f"{number:,} {LABELS[window]}" for window, number in self.limit.items())


class ReviewRow(models.Model):
    """One subject on one deployment, frozen, and what was decided about it.

    `subject` is the sub of a person or the project of an API key; `subject_id` the row of the person, 0 for a
    key; `label` what people call them: keys of one project are numbered.
    """

    class Subject(models.TextChoices):
        USER = "user", "Person"
        KEY = "key", "API key"

    class Decision(models.TextChoices):
        NONE = "", "Undecided"
        KEEP = "keep", "Keep"
        REMOVE = "remove", "Remove"

    review = models.ForeignKey(AccessReview, on_delete=models.CASCADE, related_name="rows")
    answer = models.ForeignKey(ReviewAnswer, on_delete=models.CASCADE, related_name="rows")
    subject_kind = models.CharField(max_length=4, choices=Subject.choices)
    subject_id = models.PositiveBigIntegerField()
    subject = models.CharField(max_length=512)
    label = models.CharField(max_length=512)
    detail = models.CharField(max_length=512, blank=True)

    decision = models.CharField(max_length=6, choices=Decision.choices, blank=True, default=Decision.NONE)
    reason = models.CharField(max_length=1000, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["review", "decision"], name="review_progress"),
            models.Index(fields=["review", "label"], name="review_by_label"),
        ]

    def __str__(self) -> str:
        return f"{self.label} on {self.answer}"
