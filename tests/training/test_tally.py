import dataclasses

import jax.numpy as jnp
import numpy as np

from minicosm.training import tally
from minicosm.training.rollout import Samples


def episodes_by_hand(reward, value, advantage, valid, last, success):
    """Per lane: a list of (length, return, mean value, mean positive advantage, success) of the episodes that ended."""
    result = []
    for n in range(reward.shape[1]):
        ended, now = [], []
        for t in range(reward.shape[0]):
            if not valid[t, n]:
                continue
            now.append(t)
            if last[t, n]:
                mean = lambda x, now=now, n=n: x[now, n].mean()
                gain = np.maximum(advantage[now, n], 0).mean()
                ended.append((len(now), reward[now, n].sum(), mean(value), gain, success[t, n]))
                now = []
        result.append(ended)
    return result


def test_a_tally_agrees_with_plain_numpy_however_it_is_cut():
    random, T, N = np.random.default_rng(0), 40, 6
    reward, value, advantage = random.normal(size=(3, T, N)).astype(np.float32)
    last, valid, success = random.random((3, T, N)) < np.array([0.15, 0.9, 0.5])[:, None, None]
    last[:, 5] = False  # an episode that never ends
    samples = Samples(*[None] * len(dataclasses.fields(Samples)))
    total = tally.empty(N)
    for a, b in ((0, 7), (7, 8), (8, T)):
        part = {"reward": reward, "value": value, "last": last, "valid": valid, "success": success}
        part = {name: jnp.asarray(x[a:b]) for name, x in part.items()}
        total = tally.add(total, dataclasses.replace(samples, **part), jnp.asarray(advantage[a:b]))
    found = tally.outcome(total, None, 2)
    assert found.success.shape == (3, 2) and bool(found.active.all())
    ended = episodes_by_hand(reward, value, advantage, valid, last, success)
    for n in range(5):
        lane = [np.asarray(getattr(found, f)).reshape(-1)[n] for f in ("episodes", "returns", "value", "value_loss")]
        _, returns, values, gains, successes = (np.array(x) for x in zip(*ended[n], strict=True))
        np.testing.assert_allclose(lane, [len(returns), returns.mean(), values.mean(), gains.mean()], rtol=1e-4)
        assert np.isclose(found.max_return.reshape(-1)[n], returns.max(), rtol=1e-4)
        assert np.isclose(found.success.reshape(-1)[n], successes.mean())
    assert found.episodes.reshape(-1)[5] == 1 and found.success.reshape(-1)[5] == 0
    np.testing.assert_allclose(found.returns.reshape(-1)[5], reward[valid[:, 5], 5].sum(), rtol=1e-4)
