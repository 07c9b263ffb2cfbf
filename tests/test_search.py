"""The smallest file that reaches a score is found in few fits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordcodec.encoder import search


class Codec:
    """Scores that grow with the logarithm of the size, and bend; full fits are better than quick ones."""

    def __init__(self, slope=2.0, bend=0.0, gain=0.8, scatter=0.0, top=math.inf):
        self.slope, self.bend, self.gain, self.scatter, self.top = slope, bend, gain, scatter, top
        self.quick_fits = self.full_fits = 0

    def reached(self, size):
        octaves = math.log2(size / 1000)
        noise = self.scatter * math.sin(size)
        return min(self.top, 30 + self.slope * octaves - self.bend * octaves**2 + noise)

    def quick(self, size):
        self.quick_fits += 1
        return search.Trial(size, size - 10, self.reached(size) - self.gain)

    def full(self, size):
        self.full_fits += 1
        return search.Trial(size, size - 10, self.reached(size))

    def meet(self, goal, start=1000, bounds=(60, 1 << 24), over=False, quick=True):
        self.has_quick, self.over = quick, over
        return search.ScoreSearch(goal, bounds, self).run(start)


@given(
    goal=st.floats(26, 36),
    slope=st.floats(1.2, 6),
    bend=st.floats(0, 0.03),
    start=st.integers(300, 30_000),
    quick=st.booleans(),
)
def test_scores_that_behave_are_met_closely(goal, slope, bend, start, quick):
    codec = Codec(slope, bend)
    best = codec.meet(goal, start, quick=quick)
    assert codec.quick_fits <= search.QUICK
    assert codec.full_fits <= search.FULL
    assert best.reached >= goal - 0.3
    assert best.reached <= goal + 0.5 or best.made == 60  # the least that a file may be given may be more than enough


@pytest.mark.parametrize("goal", [26, 31, 34.5, 38])
def test_two_full_fits_are_the_rule(goal):
    codec = Codec(slope=1.8, bend=0.02)
    best = codec.meet(goal)
    assert goal <= best.reached <= goal + search.ABOVE
    assert codec.full_fits <= 3


@given(goal=st.floats(25, 35), scatter=st.floats(0, 0.5))
def test_scatter_costs_fits_and_no_more(goal, scatter):
    codec = Codec(scatter=scatter)
    best = codec.meet(goal)
    assert goal - 0.5 <= best.reached <= goal + 2


def test_where_the_least_is_enough_it_is_taken():
    best = Codec().meet(5, bounds=(60, 10_000))
    assert best.made == 60


def test_where_nothing_is_enough_the_best_is_told():
    codec = Codec(top=33.0)
    best = codec.meet(40, bounds=(60, 50_000))
    assert best.reached == 33.0
    assert codec.full_fits <= search.FULL


def test_it_ends_with_what_there_is_when_the_time_is_over():
    codec = Codec()
    best = codec.meet(40, over=True)
    assert best.made == 1000  # and not what the score of a fit that was cut short asks for
    assert (codec.quick_fits, codec.full_fits) == (1, 0)
    assert codec.meet(40, over=True, quick=False).made == 1000


def test_distances_fall_where_scores_grow():
    assert search.decibels(0.01, falling=True) == pytest.approx(40)
    assert search.decibels(0.0, falling=True) == 600
    assert search.decibels(31.5, falling=False) == 31.5
