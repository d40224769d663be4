"""The named reads of the pages."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Q, QuerySet

from deployments.models import Attachment, Deployment
from roles.models import Membership, Role

# A person counts as holding a role while the membership lasts, the account is enabled, and it is in the pool.
CURRENT = Q(until__isnull=True, user__enabled=True, user__gone_at__isnull=True)


def catalogue() -> QuerySet[Deployment]:
    """The rows of the catalogue, each with the number of its attached roles."""
    return Deployment.objects.annotate(role_count=Count("attachments"))


def people_of_deployments(ids: Iterable[int]) -> dict[int, int]:
    """Deployment id -> how many people hold at least one of its attached roles. One query."""
    return dict(
        Attachment.objects.filter(deployment_id__in=list(ids))
        .filter(
            role__memberships__until__isnull=True,
            role__memberships__user__enabled=True,
            role__memberships__user__gone_at__isnull=True,
        )
        .values_list("deployment_id")
        .annotate(people=Count("role__memberships__user", distinct=True))
        .values_list("deployment_id", "people")
    )


def people_of_roles(ids: Iterable[int]) -> dict[int, int]:
    """Role id -> how many people hold it. One query."""
    return dict(
        Membership.objects.filter(CURRENT, role_id__in=list(ids))
        .values_list("role_id")
        .annotate(people=Count("user", distinct=True))
        .values_list("role_id", "people")
    )


def attached_roles(deployment: Deployment) -> list[Role]:
    """The attached roles by name."""
    return list(Role.objects.filter(attachments__deployment=deployment).order_by("name"))
