"""Personas: Ada publishes, Edit edits, Vera audits, Nemo may nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client, override_settings

from deployments.access import source
from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Level


@pytest.fixture(scope="session", autouse=True)
def static_files_from_their_folders() -> Iterator[None]:
    """Production serves hashed copies that `collectstatic` makes; tests read the sources."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


def make_staff(name: str, level: Level) -> Staff:
    return Staff.objects.create(
        sub=f"sub-{name.lower()}", username=name.lower(), name=name, email=f"{name.lower()}@example.com", level=level
    )


@pytest.fixture
def ada(db: None) -> Staff:
    return make_staff("Ada", Level.PUBLISHER)


@pytest.fixture
def edit(db: None) -> Staff:
    return make_staff("Edit", Level.EDITOR)


@pytest.fixture
def vera(db: None) -> Staff:
    return make_staff("Vera", Level.AUDITOR)


@pytest.fixture
def nemo(db: None) -> Staff:
    return make_staff("Nemo", Level.NONE)


class HttpsClient(Client):
    """A test client that speaks https, as every browser of production does."""

    def generic(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["secure"] = True
        return super().generic(*args, **kwargs)


@pytest.fixture
def anonymous() -> HttpsClient:
    return HttpsClient()


@pytest.fixture
def client_of(db: None) -> Callable[[Staff], HttpsClient]:
    """A client in which this member of staff has just signed in."""

    def sign_in(staff: Staff) -> HttpsClient:
        client = HttpsClient()
        client.force_login(staff)
        return client

    return sign_in


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    """What one test computed is not another's answer: rows of both may have the same ids."""
    cache.clear()
    source.forget()


@pytest.fixture(autouse=True)
def syncs_without_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sync that a page starts runs before the page answers: a process of its own would see another database."""
    from roles import sync

    monkeypatch.setattr(sync, "launch", sync.perform)
