"""What: the draft of the settings as rows. Written by actions alone."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from deployments.core.versions import DEFAULT
from roles.models import Role


class Draft(models.Model):
    """The one row that says what belongs to no other: the frame of the document and the target version.

    `frame` is the JSON text of the document with every modelled entry taken out, in the order of its
    sections: what this product does not model is kept here as it came. `version` grows with each
    change, so that a page can tell whether what it shows still holds.
    """

    frame = models.TextField(default="{}")
    target_version = models.CharField(max_length=16, default=str(DEFAULT))
    version = models.PositiveBigIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"draft {self.version}"


class Deployment(models.Model):
    """Anything of Core's that a caller names.

    `body` is the JSON text of its entry without `userRoles`, secrets in it encrypted.
    """

    class Kind(models.TextChoices):
        MODEL = "model", "Model"
        APPLICATION = "application", "Application"
        ADDON = "addon", "Addon"
        ASSISTANT = "assistant", "Assistant"
        TOOLSET = "toolset", "Toolset"
        ROUTE = "route", "Route"
        INTERCEPTOR = "interceptor", "Interceptor"

    class Access(models.TextChoices):
        OPEN = "open", "Open"  # no userRoles: everyone
        RESTRICTED = "restricted", "Restricted"  # the attached roles
        CLOSED = "closed", "Closed"  # an empty list: nobody

    kind = models.CharField(max_length=12, choices=Kind.choices)
    name = models.CharField(max_length=512)
    display_name = models.CharField(max_length=512, blank=True)  # copied out of `body` to search and sort by
    position = models.PositiveIntegerField(default=0)
    access = models.CharField(max_length=10, choices=Access.choices, default=Access.CLOSED)
    body = models.TextField(default="{}")
    roles: models.ManyToManyField[Role, Attachment] = models.ManyToManyField(
        Role, through="Attachment", related_name="deployments"
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["kind", "position", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "name"], name="one_deployment_per_kind_and_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Attachment(models.Model):
    """A role in the `userRoles` of a deployment."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="attachments")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="attachments")

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["deployment", "role"], name="one_attachment_per_deployment_and_role"),
        ]

    def __str__(self) -> str:
        return f"{self.role} on {self.deployment}"


class Limit(models.Model):
    """The entry `roles.<role>.limits.<deployment>`.

    `body` is the JSON text of the entry as written: windows to values (a number, or the text of one); an
    empty object is *unlimited*, and no row at all is *inherited from default*. Core finds limits by the name of a
    deployment, whatever its kind, so the name is kept, not a foreign key; it may name nothing.
    """

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="limits")
    deployment_name = models.CharField(max_length=512, db_index=True)
    body = models.TextField(default="{}")

    class Meta:
        ordering: ClassVar[list[str]] = ["deployment_name", "id"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["role", "deployment_name"], name="one_limit_per_role_and_deployment"),
        ]

    def __str__(self) -> str:
        return f"limit of {self.role} on {self.deployment_name}"


class PendingImport(models.Model):
    """Files that somebody has uploaded and not yet applied. Encrypted, and dropped after a day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    payload = models.TextField()  # encrypted JSON: [[name, text], …]
    draft_version = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    by = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"import of {self.created_at:%Y-%m-%d %H:%M}"
