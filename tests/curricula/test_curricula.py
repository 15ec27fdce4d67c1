import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm import curricula
from minicosm.curricula import Outcome, buffer, plr, scores
from minicosm.curricula.registry import Entry
from minicosm.envs.maze import Maze, MazeConfig
from minicosm.envs.nav import Nav, NavConfig

MAZE = Maze(MazeConfig(height=5, width=5, num_walls=6, max_steps=20))
B = 8


def outcome_of(values, count=B):
    """An outcome in which `values` f32[L] are everything that scores look at."""
    each = jnp.broadcast_to(jnp.asarray(values, jnp.float32).reshape(-1, 1), (count, 1))
    ones = jnp.ones((count, 1))
    return Outcome(ones, 0 * ones, 0 * ones, 0 * ones + 1, 1 - each, each, jnp.ones((count, 1), bool))


def no_player(key, levels, num_steps):
    raise AssertionError("this curriculum plays nothing itself")


def goals(levels):
    """Something that tells levels apart."""
    return np.asarray(jax.vmap(buffer.fingerprint)(levels))[:, 0].tolist()


def steps(curriculum, count, values=lambda levels: np.linspace(0.1, 0.9, B)):
    """Kinds and proposals of `count` rounds."""
    state, seen = curriculum.init(jax.random.key(0)), []
    propose = jax.jit(lambda key, index, state: curriculum.propose(key, index, state, no_player))
    update = jax.jit(curriculum.update)
    for index in range(count):
        state, proposal = propose(jax.random.key(100 + index), jnp.int32(index), state)
        seen.append((int(state.kind), proposal, state))
        state = update(state, proposal, outcome_of(values(proposal.levels)))
    return state, seen


def test_robust_plr_learns_from_replays_alone_and_replays_what_scored_high():
    curriculum = curricula.make("robust_plr", MAZE, B, capacity=16, temperature=0.1, staleness=0.0)
    state, seen = steps(curriculum, 12)
    kinds = [kind for kind, _, _ in seen]
    assert kinds[0] == plr.NEW and plr.REPLAY in kinds
    for kind, proposal, before in seen:
        assert bool(proposal.learn.all()) == bool(proposal.learn.any()) == (kind == plr.REPLAY)
        if kind == plr.REPLAY:
            assert len(set(proposal.slot.tolist())) == B
            assert set(goals(proposal.levels)) <= set(goals(before.buffer.levels))
        else:
            assert (proposal.slot == -1).all()
    assert int(state.num_replays) == kinds.count(plr.REPLAY)


def test_plr_learns_from_everything():
    _, seen = steps(curricula.make("plr", MAZE, B, capacity=16), 6)
    assert all(proposal.learn.all() for _, proposal, _ in seen)


def test_accel_edits_the_levels_of_each_replay():
    curriculum = curricula.make("accel", MAZE, B, capacity=16, replay_probability=1.0, num_edits=3)
    _, seen = steps(curriculum, 7)
    kinds = [kind for kind, _, _ in seen]
    assert kinds == [0, 1, 2, 1, 2, 1, 2]  # full enough after 8 of 16
    parents, children = seen[1][1].levels, seen[2][1].levels
    changed = np.asarray(jax.vmap(lambda a, b: jnp.sum(a.walls != b.walls))(parents, children))
    assert changed.max() > 0 and changed.max() <= 3 + 1
    assert not seen[2][1].learn.any()


def test_max_mc_remembers_the_best_return_of_a_level():
    curriculum = curricula.make("robust_plr", MAZE, B, capacity=B, replay_probability=1.0)
    _, seen = steps(curriculum, 2)
    state = seen[1][2]
    _, proposal = curriculum.propose(jax.random.key(1), jnp.int32(2), state, no_player)
    worse = dataclasses.replace(outcome_of(np.full(B, 0.5)), max_return=jnp.zeros((B, 1)))
    after = curriculum.update(state, proposal, worse)
    np.testing.assert_allclose(after.buffer.best_return, 1.0)
    np.testing.assert_allclose(after.buffer.score, 1.0 - 0.5)  # the old best return, the new value


def test_regret_is_exact_in_mazes_and_refused_elsewhere():
    curriculum = curricula.make("robust_plr", MAZE, B, capacity=B, score="regret")
    state, proposal = curriculum.propose(jax.random.key(0), jnp.int32(0), curriculum.init(jax.random.key(0)), no_player)
    after = curriculum.update(state, proposal, outcome_of(np.zeros(B)))
    best = jax.vmap(MAZE.optimal_return)(proposal.levels)[:, 0]
    np.testing.assert_allclose(sorted(after.buffer.score.tolist()), sorted(best.tolist()), rtol=1e-6)
    with pytest.raises(ValueError, match="Nav knows no optimum"):
        curricula.make("robust_plr", Nav(NavConfig()), B, score="regret")


def test_sfl_keeps_the_most_learnable_and_refreshes_when_due():
    curriculum = curricula.make(
        "sfl", MAZE, B, num_batches=3, batch_size=10, num_steps=20, num_kept=4, refresh=2, share=0.5
    )
    tried = []

    def player(key, levels, num_steps):
        assert num_steps == 20
        success = jnp.mod(jnp.asarray(jax.vmap(buffer.fingerprint)(levels))[:, :1] / 4294967296.0 * 7.0, 1.0)
        jax.debug.callback(lambda f, p: tried.append((f, p)), jax.vmap(buffer.fingerprint)(levels)[:, 0], success[:, 0])
        return dataclasses.replace(outcome_of(np.zeros(10), 10), success=success)

    state = curriculum.init(jax.random.key(0))
    counts = []
    for index in range(4):
        state, proposal = curriculum.propose(jax.random.key(index), jnp.int32(index), state, player)
        jax.effects_barrier()
        counts.append(len(tried))
        assert proposal.learn.all() and (proposal.slot[:4] >= 0).all() and (proposal.slot[4:] == -1).all()
        assert set(goals(proposal.levels)[:4]) <= set(goals(state.levels))
    assert counts == [3, 3, 6, 6]
    prints, p = (np.concatenate([batch[i] for batch in tried[3:]]) for i in range(2))
    best = prints[np.argsort(-p * (1 - p))[:4]]
    assert set(goals(state.levels)) == set(best.tolist())
    assert int(state.num_scored) == 60


def test_scores_agree_with_plain_numpy():
    random = np.random.default_rng(1)
    fields = {f.name: random.random((6, 2)).astype(np.float32) for f in dataclasses.fields(Outcome)}
    active = np.array([[1, 1], [1, 0], [1, 1], [0, 1], [1, 1], [1, 1]], bool)
    outcome, best = Outcome(**{**fields, "active": active}), random.random((6, 2)).astype(np.float32)

    def mean(values):
        return [row[keep].mean() for row, keep in zip(values, active, strict=True)]

    p = fields["success"]
    for name, expected in (
        ("positive_value_loss", fields["value_loss"]),
        ("max_mc", best - fields["value"]),
        ("learnability", p * (1 - p)),
        ("best_known_regret", best - fields["returns"]),
        ("regret", best - fields["returns"]),
    ):
        np.testing.assert_allclose(scores.of(name, outcome, jnp.asarray(best)), mean(expected), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("sfI", {}, "no curriculum is named 'sfI'; did you mean 'sfl'"),
        ("plr", {"capacty": 3}, "has no setting 'capacty'; did you mean 'capacity'"),
        ("dr", {"capacity": 3}, "has no setting 'capacity'.*settings: none"),
        ("plr", {"capacity": 4}, "capacity is 4, fewer than the 8 worlds"),
        ("plr", {"capacity": 16.5}, "capacity is 16.5; expected a whole number"),
        ("plr", {"staleness": "old"}, "a setting of 'plr' is of the wrong kind: {'staleness': 'old'}"),
        ("sfl", {"share": "half"}, "a setting of 'sfl' is of the wrong kind"),
        ("plr", {"score": "luck"}, "no score is named 'luck'"),
        ("accel", {"replay_probability": 2.0}, "replay_probability is 2.0; expected 0 to 1"),
        ("sfl", {"num_steps": 5}, "num_steps is 5; expected at least 20"),
        ("sfl", {"num_kept": 30_000}, "num_kept is 30000, more than"),
        ("sfl", {"share": -0.1}, "share is -0.1; expected 0 to 1"),
    ],
)
def test_wrong_settings_are_told(name, settings, said):
    with pytest.raises(ValueError, match=said):
        curricula.make(name, MAZE, B, **settings)


def test_published_settings_are_the_defaults():
    nav = Nav(NavConfig())
    sfl = curricula.make("sfl", nav, 256)
    assert dataclasses.astuple(sfl.config) == (5, 1000, 1000, 100, 50, 0.5) and sfl.num_from_buffer == 128
    assert curricula.make("accel", nav, 256).config.num_edits == 20
    assert curricula.make("sfl", MAZE, 256).config.num_kept == 1000
    robust = curricula.make("robust_plr", MAZE, 32)
    assert (robust.config.capacity, robust.config.replay_probability, robust.config.score) == (4000, 0.8, "max_mc")
    assert robust.config.prioritisation.temperature == 0.3 and not robust.config.learn_from_new


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'dr' is registered already"):
        curricula.register(Entry("dr", curricula.DomainRandomization, "again"))
