"""Statistics over seeds, against what plain loops say and cases done by hand."""

import itertools

import numpy as np
import pytest

from minicosm.studies import statistics


def plain_iqm(values):
    values = sorted(values)
    cut = len(values) // 4
    kept = values[cut : len(values) - cut]
    return sum(kept) / len(kept)


def exact_interval(values, statistic):
    """The interval over every way to draw as many seeds as there are."""
    found = sorted(statistic([values[i] for i in draw]) for draw in itertools.product(range(len(values)), repeat=3))
    return found[int(0.025 * len(found))], found[-1 - int(0.025 * len(found))]


@pytest.mark.parametrize("count", range(1, 13))
def test_the_interquartile_mean_is_that_of_the_middle_half(count):
    values = np.random.default_rng(count).random(count)
    assert statistics.iqm(values) == pytest.approx(plain_iqm(values))


def test_the_interquartile_mean_by_hand():
    assert statistics.iqm([0, 0, 1, 0.5]) == 0.25  # without a 0 and the 1
    assert statistics.iqm([[0, 1], [1, 1]]) == 1.0
    table = np.random.default_rng(0).random((5, 7, 3))
    np.testing.assert_allclose(
        statistics.seeds_iqm(table)[2], [plain_iqm(table[2, :, k]) for k in range(3)], rtol=1e-12
    )
    assert statistics.table_iqm(table)[1] == pytest.approx(plain_iqm(table[1].ravel()))
    assert statistics.table_mean(table)[1] == pytest.approx(table[1].mean())


def test_one_seed_has_no_interval():
    found = statistics.estimate([[0.25, 0.75]], statistics.table_mean)
    assert (float(found.value), found.low, found.high) == (0.5, None, None)


def test_seeds_that_agree_leave_no_doubt():
    found = statistics.estimate(np.full((4, 3), 0.3), statistics.seeds_iqm)
    for each in (found.value, found.low, found.high):
        np.testing.assert_allclose(each, [0.3, 0.3, 0.3])


def test_intervals_of_three_seeds_are_those_of_all_27_draws():
    values = [0.2, 0.9, 0.5]
    found = statistics.estimate(np.array(values)[:, None], statistics.table_mean)
    low, high = exact_interval(values, np.mean)
    assert (low, high) == pytest.approx((0.2, 0.9))  # one draw in 27 is of the worst seed only: more than 2.5 %
    assert (float(found.low), float(found.high)) == pytest.approx((low, high))
    assert float(found.value) == pytest.approx(np.mean(values))


def test_intervals_of_more_seeds_agree_with_a_plain_bootstrap():
    scores = np.random.default_rng(1).random((8, 5))
    found = statistics.estimate(scores, statistics.table_iqm)
    draws = np.random.default_rng(2).integers(8, size=(4000, 8))
    plain = [plain_iqm(scores[draw].ravel()) for draw in draws]
    np.testing.assert_allclose([found.low, found.high], np.quantile(plain, [0.025, 0.975]), atol=0.02)
    assert found.low < found.value < found.high


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        found = statistics.estimate(rng.normal(0.5, 0.1, (12, 1)), statistics.table_mean)
        covered += bool(found.low <= 0.5 <= found.high)
    assert 0.86 <= covered / 100 <= 0.98  # percentile intervals of few seeds are a little narrow


def test_a_seeds_levels_are_drawn_together():
    """Seeds that do alike on all levels: drawn level by level, the mean of 100 would have a tenth of this interval."""
    scores = np.repeat(np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])[:, None], 100, axis=1)
    found = statistics.estimate(scores, statistics.table_mean)
    assert found.high - found.low > 0.6


def test_the_risk_curve_by_hand():
    ranking = np.array([[[0, 0], [1, 1], [0, 1], [1, 1]]])
    scoring = np.array([[[0, 1], [1, 1], [0, 0], [1, 0]]])
    curve = statistics.risk_curve(ranking, scoring, [1, 25, 26, 50, 75, 100])
    # from the worst: level 0 scores 1/2, level 2 0, level 1 1, level 3 1/2
    np.testing.assert_allclose(curve, [[1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 2, 1 / 2]])


def test_the_risk_curve_agrees_with_a_plain_one():
    rng = np.random.default_rng(4)
    ranking, scoring = rng.random((2, 3, 50, 4))
    percents = statistics.risk_percents(50)
    curve = statistics.risk_curve(ranking, scoring, percents)
    for seed in range(3):
        worst_first = sorted(range(50), key=lambda level: ranking[seed, level].mean())
        for k, percent in enumerate(percents):
            chosen = worst_first[: int(np.ceil(percent / 100 * 50 - 1e-9))]
            assert curve[seed, k] == pytest.approx(np.mean([scoring[seed, level].mean() for level in chosen]))
    np.testing.assert_allclose(curve[:, -1], scoring.mean(axis=(1, 2)))


def test_the_worst_coin_flips_do_as_well_as_the_others():
    """Scored on the rollouts that ranked them, the worst tenth of coin flips would seem to fail nearly always."""
    ranking, scoring = np.random.default_rng(5).integers(2, size=(2, 1, 10_000, 5))
    apart = statistics.risk_curve(ranking, scoring, [10])[0, 0]
    together = statistics.risk_curve(ranking, ranking, [10])[0, 0]
    assert apart == pytest.approx(0.5, abs=0.03)
    assert together < 0.2


def test_percentages_begin_with_one_level():
    np.testing.assert_allclose(statistics.risk_percents(10_000)[[0, 10, 20, 30]], [0.1, 1, 10, 100])
    np.testing.assert_allclose(statistics.risk_percents(100)[[0, 10, 20]], [1, 10, 100])
    np.testing.assert_allclose(statistics.risk_percents(1), [100])


def test_what_cannot_be_a_curve_is_refused():
    with pytest.raises(ValueError, match=r"ranking has shape \(1, 4, 2\) and scoring \(1, 5, 2\)"):
        statistics.risk_curve(np.zeros((1, 4, 2)), np.zeros((1, 5, 2)), [10])
    with pytest.raises(ValueError, match="percents are \\[0.0, 10.0\\]; expected numbers above 0"):
        statistics.risk_curve(np.zeros((1, 4, 2)), np.zeros((1, 4, 2)), [0, 10])
