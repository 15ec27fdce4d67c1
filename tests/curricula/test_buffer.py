import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.curricula import buffer as buffers
from minicosm.curricula.buffer import Prioritisation

LEVEL = {"walls": jax.ShapeDtypeStruct((3,), jnp.bool_), "goal": jax.ShapeDtypeStruct((), jnp.int32)}


def levels(*goals):
    walls = [[bool(goal & 1), bool(goal & 2), bool(goal & 4)] for goal in goals]
    return {"walls": jnp.array(walls), "goal": jnp.array(goals, jnp.int32)}


def held(buffer):
    """Goals and scores of what the buffer holds."""
    filled = np.asarray(buffer.filled)
    return dict(zip(np.asarray(buffer.levels["goal"])[filled].tolist(), np.asarray(buffer.score)[filled], strict=True))


def insert(buffer, goals, scores, best=None, **options):
    best = scores if best is None else best
    scores, best = jnp.array(scores, jnp.float32), jnp.array(best, jnp.float32)[:, None]
    return buffers.insert(buffer, levels(*goals), scores, best, **options)


@pytest.fixture
def buffer():
    return buffers.empty(LEVEL, 4, 1)


def test_the_best_stay_and_keep_their_places(buffer):
    buffer = insert(buffer, [1, 2, 3], [0.1, 0.5, 0.3])
    assert float(buffer.share_filled) == 0.75
    places = np.asarray(buffer.levels["goal"]).tolist()
    buffer = insert(buffer, [4, 5, 6], [0.2, 0.05, 0.9])
    assert held(buffer) == pytest.approx({2: 0.5, 3: 0.3, 4: 0.2, 6: 0.9})
    after = np.asarray(buffer.levels["goal"]).tolist()
    assert after.index(2) == places.index(2) and after.index(3) == places.index(3)


def test_random_insertions_agree_with_a_sorted_list(buffer):
    big = buffers.empty(LEVEL, 20, 1)
    random, expected = np.random.default_rng(0), {}
    for turn in range(10):
        goals, scores = list(range(7 * turn, 7 * turn + 7)), random.random(7).astype(np.float32)
        big = insert(big, goals, scores)
        expected |= dict(zip(goals, scores, strict=True))
        expected = dict(sorted(expected.items(), key=lambda item: -item[1])[:20])
        assert held(big) == pytest.approx(expected)
        assert int(big.clock) == 7 * (turn + 1)


def test_duplicates_take_no_second_place(buffer):
    buffer = insert(buffer, [1, 1, 2], [0.1, 0.7, 0.3])
    buffer = insert(buffer, [2, 3], [0.9, 0.2])
    assert held(buffer) == pytest.approx({1: 0.1, 2: 0.3, 3: 0.2})
    twice = insert(buffers.empty(LEVEL, 4, 1), [1, 1], [0.1, 0.7], drop_duplicates=False)
    assert int(twice.filled.sum()) == 2


def test_levels_that_are_not_offered_stay_out(buffer):
    buffer = insert(buffer, [1, 2], [buffers.EMPTY, 0.3], best=[1.0, 2.0])
    assert held(buffer) == pytest.approx({2: 0.3})
    assert int(buffer.clock) == 1


def test_rescoring_changes_what_was_played_alone(buffer):
    buffer = insert(buffer, [1, 2, 3], [0.1, 0.5, 0.3])
    slot = int(np.flatnonzero(np.asarray(buffer.levels["goal"]) == 2)[0])
    after = buffers.rescore(buffer, jnp.array([slot, -1]), jnp.array([0.05, 9.0]), jnp.array([[0.4], [9.0]]))
    assert held(after) == pytest.approx({1: 0.1, 2: 0.05, 3: 0.3})
    assert float(after.best_return[slot, 0]) == pytest.approx(0.5)  # the better of both
    assert int(after.last_played[slot]) == int(after.clock) == 4


def weights_by_hand(score, age, kind, temperature, staleness, topk):
    score, age = np.asarray(score, float), np.asarray(age, float)
    order = sorted(range(len(score)), key=lambda k: -score[k])
    rank = np.empty(len(score))
    for place, k in enumerate(order):
        rank[k] = place + 1
    weight = {"rank": 1 / rank, "proportional": np.maximum(score, 0), "topk": (rank <= topk).astype(float)}[kind]
    weight = weight ** (1 / temperature)
    return (1 - staleness) * weight / weight.sum() + staleness * age / age.sum()


@pytest.mark.parametrize("kind", ["rank", "proportional", "topk"])
@pytest.mark.parametrize(("temperature", "staleness"), [(1.0, 0.3), (0.3, 0.1), (2.0, 0.0)])
def test_weights_agree_with_plain_numpy(kind, temperature, staleness):
    buffer = buffers.empty(LEVEL, 8, 1)
    for goal, score in enumerate([0.2, 0.7, 0.1, 0.4, 0.65]):
        buffer = insert(buffer, [goal], [score])
    weights = Prioritisation(kind, temperature, staleness, topk=2).weights(buffer)
    ages = 5 - np.arange(1, 6)
    expected = weights_by_hand([0.2, 0.7, 0.1, 0.4, 0.65], ages, kind, temperature, staleness, 2)
    np.testing.assert_allclose(weights[:5], expected, rtol=1e-5)
    assert float(weights[5:].sum()) == 0


def test_draws_are_different_places_by_weight():
    buffer = insert(buffers.empty(LEVEL, 6, 1), [0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1])
    by_score = Prioritisation("proportional", staleness=0.0)
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn = np.asarray(jax.vmap(lambda key: by_score.draw(key, buffer, 2))(keys))
    assert (drawn[:, 0] != drawn[:, 1]).all() and drawn.max() == 3
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=4) / 4000, [0.4, 0.3, 0.2, 0.1], atol=0.03)
    more = np.asarray(by_score.draw(jax.random.key(1), buffer, 6))  # more than there are: some come twice
    assert set(more.tolist()) == {0, 1, 2, 3}


def test_where_no_score_is_above_zero_all_are_alike():
    buffer = insert(buffers.empty(LEVEL, 4, 1), [0, 1], [0.0, 0.0])
    np.testing.assert_allclose(Prioritisation("proportional", staleness=0.0).weights(buffer), [0.5, 0.5, 0, 0])


def test_fingerprints_tell_levels_apart():
    many = levels(*range(2000))
    prints = np.asarray(jax.vmap(buffers.fingerprint)(many))
    assert len({tuple(row) for row in prints.tolist()}) == 2000
    swapped = buffers.fingerprint({"a": jnp.array([1.0, 2.0])}), buffers.fingerprint({"a": jnp.array([2.0, 1.0])})
    assert not np.array_equal(*swapped)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "best"}, "'best'; expected 'rank'"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"staleness": 1.5}, "staleness is 1.5"),
        ({"topk": 0}, "topk is 0"),
    ],
)
def test_wrong_settings_are_told(settings, said):
    with pytest.raises(ValueError, match=said):
        Prioritisation(**settings)
