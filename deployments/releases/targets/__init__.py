"""The targets that the environment names (TARGETS)."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from deployments.releases.targets.file import FileTarget
from deployments.releases.targets.interface import Target
from deployments.releases.targets.s3 import S3Target
from deployments.releases.targets.secrets_manager import SecretTarget
from dialadmin.environment import TargetUrl


def configured() -> dict[str, Target]:
    """Every target by name, in the order of TARGETS. The first is the one that Core reads."""
    return {url.name: make(url) for url in settings.TARGETS}


def make(url: TargetUrl) -> Target:
    """The target of a checked URL. Nothing is opened or called yet."""
    if url.scheme == "file":
        return FileTarget(url.name, Path(url.place))
    options = {"region": settings.AWS_REGION, **url.options}
    if url.scheme == "s3":
        bucket, _, key = url.place.partition("/")
        return S3Target(url.name, bucket, key, **options)
    return SecretTarget(url.name, url.place, **options)
