"""Personas: Ada publishes, Edit edits, Vera audits, Nemo may nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Level


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

    def __init__(self, **defaults: object) -> None:
        super().__init__(**{"wsgi.url_scheme": "https", "SERVER_PORT": "443", **defaults})  # type: ignore[arg-type]


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
