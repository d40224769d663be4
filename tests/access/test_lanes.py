"""Vectors in one whole number: every lane is what it would be alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deployments.access.lanes import Lanes, marked

NUMBERS = st.one_of(st.integers(0, 3), st.integers(0, 2**31 - 1))


@st.composite
def vectors(draw: st.DrawFn) -> list[list[int]]:
    lanes = draw(st.integers(0, 9))
    return draw(st.lists(st.lists(NUMBERS, min_size=lanes, max_size=lanes), min_size=2, max_size=5))


@given(vectors())
def test_the_largest_is_found_lane_by_lane(some: list[list[int]]) -> None:
    lanes = Lanes(len(some[0]))
    assert lanes.unpack(lanes.largest(map(lanes.pack, some))) == tuple(map(max, *some))


@given(vectors())
def test_a_comparison_marks_the_lanes_where_it_holds(some: list[list[int]]) -> None:
    one, other, *_ = some
    lanes = Lanes(len(one))
    holds = [lane for lane, (a, b) in enumerate(zip(one, other, strict=True)) if a >= b]
    assert list(marked(lanes.at_least(lanes.pack(one), lanes.pack(other)))) == holds


def test_nothing_is_the_largest_of_no_vectors() -> None:
    lanes = Lanes(3)
    assert lanes.unpack(lanes.largest([])) == (0, 0, 0)
