"""Releases for tests of what happens to them afterwards."""

from __future__ import annotations

from deployments.releases import actions, reading
from deployments.releases.models import Release
from tests.deployments.factories import TESTER


def make_release(note: str = "for a test") -> Release:
    """Release the draft as somebody does who has just read its review and typed its number."""
    basis = reading.basis()
    return actions.release(note=note, by=TESTER, seen=str(basis), typed=str(basis.number + 1))
