"""The people who sign in to this dashboard."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

from dialadmin.accounts.permissions import PERMISSIONS, Level, Permission


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
