"""The line that says on every page how fresh the pool and the release are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from deployments.actions import attach_role
from deployments.releases.actions import release
from deployments.releases.reading import basis
from dialadmin.accounts.models import Staff
from dialadmin.status import status
from roles.models import SyncRun
from tests.deployments.factories import TESTER, deployment, make_draft

pytestmark = pytest.mark.django_db


def ended(state: str, hours: int = 0) -> SyncRun:
    return SyncRun.objects.create(state=state, by="test", finished_at=timezone.now() - timedelta(hours=hours))


def test_a_failed_sync_does_not_hide_when_the_pool_was_read() -> None:
    good = ended("unchanged")
    failed = ended("failed")
    SyncRun.objects.create(state="running", by="test")
    now = status()
    assert (now.read_at, now.sync, now.trouble, now.old) == (good.finished_at, failed.pk, "failed", False)


def test_a_mirror_grows_old() -> None:
    ended("applied", hours=24 * 365)
    assert status().old


def test_the_draft_runs_ahead_of_the_release() -> None:
    assert (status().release, status().ahead) == (None, False)
    make_draft()
    release(by=TESTER, note="first", seen=str(basis()), typed="1")
    assert (status().release, status().ahead) == (1, False)
    attach_role(deployment=deployment("embeddings"), role_name="analysts", by=TESTER)
    assert status().ahead


def test_it_stands_on_every_page_and_costs_three_queries(
    client_of: Callable[[Staff], Client], vera: Staff, django_assert_num_queries: Callable[[int], object]
) -> None:
    ended("applied")
    assert "Pool read" in client_of(vera).get("/accounts/me/").content.decode()
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        status()
