"""What a target is: a place that holds the bytes of one release, and can be read back."""

from __future__ import annotations

from typing import Protocol


class TargetError(Exception):
    """A target could not be read or written. The text is for people: what, where, why, and how to mend it.

    Unless the text says otherwise the target holds what it held. Nothing of the content is quoted.
    """

    def __init__(self, what: str, *, where: str, why: str, mend: str) -> None:
        super().__init__(f"{where} {what}: {why} {mend}")
        self.where = where


class Target(Protocol):
    """Where releases go. `tests/releases/test_targets.py` holds the contract that each kind passes."""

    @property
    def name(self) -> str:
        """What TARGETS calls it."""

    @property
    def where(self) -> str:
        """The place, for people: a path, an address of S3, the name of a secret."""

    def read(self) -> bytes | None:
        """What is there, or None when nothing is. Raises TargetError when that cannot be told."""

    def write(self, data: bytes, digest: str) -> None:
        """Make the target hold `data`, whose sha256 is `digest` (hexadecimal), at once or not at all.

        Where it holds them already, nothing is written. Raises TargetError.
        """


def refuse_too_large(target: Target, data: bytes, limit: int, why: str, mend: str) -> None:
    """Raise TargetError when there are more bytes than `limit`."""
    if len(data) > limit:
        raise TargetError(
            "cannot be written",
            where=target.where,
            why=f"the settings have {len(data):,} bytes, {why} {limit:,}.",
            mend=mend,
        )
