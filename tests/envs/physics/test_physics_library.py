"""The hand-made levels: every one can be won, as its replay shows, and none by doing nothing."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import minicosm
from minicosm.envs.physics import Physics, PhysicsConfig, library, replay
from minicosm.envs.physics.control import signals
from minicosm.envs.physics.plan import PlanConfig, plan, play

LEAST = {"s": 12, "m": 27, "l": 36}


@functools.partial(jax.jit, static_argnums=0)
def _ends(env, levels, actions):
    """Whether each level was won and lost by actions f32[T, L, signals], and whether it was over after one step."""

    def step(states, action):
        states = jax.vmap(env.step, in_axes=(None, 0, 0))(jax.random.key(0), states, action[:, None])[0]
        return states, (states.success, states.failure)

    states = jax.vmap(env.reset, in_axes=(None, 0))(jax.random.key(0), levels)[0]
    return jax.lax.scan(step, states, actions)[1]


@pytest.fixture(scope="module", params=["s", "m", "l"])
def played(request):
    """Per size: names, and (won, lost) bool[T, L] with the replays' actions, and with none."""
    config = PhysicsConfig(size=request.param)
    levels, names = library.load_all(config, request.param)
    actions = np.zeros((config.max_steps, len(names), 6), np.float32)
    for i, name in enumerate(names):
        kept = library.replay(name)
        assert kept.level == name and kept.config(config) == config
        actions[: len(kept.actions), i] = kept.actions
    env = Physics(config)
    run = lambda actions: jax.tree.map(np.asarray, _ends(env, levels, jnp.asarray(actions)))
    return request.param, names, run(actions), run(np.zeros_like(actions))


def test_there_are_as_many_as_there_should_be(played):
    size, names, _, _ = played
    assert len(names) >= LEAST[size] and names == library.names(size)


def test_all_of_the_library_is_played_in_one_batch():
    levels, names = library.load_all(PhysicsConfig(size="l"))
    assert names == library.names()
    env = minicosm.make("library-all")
    drawn = jax.jit(jax.vmap(env.sample_level))(jax.random.split(jax.random.key(0), 1000))
    where = np.asarray(levels.position).reshape(len(names), -1)
    which = {tuple(row): name for row, name in zip(where, names, strict=True)}
    assert {which[tuple(row)] for row in np.asarray(drawn.position).reshape(1000, -1)} == set(names)


def test_every_level_is_won_by_its_replay(played):
    _, names, (won, _), _ = played
    assert [name for name, wins in zip(names, won[-1], strict=True) if not wins] == []


def test_no_level_is_won_by_doing_nothing_or_over_at_once(played):
    _, names, _, (won, lost) = played
    assert [name for name, wins in zip(names, won[-1], strict=True) if wins] == []
    assert not lost[0].any()


def test_every_level_shows_what_it_is_about():
    for name in library.names():
        file = library.file(name)
        assert len(file.description) > 15 and file.difficulty in ("easy", "medium", "hard")
        parts = [*file.shapes, *(file.walls or [])]
        roles = [part.role for part in parts] + [getattr(file.room, w) for w in ("floor", "ceiling", "right_wall")]
        assert "green" in roles and "blue" in roles
        assert any(joint.motor for joint in file.joints) or file.thrusters


def test_the_planner_finds_a_way_and_the_way_can_be_kept(tmp_path):
    config = PhysicsConfig(size="s")
    level = library.load("lift_off", config)
    found = plan(level, config, PlanConfig(num_worlds=64, attempts=3))
    assert found.is_solved and found.best_return == 1.0 and 0 < len(found.actions) <= config.max_steps
    replay.write(replay.Replay("lift_off", found.actions), tmp_path / "lift_off.json")
    kept = replay.read(tmp_path / "lift_off.json")
    np.testing.assert_array_equal(kept.actions, found.actions)
    assert bool(play(level, config, kept.actions).success)
    assert not bool(play(level, config, np.zeros_like(kept.actions)).success)
    again = plan(level, config, PlanConfig(num_worlds=64, attempts=3))
    np.testing.assert_array_equal(again.actions, found.actions)
    np.testing.assert_array_equal(signals(jnp.asarray(kept.actions[:1]), config), kept.actions[0])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("format", "x", "no replay"),
        ("version", 9, "version is 9"),
        ("level", 3, "level is 3"),
        ("frame_skip", 0, "frame_skip is 0; expected a whole number from 1 to 64"),
        ("runs", 5, "runs is 5"),
        ("runs", [[1, [0] * 5]], "runs[0] is [1, [0, 0, 0, 0, 0]]; expected [steps, [6 signals"),
        ("runs", [[0, [0] * 6]], "runs[0] is [0, "),
        ("runs", [[1, [2] * 6]], "signals from -1 to 1"),
        ("runs", [[10**9, [0] * 6]], "goes beyond"),
        ("runs", [None], "runs[0] is None"),
    ],
)
def test_replays_that_cannot_be_are_refused(tmp_path, field, value, says):
    replay.write(replay.Replay("x", np.zeros((3, 6), np.float32)), tmp_path / "x.json")
    data = json.loads((tmp_path / "x.json").read_text()) | {field: value}
    with pytest.raises(ValueError, match="^x.json: ") as error:
        replay.parse(json.dumps(data), "x.json")
    assert says in str(error.value)


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(ValueError, match="no library level 'lift_of'; did you mean 'lift_off'"):
        library.file("lift_of")
