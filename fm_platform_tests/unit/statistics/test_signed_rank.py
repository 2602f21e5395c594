"""The exact signed-rank test: golden values, brute force, floats, larger samples."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fm_platform.statistics.effect_size import rank_biserial
from fm_platform.statistics.null_distribution import lower_tail
from fm_platform.statistics.signed_rank import signed_rank

BORTZ = [
    a - b
    for a, b in zip(
        [9, 14, 8, 11, 14, 10, 8, 14, 12, 14, 13, 9, 15, 12, 9],
        [13, 15, 9, 12, 16, 10, 8, 13, 12, 16, 9, 10, 16, 12, 9],
        strict=True,
    )
]
HOLLANDER_WOLFE = [
    Fraction(a) - Fraction(b)
    for a, b in zip(
        ["1.83", "0.50", "1.62", "2.48", "1.68", "1.88", "1.55", "3.06", "1.30"],
        ["0.878", "0.647", "0.598", "2.05", "1.06", "1.29", "1.06", "3.14", "1.29"],
        strict=True,
    )
]


def test_one_zero_change_among_six_is_not_significant():
    assert signed_rank([-5, -3, -8, 0, -2, -12]).p_value == Fraction(1, 16)


@pytest.mark.parametrize(
    ("changes", "zero", "truth"),
    [
        ([-5, -3, -8, -1, -2, -12], "wilcox", Fraction(1, 32)),
        ([-5, -3, -8, 0, -2, -12], "wilcox", Fraction(1, 16)),
        ([-5, -3, -8, 0, -2, -12], "pratt", Fraction(1, 16)),
        ([-2, -2, 0, -4, 1, -5], "pratt", Fraction(1, 8)),
        ([-3, -3, -1, 2, 2, -4], "wilcox", Fraction(9, 32)),
        ([0] * 6, "wilcox", Fraction(1)),
        ([0] * 6, "pratt", Fraction(1)),
    ],
)
def test_data_that_trap_scipy_get_the_exact_p(changes, zero, truth):
    assert signed_rank(changes, zero).p_value == truth


@pytest.mark.parametrize(
    ("changes", "zero", "w_plus", "p_num", "p_den"),
    [
        pytest.param(BORTZ, "wilcox", 13, 140, 1024, id="r-help-2006"),
        pytest.param([2, 1, 4, 3, 6, -5, 0], "wilcox", 16, 20, 64, id="r-devel-2003"),
        pytest.param([2, 1, 4, 3, 6, -5, 0], "pratt", None, 16, 64, id="r-devel-2003-pratt"),
        pytest.param(HOLLANDER_WOLFE, "wilcox", 40, 20, 512, id="hollander-wolfe"),
        pytest.param([-2, -2, -3, -4, 1, -5], "wilcox", 1, 4, 64, id="one-up"),
        pytest.param([-3, -3, -1, 2, 2, -4], "wilcox", 5, 18, 64, id="ties"),
        pytest.param([-6, -4, -1, -3, 2, -5, 0, -1], "wilcox", None, 10, 128, id="eight"),
        pytest.param([-6, -4, -1, -3, 2, -5, 0, -1], "pratt", None, 8, 128, id="eight-pratt"),
    ],
)
def test_golden_values(changes, zero, w_plus, p_num, p_den):
    test = signed_rank(changes, zero)
    assert (test.p_num, test.p_den) == (p_num, p_den)
    assert test.p_value == Fraction(p_num, p_den)
    assert w_plus is None or test.w_plus == w_plus


def test_hollander_wolfe_one_sided():
    """P(W+ >= 40) is the lower tail of W-; ranks are doubled."""
    test = signed_rank(HOLLANDER_WOLFE)
    tail = lower_tail([2 * rank for rank in range(1, 10)], int(2 * test.w_minus))
    assert tail.probability == Fraction(10, 512)
    assert round(float(tail.probability), 5) == 0.01953


def test_rank_sums_of_the_golden_data_of_six():
    sums = [signed_rank(changes) for changes in ([-2, -2, -3, -4, 1, -5], [-3, -3, -1, 2, 2, -4])]
    assert [(test.w_plus, test.w_minus) for test in sums] == [(1, 20), (5, 16)]


@pytest.mark.parametrize(
    ("changes", "zero", "r"),
    [
        ([-2, -2, -3, -4, 1, -5], "wilcox", -0.904762),
        ([-3, -3, -1, 2, 2, -4], "wilcox", -0.523810),
        ([-6, -4, -1, -3, 2, -5, 0, -1], "wilcox", -0.785714),
        ([-6, -4, -1, -3, 2, -5, 0, -1], "pratt", -0.771429),
        ([-1, -2, -3], "wilcox", -1),
    ],
)
def test_rank_biserial_golden_values(changes, zero, r):
    assert float(rank_biserial(signed_rank(changes, zero))) == pytest.approx(r, abs=5e-7)


def test_rank_biserial_without_any_change_is_none():
    assert rank_biserial(signed_rank([0, 0])) is None


def test_counts_are_reported():
    test = signed_rank([-3, -3, -1, 2, 2, 0])
    assert (test.n, test.n_zero, test.n_eff, test.n_tied_groups) == (6, 1, 5, 2)
    assert test.w_plus + test.w_minus == 15


@pytest.mark.parametrize(
    ("n", "p_floor"),
    [(0, 1), (1, 1), (4, Fraction(1, 8)), (5, Fraction(1, 16)), (6, Fraction(1, 32)), (10, Fraction(1, 512))],
)
def test_the_floor_is_reached_when_everyone_changes_one_way(n, p_floor):
    test = signed_rank(list(range(1, n + 1)))
    assert (test.p_floor, test.p_value) == (p_floor, p_floor)


def test_a_float_is_refused():
    with pytest.raises(TypeError, match="floats break ties"):
        signed_rank([-1.0, 2.0])


def test_equal_fiqr_changes_tie_as_integers_and_not_always_as_floats():
    """F/3 + O + S/2 in doubles breaks ties; sixths cannot. 3000 seeded data sets of six patients."""
    differing = 0
    for seed in range(3000):
        draw = random.Random(seed)
        sixths, floats = [], []
        for _ in range(6):
            step = (draw.choice([-2, -1, 1, 2]), draw.choice([-1, 0, 1]), draw.choice([-2, 0, 2]))
            f, o, s = draw.randint(20, 70), draw.randint(4, 16), draw.randint(20, 80)
            sixths.append(2 * step[0] + 6 * step[1] + 3 * step[2])
            after = (f + step[0]) / 3 + (o + step[1]) + (s + step[2]) / 2
            floats.append(Fraction(after) - Fraction(f / 3 + o + s / 2))
        exact = signed_rank(sixths)
        assert exact.p_value == signed_rank([Fraction(change, 6) for change in sixths]).p_value
        assert exact.p_value == enumerate_p(sixths, "wilcox")
        differing += exact.p_value != signed_rank(floats).p_value
    assert differing > 0


def enumerate_p(changes, zero):
    """Two-sided p by listing every sign vector, with ranks written out from their definition."""
    ranked = [abs(change) for change in changes if zero == "pratt" or change != 0]

    def midrank(size):
        below, equal = sum(other < size for other in ranked), ranked.count(size)
        return Fraction(2 * below + equal + 1, 2)

    signed = [change for change in changes if change != 0]
    ranks = [midrank(abs(change)) for change in signed]
    observed = sum((rank for rank, change in zip(ranks, signed, strict=True) if change > 0), Fraction(0))
    sums = [
        sum((rank for rank, sign in zip(ranks, signs, strict=True) if sign), Fraction(0))
        for signs in product((0, 1), repeat=len(ranks))
    ]
    below = Fraction(sum(total <= observed for total in sums), len(sums))
    above = Fraction(sum(total >= observed for total in sums), len(sums))
    return min(Fraction(1), 2 * min(below, above))


@pytest.mark.parametrize("zero", ["wilcox", "pratt"])
@given(changes=st.lists(st.integers(-4, 4), max_size=8))
def test_equals_enumeration_of_every_sign_vector(zero, changes):
    assert signed_rank(changes, zero).p_value == enumerate_p(changes, zero)


@given(changes=st.lists(st.integers(-6, 6), min_size=1, max_size=40), data=st.data())
def test_order_does_not_matter_and_signs_are_symmetric(changes, data):
    shuffled = data.draw(st.permutations(changes))
    test, turned = signed_rank(changes), signed_rank([-change for change in changes])
    assert signed_rank(shuffled) == test
    assert (turned.w_plus, turned.w_minus, turned.p_value) == (test.w_minus, test.w_plus, test.p_value)
    assert test.p_floor <= test.p_value <= 1


@given(changes=st.lists(st.fractions(-3, 3, max_denominator=12), min_size=1, max_size=12))
def test_the_scale_of_the_values_does_not_matter(changes):
    scale = math.lcm(*(change.denominator for change in changes))
    assert signed_rank([int(change * scale) for change in changes]) == signed_rank(changes)


@pytest.mark.parametrize("n", [63, 120])
def test_beyond_counting_doubles_agree_with_big_integers(n):
    """The reference keeps all coefficients of the generating function in one Python integer."""
    draw = random.Random(n)
    ranks = sorted(draw.randint(1, 2 * n) for _ in range(n))
    bound = sum(ranks) // 2 - draw.randint(0, 3 * n)
    bits = n + 1
    packed = 1
    for rank in ranks:
        packed += packed << (rank * bits)
    mask = (1 << bits) - 1
    count = sum(packed >> (at * bits) & mask for at in range(bound + 1))
    tail = lower_tail(ranks, bound)
    assert (tail.method, tail.count) == ("exact in double precision", None)
    assert float(tail.probability) == pytest.approx(float(Fraction(count, 2**n)), rel=1e-12)


def test_counting_and_doubles_meet_at_the_boundary():
    changes = [*range(1, 41), *range(-22, 0)]
    counted, doubled = signed_rank(changes), signed_rank([*changes, 63])
    assert (counted.p_den, doubled.p_den) == (2**62, None)
    assert "exact," in counted.method
    assert "exact in double precision" in doubled.method


def test_a_thousand_changes_have_a_p_close_to_the_normal_one():
    draw = random.Random(7)
    changes = [size * draw.choice([-1, 1]) for size in range(1, 1001)]
    test = signed_rank(changes)
    spread = math.sqrt(1000 * 1001 * 2001 / 24)
    z = abs(float(test.w_plus) - 1000 * 1001 / 4) / spread
    assert test.method.startswith("Wilcoxon signed-rank, exact in double precision")
    assert float(test.p_value) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.005)


def test_beyond_a_thousand_the_method_says_normal_approximation():
    test = signed_rank(np.tile([3, -1, 2, -2, 5, 0], 300))
    assert (test.n, test.n_eff, test.p_num) == (1800, 1500, None)
    assert "normal approximation" in test.method
    assert 0 < test.p_value < 1


def test_agrees_with_scipy_where_scipy_is_exact():
    from scipy.stats import wilcoxon

    for seed in range(30):
        draw = random.Random(seed)
        changes = draw.sample(range(1, 40), k=draw.randint(4, 20))
        changes = [change * draw.choice([-1, 1]) for change in changes]
        reference = wilcoxon(changes, method="exact").pvalue
        assert float(signed_rank(changes).p_value) == pytest.approx(reference, abs=1e-12)
