"""Data sets of episodes: what is recorded, what is left out, and files that are damaged or of something else."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.physics import Physics, PhysicsConfig, control, library
from minicosm.studio import recording
from minicosm.training import Policy, demonstrations, demonstrators, minari_export, random_policy
from minicosm.training.demonstrators import RecordConfig, Script

WORLD = Physics(
    PhysicsConfig(levels="lift_off", observation_kind="entities", action_kind="multi_discrete", max_steps=40)
)


@pytest.fixture(scope="module")
def left(leavers):
    """Three episodes of agents that leave after 2 and 5 ticks, or stay beyond the limit of 7."""
    levels = jnp.array([[2, 5], [9, 1], [3, 3]], jnp.int32)
    return demonstrators.record(
        leavers, lambda lanes: random_policy(leavers), levels, "abc", RecordConfig("random", with_states=True)
    )


@pytest.fixture(scope="module")
def won():
    """The library's way to win a level, in a world of choices."""
    made, left_out = demonstrators.perform(WORLD, [demonstrators.of_library("lift_off")])
    assert not left_out
    return made


def test_each_agents_episode_ends_in_its_own_time(left):
    assert left.valid.sum(axis=1).tolist() == [[2, 5], [7, 1], [3, 3]]
    assert left.lengths.tolist() == [5, 7, 3] and left.valid.shape == (3, 7, 2)
    assert left.is_success.tolist() == [True, False, True]  # the second's first agent stays beyond the limit
    assert left.truncated[1, 6].tolist() == [True, False] and left.terminated[1, 6].tolist() == [False, True]
    np.testing.assert_array_equal(left.rewards[0, :2, 0], [1, 2])  # the tick's number
    np.testing.assert_allclose(left.observations[0, :6, 0, 0], np.arange(6) / 10, rtol=1e-6)
    assert not left.observations[0, 6:].any() and not left.actions[2, 3:].any()  # padding
    assert left.sources == ("random",) * 3 and left.names == ("a", "b", "c") and left.action_mask is None


def test_some_episodes_are_as_long_as_their_longest(left):
    some = left.chosen(left.is_success)
    assert some.valid.shape == (2, 5, 2) and some.names == ("a", "c") and some.observations.shape == (2, 6, 2, 3)
    np.testing.assert_array_equal(some.actions, left.actions[[0, 2], :5])
    with pytest.raises(ValueError, match="no episode is left"):
        left.chosen(np.zeros(3, bool))
    again = demonstrations.joined([some, left.chosen([1])])
    assert again.names == ("a", "c", "b") and again.valid.shape == (3, 7, 2)
    np.testing.assert_array_equal(again.actions[[0, 2]], left.actions[:2])


def test_many_episodes_are_played_in_parts(leavers):
    levels = jnp.stack([jnp.array([1 + i % 3, 1]) for i in range(70)]).astype(jnp.int32)
    found = demonstrators.record(leavers, lambda lanes: random_policy(leavers), levels, [str(i) for i in range(70)])
    assert found.lengths.tolist() == [1 + i % 3 for i in range(70)] and found.names[69] == "69"
    assert len({tuple(key) for key in found.keys.tolist()}) == 70


def test_an_episode_goes_on_from_any_step(left, won):
    without = dataclasses.replace(left, states=None)
    for step in (0, 3, 5):
        for found in (left, without):  # kept, or by taking the actions again
            state = demonstrations.state_at(found, 0, step)
            assert int(state.time) == step and state.ends.tolist() == [2, 5]
    with pytest.raises(ValueError, match="step is 6; episode 0 has 5: expected 0 to 5"):
        demonstrations.state_at(left, 0, 6)
    end = demonstrations.state_at(won, 0, int(won.lengths[0]))
    assert bool(end.success) and int(end.time) == won.lengths[0]
    before = demonstrations.state_at(won, 0, int(won.lengths[0]) - 1)
    assert not bool(before.success)


def test_a_replay_wins_and_says_which_options_count(won):
    replay = library.replay("lift_off")
    assert won.is_success.tolist() == [True] and won.names == ("lift_off",) and won.sources == ("replay",)
    assert won.valid.sum() == won.lengths[0] <= len(replay.actions)
    level = library.load("lift_off", WORLD.config)
    used = set(np.asarray(level.thruster_binding)[np.asarray(level.thruster_force) > 0].tolist())
    mask = won.action_mask[0, 0, 0]
    assert mask[:12].reshape(4, 3).tolist() == [[True, False, False]] * 4  # a rocket has no motor
    assert mask[12:].reshape(2, 2)[:, 1].tolist() == [k in used for k in range(2)]
    assert set(won.observations) == set(dict(WORLD.observation_space.items))


def test_options_that_do_nothing_count_as_none(won):
    kinds = {kind: dataclasses.replace(WORLD.config, action_kind=kind) for kind in ("discrete", "continuous")}
    level = library.load("lift_off", WORLD.config)
    wide, narrow = (np.asarray(control.action_mask(level, c)) for c in (WORLD.config, kinds["discrete"]))
    assert narrow[0].tolist() == [True] + [False] * 8 + wide[0, 12:].reshape(2, 2)[:, 1].tolist()
    with pytest.raises(ValueError, match="'continuous', which has no options"):
        control.action_mask(level, kinds["continuous"])
    two = dataclasses.replace(WORLD.config, num_agents=2)
    each = np.asarray(control.action_mask(level, two))
    assert each.shape == (2, 2 * 3 + 2) and each[:, 6].all()  # one thruster each, two motors
    assert sorted(each[:, 7].tolist()) == sorted(wide[0, 12:].reshape(2, 2)[:, 1].tolist())
    everything = Policy(lambda key, seen, carry: (jnp.ones((len(seen["gravity"]), 1, 6), jnp.int32), carry))
    levels = jax.tree.map(lambda leaf: leaf[None], level)
    found = demonstrators.record(WORLD, lambda lanes: everything, levels, ("lift_off",))
    assert found.actions[0, 0, 0, :4].tolist() == [0, 0, 0, 0] and found.actions[0, 0, 0, 4:].any()


def script(signals, name="lift_off", **changes):
    made = Script(name, library.file(name), np.array(signals, np.float32), 2, "test")
    return dataclasses.replace(made, **changes)


def test_signals_become_the_worlds_actions():
    half = script([[0.5, -0.5, 0, 0, 0, 0.5]] * 4)
    turns, away, none = demonstrators.conversions(WORLD, half)
    assert turns.dtype == np.int32 and turns[:, 0].sum() == 2 and (turns[:, 1] == 2).sum() == 2
    assert away.tolist() == [[1, 2, 0, 0, 0, 1]] * 4 and not none.any()
    whole = script([[1, -1, 0, 0, 0, 1], [0, 0, 0, 0, 1, 0], [0] * 6, [0, -1, 0, 0, 0, 0]])
    assert demonstrators.is_exact(WORLD, whole) and not demonstrators.is_exact(WORLD, half)
    (exact,) = demonstrators.conversions(WORLD, whole)
    signals = [control.signals(jnp.asarray(a)[None], WORLD.config) for a in exact]
    np.testing.assert_array_equal(signals, whole.signals)
    single = Physics(dataclasses.replace(WORLD.config, action_kind="discrete"))
    assert not demonstrators.is_exact(single, whole)
    alone = script(whole.signals[1:])
    (exact,) = demonstrators.conversions(single, alone)
    np.testing.assert_array_equal([control.signals(jnp.asarray(a)[None], single.config) for a in exact], alone.signals)
    free = Physics(dataclasses.replace(WORLD.config, action_kind="continuous"))
    assert demonstrators.is_exact(free, half) and demonstrators.conversions(free, half)[0] is half.signals


def test_scripts_that_do_not_win_are_left_out_by_name(won):
    lost = script(np.zeros((3, 6)), name="cue_ball")
    between = script(np.full((3, 6), 0.25), name="catapult")
    slow = script(np.zeros((3, 6)), name="flappy", frame_skip=1)
    long = script(np.zeros((41, 6)), name="bounce_pass")
    other = script(np.zeros((3, 3)), name="open_the_gate", num_motors=2)
    large = Script("lunar_lander", library.file("lunar_lander"), np.zeros((3, 6), np.float32), 2, "test")
    scripts = [lost, between, demonstrators.of_library("lift_off"), slow, long, other, large]
    made, left_out = demonstrators.perform(WORLD, scripts)
    assert made.names == ("lift_off",)
    np.testing.assert_array_equal(made.actions, won.actions)
    assert left_out["cue_ball"] == "it does not win"
    assert left_out["catapult"] == "it does not win as multi_discrete actions, between whose options it lies"
    assert "frame_skip is 1; the world's is 2" in left_out["flappy"]
    assert "takes 41 steps; the world's max_steps is 40" in left_out["bounce_pass"]
    assert "has 2 motor and 1 thruster bindings; the world has 4 and 2" in left_out["open_the_gate"]
    assert "lunar_lander" in left_out["lunar_lander"] and len(left_out) == 6
    with pytest.raises(ValueError, match="the world has 2 agents"):
        demonstrators.perform(Physics(dataclasses.replace(WORLD.config, num_agents=2)), scripts)


def test_what_a_person_played_in_the_studio_is_read(won, tmp_path):
    replay = library.replay("lift_off")
    kept = recording.read(library.file("lift_off"), recording.runs_of(list(replay.actions)))
    path = tmp_path / "play.npz"
    path.write_bytes(recording.demonstration(kept))
    played = demonstrators.of_studio(path)
    assert played.is_of_library and played.name == "lift_off"
    made, left_out = demonstrators.perform(WORLD, [played])
    assert not left_out and made.sources == ("person",)
    np.testing.assert_array_equal(made.actions, won.actions)
    with pytest.raises(FileNotFoundError, match="there is no file .*none.npz"):
        demonstrators.of_studio(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(ValueError, match="no demonstration of the studio"):
        demonstrators.of_studio(tmp_path / "text.npz")
    with pytest.raises(ValueError, match="'minicosm-demonstrations', which minicosm clone may read"):
        demonstrators.of_studio(demonstrations.write(won, tmp_path / "set.npz"))
    with np.load(path) as data:
        arrays = dict(data)
    np.savez(tmp_path / "nan.npz", **{**arrays, "actions": arrays["actions"] * np.nan})
    with pytest.raises(ValueError, match="its actions are"):
        demonstrators.of_studio(tmp_path / "nan.npz")


def test_files_hold_everything(left, won, tmp_path):
    for found in (left, won):
        again = demonstrations.read(demonstrations.write(found, tmp_path / "new" / "set.npz"))
        assert again.world == found.world and (again.names, again.sources) == (found.names, found.sources)
        fields = [field.name for field in dataclasses.fields(found) if field.name not in ("world", "names", "sources")]
        for name in fields:
            one, other = getattr(found, name), getattr(again, name)
            assert jax.tree.structure(one) == jax.tree.structure(other), name
            for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b, err_msg=name)
        assert not list(tmp_path.glob("new/.*"))
    level = demonstrations.level_at(again, 0)
    for a, b in zip(jax.tree.leaves(level), jax.tree.leaves(library.load("lift_off", WORLD.config)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rewards": np.zeros((3, 7, 1), np.float32)}, r"rewards is float32\[3, 7, 1\]; expected float32\[3, 7, 2\]"),
        ({"actions": np.zeros((3, 7, 2), np.float64)}, r"actions is float64.*expected int32"),
        ({"actions": np.full((3, 7, 2), 3, np.int32)}, "actions hold 3; expected actions of Discrete"),
        ({"observations": np.full((3, 8, 2, 3), np.nan, np.float32)}, "observations holds nan; expected finite"),
        ({"observations": np.zeros((3, 8, 2, 4), np.float32)}, r"observations is float32\[3, 8, 2, 4\]; expected"),
        ({"valid": np.zeros((3, 7, 2), bool)}, "an episode has no valid step"),
        ({"keys": np.zeros((2, 2), np.uint32)}, r"keys is uint32\[2, 2\]; expected uint32\[3, 2\]"),
        ({"success": None}, "'success' is missing"),
        ({"observations": None}, "observations is missing"),
        ({"about": {"version": 2}}, "version is 2; this minicosm reads version 1"),
        ({"about": {"format": "other"}}, "holds no demonstrations, or is damaged"),
        ({"about": {"names": ["a"]}}, "1 names and 3 sources; expected 3 each"),
        ({"about": {"world": 5}}, "world is 5; expected a world"),
    ],
)  # fmt: skip
def test_damaged_files_are_told(left, tmp_path, change, says):
    path = demonstrations.write(left, tmp_path / "set.npz")
    with np.load(path) as data:
        arrays = dict(data)
    for name, value in change.items():
        if value is None:
            del arrays[name]
        elif name == "about":
            arrays[name] = np.array(json.dumps({**json.loads(str(arrays[name])), **value}))
        else:
            arrays[name] = value
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=says) as told:
        demonstrations.read(path)
    assert str(path) in str(told.value)


def test_files_of_something_else_are_told(tmp_path, left, won):
    with pytest.raises(FileNotFoundError, match="there is no file .*expected one that minicosm demos wrote"):
        demonstrations.read(tmp_path / "none.npz")
    for content in (b"", b"text", b"PK\x03\x04 and no more"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(ValueError, match="bad.npz' holds no demonstrations, or is damaged"):
            demonstrations.read(tmp_path / "bad.npz")
    with pytest.raises(OSError, match="cannot write"):
        (tmp_path / "file").write_text("")
        demonstrations.write(left, tmp_path / "file" / "set.npz")
    with pytest.raises(ValueError, match="are of Leavers and of Physics"):
        demonstrations.joined([left, won])
    flat = dataclasses.replace(won, world=Physics(dataclasses.replace(WORLD.config, observation_kind="flat")))
    with pytest.raises(ValueError, match=r"observation space differs \(observation_kind is 'entities' and 'flat'\)"):
        demonstrations.joined([won, flat])


def test_a_data_set_of_minaris_holds_each_agents_episode(left, won, tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")  # of Python 3.11 and newer
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    made = minari_export.write(left, "minicosm/left-v0")
    again = minari.load_dataset("minicosm/left-v0")
    assert made.total_episodes == again.total_episodes == 6
    assert [len(episode.rewards) for episode in again] == [2, 5, 7, 1, 3, 3]
    second = again[1]  # the first episode's second agent
    np.testing.assert_array_equal(second.observations, left.observations[0, :6, 1])
    np.testing.assert_array_equal(second.actions, left.actions[0, :5, 1])
    np.testing.assert_array_equal(second.rewards, left.rewards[0, :5, 1])
    np.testing.assert_array_equal(second.terminations, left.terminated[0, :5, 1])
    np.testing.assert_array_equal(again[2].truncations, left.truncated[1, :7, 0])
    np.testing.assert_array_equal(second.infos["success"], [False, *left.success[0, :5, 1]])
    replay = minari_export.write(won, "minicosm/lift-off-v0")[0]
    assert replay.observations["shapes"].shape[0] == replay.infos["action_mask"].shape[0] == won.lengths[0] + 1
    np.testing.assert_array_equal(replay.infos["action_mask"][:-1], won.action_mask[0, :, 0])
    with pytest.raises(ValueError, match="there is a Minari data set 'minicosm/left-v0' already"):
        minari_export.write(left, "minicosm/left-v0")
    with pytest.raises(ValueError, match="'left' is no name of a Minari data set; expected a name and a version"):
        minari_export.validate_name("left")
