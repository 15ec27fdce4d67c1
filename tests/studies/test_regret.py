"""Regret: none for the oracle, all of it for one that stands still, the rest in between; exact, or of what is known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.envs import physics
from minicosm.envs.maze import Maze, MazeConfig, library, solve
from minicosm.envs.nav import Nav
from minicosm.envs.physics import Physics, PhysicsConfig
from minicosm.envs.physics import library as physics_library
from minicosm.envs.physics.best_known import best_known
from minicosm.envs.physics.plan import PlanConfig
from minicosm.studies.regret import oracle_policy
from minicosm.training.record import Policy, random_policy


def turn(key, observation, carry):
    return jnp.zeros(observation["direction"].shape, jnp.int32), carry


def test_the_oracle_reaches_the_optimal_return_on_every_level():
    env = Maze(MazeConfig(level_kind="solvable"))
    drawn = jax.jit(jax.vmap(env.sample_level))(jax.random.split(jax.random.key(0), 200))
    levels = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), drawn, library.load_all())
    left = minicosm.regret(levels, oracle_policy(levels), env)
    assert left.shape == (200 + len(library.names()), 1)
    np.testing.assert_allclose(left, 0.0, atol=1e-6)


def test_one_that_never_arrives_regrets_the_optimal_return():
    level = library.load("labyrinth")
    left = minicosm.regret(level, Policy(turn))
    best = solve.solve(level, MazeConfig()).optimal_return
    assert left.shape == (1,) and float(left[0]) == pytest.approx(float(best[0])) and best[0] > 0.7


def test_chance_lies_between_and_its_mean_settles():
    level = library.load("pillars")
    env = Maze()
    left = [
        float(minicosm.regret(level, random_policy(env), env, num_episodes=64, key=jax.random.key(k))[0])
        for k in (1, 2)
    ]
    best = float(solve.solve(level, env.config).optimal_return[0])
    assert all(0.2 < value < best for value in left)
    assert left[0] != left[1] and abs(left[0] - left[1]) < 0.25


def test_what_does_not_fit_is_refused():
    level = library.load("pillars")
    with pytest.raises(ValueError, match="13 x 13 cells and 1 agents, but the env 9 x 13"):
        minicosm.regret(level, Policy(turn), Maze(MazeConfig(width=9)))
    with pytest.raises(ValueError, match="num_episodes is 0"):
        minicosm.regret(level, Policy(turn), num_episodes=0)


PHYSICS = PhysicsConfig(size="s")
WON, HARD = ("lift_off", "flappy"), "over_the_hill"


def stacked(names):
    levels = [physics_library.load(name, PHYSICS) for name in names]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *levels)


def still(key, observation, carry):
    return jnp.zeros((observation.shape[0], 1, 6)), carry


def replays(names, num_episodes):
    """Plays the replay of each level, and then does nothing."""
    actions = np.zeros((PHYSICS.max_steps, len(names) * num_episodes, 6), np.float32)
    for i, name in enumerate(names):
        kept = physics_library.replay(name).actions
        actions[: len(kept), i * num_episodes : (i + 1) * num_episodes] = kept[:, None]

    def act(key, observation, carry):
        actions, time = carry
        return actions[time][:, None], (actions, time + 1)

    return Policy(act, (jnp.asarray(actions), jnp.int32(0)))


def test_of_library_levels_of_physics_the_best_return_is_that_of_the_replay():
    levels, env = stacked(WON), Physics(PHYSICS)
    np.testing.assert_array_equal(minicosm.regret(levels, replays(WON, 1)), np.zeros((2, 1)))
    # doing nothing never wins: the pole that falls is no failure, and what is not over in time earns 0
    ends = np.asarray(minicosm.regret(levels, Policy(still), env))
    assert ends.shape == (2, 1) and set(ends.ravel().tolist()) <= {1.0, 2.0}
    # twice the share of failures, plus that of episodes without an end
    left = np.asarray(minicosm.regret(levels, random_policy(env), env, num_episodes=16))
    assert ((left >= 0) & (left <= 2)).all() and (left.ravel() * 16 == np.round(left.ravel() * 16)).all()
    assert left.max() > 0


def test_the_best_return_of_other_levels_of_physics_is_searched_for():
    level = physics_library.load("lift_off", PHYSICS)
    moved = dataclasses.replace(level, position=level.position.at[4, 0].add(0.01))
    with pytest.raises(ValueError, match=r"no best return is known of levels\[0\], since it is none of the library's"):
        minicosm.regret(moved, Policy(still))
    found = minicosm.regret(moved, Policy(still), search=PlanConfig(num_worlds=64, attempts=3))
    assert found.shape == (1,) and float(found[0]) == float(minicosm.regret(level, Policy(still))[0]) >= 1.0


def test_what_a_policy_earns_beyond_what_the_search_found_counts_as_known():
    level = physics_library.load(HARD, PHYSICS)
    scene = dataclasses.replace(level.scene, gravity=level.scene.gravity + jnp.array([1e-9, 0.0]))  # not the library's
    level = dataclasses.replace(level, scene=scene)
    search = PlanConfig(num_worlds=16, attempts=1)  # too little to find a way
    assert float(minicosm.regret(level, replays((HARD,), 1), search=search)[0]) == 0.0
    assert float(best_known(jax.tree.map(lambda x: x[None], level), PHYSICS, search)[0]) < 1.0


def test_what_best_return_is_known_depends_on_the_env():
    level = physics_library.load("lift_off", PHYSICS)
    with pytest.raises(ValueError, match="the replay of 'lift_off' is for frame_skip 2, 4 motor"):
        minicosm.regret(level, Policy(still), Physics(PhysicsConfig(size="s", frame_skip=3)))
    with pytest.raises(ValueError, match="action_kind is 'discrete', but best returns are known of continuous"):
        minicosm.regret(level, Policy(still), Physics(PhysicsConfig(size="s", action_kind="discrete")))
    with pytest.raises(ValueError, match="but the env Size.*minicosm.envs.physics.fit"):
        minicosm.regret(level, Policy(still), Physics(PhysicsConfig(size="m")))
    with pytest.raises(ValueError, match="the level is of physics, but the env a Nav"):
        minicosm.regret(level, Policy(still), Nav())
    with pytest.raises(ValueError, match="the level is a maze, but the env a Physics"):
        minicosm.regret(library.load("pillars"), Policy(turn), Physics(PHYSICS))
    with pytest.raises(ValueError, match="the optimum of a maze is known: leave it out"):
        minicosm.regret(library.load("pillars"), Policy(turn), search=PlanConfig())
    with pytest.raises(ValueError, match="level is a int; best returns are known of levels of maze and physics"):
        minicosm.regret(3, Policy(turn))
    assert physics.fit(level, PhysicsConfig(size="m").slots).size == PhysicsConfig(size="m").slots
