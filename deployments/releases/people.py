"""The people of the pool as bits: what a review counts with, and the names behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deployments.querysets import CURRENT
from deployments.releases.review import People
from roles.models import Membership, Role, User


@dataclass(frozen=True)
class Directory:
    """`people` as bits, and the id of the user behind each bit, in the order of user names."""

    people: People
    ids: Sequence[int]

    def users(self, bits: int, first: int, count: int) -> list[User]:
        """The users of these bits by user name, from the one at `first` (from 0). One query."""
        found = [pk for _, pk in zip(range(first + count), self._ids_of(bits), strict=False)][first:]
        return list(User.objects.filter(pk__in=found).order_by("username"))

    def _ids_of(self, bits: int) -> Iterator[int]:
        for index, byte in enumerate(bits.to_bytes((bits.bit_length() + 7) // 8, "little")):
            for bit in range(8):
                if byte >> bit & 1:
                    yield self.ids[index * 8 + bit]


def directory() -> Directory:
    """Everyone who can sign in today, and the roles that they hold. Three queries."""
    ids = list(User.objects.filter(enabled=True, gone_at=None).order_by("username").values_list("pk", flat=True))
    place = {pk: number for number, pk in enumerate(ids)}
    size = (len(ids) + 7) // 8
    held: defaultdict[int, bytearray] = defaultdict(lambda: bytearray(size))
    for role, user in Membership.objects.filter(CURRENT).values_list("role_id", "user_id").iterator(20_000):
        number = place.get(user)
        if number is not None:
            held[role][number >> 3] |= 1 << (number & 7)
    names = dict(Role.objects.filter(memberships__until=None).values_list("pk", "name").distinct())
    holding = {names[pk]: int.from_bytes(bits, "little") for pk, bits in held.items()}
    return Directory(People((1 << len(ids)) - 1, holding), ids)
