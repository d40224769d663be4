"""Who: the pool's groups and users, memberships over time, roles and API keys. Written by actions and sync alone."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Role(models.Model):
    """A name that Core compares, byte for byte: a Cognito group, the role of an API key, or `default`.

    A role may be known from the pool (`pool`), from the settings (`in_settings`: it has an entry under
    `roles`), from both, or merely from being attached to something.
    """

    class Pool(models.TextChoices):
        NONE = "none", "not a group"
        PRESENT = "present", "group"
        GONE = "gone", "group that has gone"

    name = models.CharField(max_length=512, unique=True)

    # What the pool says of the group of this name.
    pool = models.CharField(max_length=8, choices=Pool.choices, default=Pool.NONE, db_index=True)
    description = models.TextField(blank=True)
    precedence = models.BigIntegerField(null=True, blank=True)
    pool_created_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    # What the settings say of it. `body` is the JSON text of its entry without `limits`.
    in_settings = models.BooleanField(default=False)
    position = models.PositiveIntegerField(default=0)
    body = models.TextField(default="{}")

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name


class User(models.Model):
    """A person of the pool. Someone who has gone stays, marked gone: history and audits refer to them."""

    sub = models.CharField(max_length=255, unique=True)
    username = models.CharField(max_length=255, db_index=True)
    email = models.CharField(max_length=320, blank=True, db_index=True)
    name = models.CharField(max_length=255, blank=True)
    enabled = models.BooleanField(default=True)
    status = models.CharField(max_length=32, blank=True)
    pool_created_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["username", "id"]

    def __str__(self) -> str:
        return self.name or self.email or self.username


class Membership(models.Model):
    """A user in a group, from the sync that first saw it to the sync that no longer did. Closed, never deleted."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="memberships")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "role"], condition=Q(until__isnull=True), name="one_current_membership"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=models.F("since")), name="membership_until_after_since"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["role", "user"], condition=Q(until__isnull=True), name="current_members_of_role"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.role}"


class Absence(models.Model):
    """A user who could not sign in, from when to when: disabled, or gone from the pool. Closed, never deleted.

    Whoever is absent reaches nothing, whatever memberships they hold: an answer about a past moment asks this
    table, not `User.enabled`, which tells only of now.
    """

    class Kind(models.TextChoices):
        DISABLED = "disabled", "Disabled"
        GONE = "gone", "Gone from the pool"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="absences")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user", "kind"], condition=Q(until__isnull=True), name="one_current_absence_of_a_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.get_kind_display().lower()}"


class ApiKey(models.Model):
    """A program's credential, shown by its project; its value is a secret.

    `secret` is the encrypted value (the key of the `keys` map); `body` is the JSON text of its entry,
    secrets in it encrypted. `roles` holds what Core reads out of `role` and `roles` together.
    """

    position = models.PositiveIntegerField(default=0)
    project = models.CharField(max_length=512, blank=True)
    secret = models.TextField()
    body = models.TextField(default="{}")
    roles: models.ManyToManyField[Role, models.Model] = models.ManyToManyField(Role, related_name="api_keys")

    class Meta:
        ordering: ClassVar[list[str]] = ["position", "id"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.project or f"key {self.pk}"


class SyncRun(models.Model):
    """One reading of the pool: what was found, what was changed, or why nothing was."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        APPLIED = "applied", "Applied"
        UNCHANGED = "unchanged", "No change"
        PREVIEW = "preview", "Preview only"
        STOPPED = "stopped", "Stopped: too many removals"
        FAILED = "failed", "Failed"

    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    # By the database's clock: those of the machines that start syncs may differ.
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    by = models.CharField(max_length=255)
    dry_run = models.BooleanField(default=False)
    pool_id = models.CharField(max_length=128, blank=True)
    order = models.JSONField(default=dict)  # what it was started for: {"by", "allow_removals", "seen", "note"}
    progress = models.JSONField(default=dict)  # how far it is, or got: roles.sync.progress_of, and its "phase"
    counts = models.JSONField(default=dict)  # e.g. {"users_added": 3, "memberships_removed": 1, "users": 40}
    changes = models.JSONField(default=list)  # the first some hundred changes, in words' order, for the page
    error = models.TextField(blank=True)  # what went wrong and what to do, for people

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # The lock: whichever process starts a sync, a second one cannot insert its row.
            models.UniqueConstraint(fields=["state"], condition=Q(state="running"), name="one_running_sync"),
        ]

    def __str__(self) -> str:
        return f"sync {self.pk} ({self.get_state_display()})"
