"""The people who sign in to this dashboard."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone

from dialadmin.accounts.permissions import PERMISSIONS, Level, Permission, Scope


class StaffManager(BaseUserManager["Staff"]):
    def get_by_natural_key(self, username: str | None) -> Staff:
        return self.get(sub=username)


class Staff(AbstractBaseUser):
    """An administrator, known by the `sub` of the pool: names and e-mail addresses change hands, it does not.

    `level` and `groups` are what the ID token said at the last sign-in.
    """

    sub = models.CharField(max_length=255, unique=True)
    username = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=320, blank=True)
    name = models.CharField(max_length=255, blank=True)
    level = models.CharField(max_length=16, choices=Level.choices, default=Level.NONE)
    groups = models.JSONField(default=list)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "sub"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[StaffManager] = StaffManager()

    class Meta:
        verbose_name_plural = "staff"

    def __str__(self) -> str:
        return self.name or self.email or self.username or self.sub

    def may(self, permission: Permission) -> bool:
        return self.is_active and permission in PERMISSIONS[self.level]


class ApiToken(models.Model):
    """What a pipeline shows instead of signing in. The token itself is shown once and never kept.

    `digest` is the sha256 (hexadecimal) of the token, which holds 32 random bytes, so that no salt is needed;
    `prefix` is its beginning, to recognise it by. No foreign keys: it outlives the level of who made it.
    """

    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)  # values of Scope
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=255)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """ "valid", "expired" or "revoked"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "valid"

    @property
    def scope_labels(self) -> list[str]:
        return [Scope(value).label for value in self.scopes]
