"""Reviews for tests: rows as they would have been frozen."""

from __future__ import annotations

from typing import Any

from deployments.access import actions
from deployments.access.actions import Basis, Frozen
from deployments.access.models import AccessReview, ReviewRow
from dialadmin.history.recorder import Actor

BY = Actor("sub-vera", "Vera")
BASIS = Basis(draft_version=1, target_version="0.37", sync_id=7)


def frozen(number: int, via: tuple[str, ...] = ("analysts",), **more: Any) -> Frozen:
    """Person `number` on gpt-4o."""
    fields: dict[str, Any] = {
        "kind": "model", "deployment": "gpt-4o", "via": via, "limit": (("minute", 10),), "state": "limited",
        "subject_kind": "user", "subject_id": number, "subject": f"sub-{number}", "label": f"Person {number}",
    }  # fmt: skip
    return Frozen(**{**fields, **more})


def make_review(*rows: Frozen, signed: bool = False) -> AccessReview:
    """An open review of these rows; signed off, with every row to be removed, where asked."""
    review = actions.open_review(
        title="Third quarter", deployments=[("model", "gpt-4o")], rows=rows or [frozen(1)], basis=BASIS, by=BY
    )
    if not signed:
        return review
    every = ReviewRow.objects.filter(review=review)
    actions.decide(review=review, rows=every, decision="remove", reason="left", by=BY)
    return actions.close_review(review=review, note="", by=BY)
