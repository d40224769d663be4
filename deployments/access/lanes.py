"""Many small numbers side by side in one whole number, a lane of 32 bits for each. Pure.

The larger of two numbers in each lane, or whether it is at least some other, then takes a handful of operations for
all lanes together. Numbers are below 2**31: the last bit of a lane is where a comparison leaves its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

WIDTH = 32
TOP = WIDTH - 1


class Lanes:
    """Vectors of so many lanes."""

    def __init__(self, number: int) -> None:
        self._form = Struct(f"<{number}I")
        self._size = self._form.size
        self._tops = self.pack([1 << TOP] * number)

    def pack(self, numbers: Sequence[int]) -> int:
        return int.from_bytes(self._form.pack(*numbers), "little")

    def unpack(self, vector: int) -> tuple[int, ...]:
        return self._form.unpack(vector.to_bytes(self._size, "little"))

    def largest(self, vectors: Iterable[int]) -> int:
        """Lane by lane the largest number of all vectors, 0 where there is none."""
        tops = self._tops
        result = 0
        for vector in vectors:
            kept = (result | tops) - vector & tops
            kept -= kept >> TOP  # all the other bits of those lanes
            result = vector ^ (vector ^ result) & kept
        return result

    def at_least(self, one: int, other: int) -> int:
        """The last bit of the lanes in which `one` is not less than `other`."""
        return (one | self._tops) - other & self._tops


def marked(answer: int) -> Iterator[int]:
    """The lanes whose last bit is set in an answer, in order, counted from 0."""
    while answer:
        bit = answer & -answer
        answer ^= bit
        yield (bit.bit_length() - 1) // WIDTH
