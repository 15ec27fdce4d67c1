import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from minicosm.envs.nav import Nav, NavConfig
from minicosm.envs.nav.draw import DrawStyle, draw_history
from minicosm.training.record import Film, Frames, Policy, Rollout, random_policy, rollout, save_animation, tile

CONFIG = NavConfig(num_robots=2, height=7, width=7, num_beams=16, max_fill=0.0, max_steps=12)
ENV = Nav(CONFIG)
STYLE = DrawStyle(pixels_per_cell=8)
NUM_WORLDS = 3


def paint(history: Any, index: jax.Array) -> jax.Array:
    return draw_history(history, index, CONFIG, STYLE)


@pytest.fixture(scope="module")
def levels() -> Any:
    return jax.jit(jax.vmap(ENV.sample_level))(jax.random.split(jax.random.key(3), NUM_WORLDS))


@pytest.fixture(scope="module")
def played(levels: Any) -> Rollout:
    return rollout(ENV, random_policy(ENV), jax.random.key(0), levels, 12)


def squares(count: int) -> list[np.ndarray]:
    """A green square that moves right by 3 pixels a picture, on grey."""
    frames = [np.full((33, 61, 3), 200, np.uint8) for _ in range(count)]
    for index, frame in enumerate(frames):
        frame[10:20, 3 * index : 3 * index + 8] = (0, 158, 115)
    return frames


def test_a_rollout_is_the_environment_stepped_by_hand(levels: Any) -> None:
    def act(key: jax.Array, observation: jax.Array, count: jax.Array) -> tuple[jax.Array, jax.Array]:
        turn = jnp.where(count < 3, 1.0, -1.0)
        return jnp.broadcast_to(jnp.stack([jnp.float32(-0.5), turn]), (*observation.shape[:2], 2)), count + 1

    states = rollout(ENV, Policy(act, jnp.int32(0)), jax.random.key(1), levels, 6).states
    assert states.robots.heading.shape == (7, NUM_WORLDS, 2)
    np.testing.assert_array_equal(states.robots.position[0], levels.start)
    state, _ = jax.jit(ENV.reset)(jax.random.key(0), jax.tree.map(lambda x: x[1], levels))
    step = jax.jit(ENV.step)
    for count in range(6):  # the carry counts the ticks: three to the left, three to the right
        action = jnp.tile(jnp.array([-0.5, 1.0 if count < 3 else -1.0]), (2, 1))
        state, _ = step(jax.random.key(0), state, action)
        np.testing.assert_allclose(states.robots.heading[count + 1, 1], state.robots.heading, atol=1e-5)
        np.testing.assert_allclose(states.robots.position[count + 1, 1], state.robots.position, atol=1e-5)


def test_a_world_that_has_ended_stays_as_it_was(levels: Any) -> None:
    def full_speed(key: jax.Array, observation: jax.Array, carry: Any) -> tuple[jax.Array, Any]:
        return jnp.broadcast_to(jnp.array([1.0, 0.0]), (*observation.shape[:2], 2)), carry

    long = Nav(NavConfig(num_robots=2, height=7, width=7, num_beams=16, max_fill=0.0))
    played = rollout(long, Policy(full_speed), jax.random.key(0), levels, 80)
    done = np.asarray(played.done)
    assert done[-1].all() and not done[0].any(), "at full speed every robot meets a wall within 8 s"
    assert (np.diff(done.astype(int), axis=0) >= 0).all()
    time = np.asarray(played.states.time)
    for world in range(NUM_WORLDS):
        end = done[:, world].argmax()
        np.testing.assert_array_equal(time[:, world], np.minimum(np.arange(81), end))
    np.testing.assert_array_equal(played.success, played.states.success[-1])
    assert len(Frames(long, played, Film(hold=0))) == done.all(1).argmax() + 1


def test_random_actions_fill_the_space_and_differ(levels: Any) -> None:
    policy = random_policy(ENV)
    observation = jnp.zeros((200, 2, 22))
    action, carry = policy.act(jax.random.key(0), observation, policy.initial_carry)
    assert action.shape == (200, 2, 2) and carry == ()
    assert abs(float(action.mean())) < 0.1 and float(action.std()) == pytest.approx(1 / np.sqrt(3), abs=0.05)
    assert len(np.unique(action)) > 700


def test_frames_are_the_states_drawn_and_the_last_one_held(played: Rollout) -> None:
    film = Film(stride=5, columns=2, hold=2, gutter=4, chunk=2, background=(1, 2, 3))
    frames = Frames(ENV, played, film, paint)
    pictures = list(frames)
    assert len(pictures) == len(frames) == 4 + 2  # states 0, 5, 10, 12, and two more of the last
    assert all(picture.shape == (2 * 56 + 4, 2 * 56 + 4, 3) and picture.dtype == np.uint8 for picture in pictures)
    np.testing.assert_array_equal(pictures[-1], pictures[-3])
    draw = jax.jit(paint)
    for picture, index in zip(pictures, (0, 5, 10, 12), strict=False):
        world_1 = jax.tree.map(lambda x: x[:, 1], played.states)
        difference = picture[:56, 60:].astype(int) - np.asarray(draw(world_1, index))
        assert np.abs(difference).max() <= 1
        assert (picture[60:, 60:] == (1, 2, 3)).all() and (picture[56:60] == (1, 2, 3)).all()


def test_frames_default_to_the_environments_own_drawing(played: Rollout) -> None:
    (first, *_) = Frames(ENV, played, Film(stride=12, hold=0, columns=3, gutter=0))
    assert first.shape == (7 * 32, 3 * 7 * 32, 3)
    world_0 = jax.tree.map(lambda x: x[0, 0], played.states)
    assert np.abs(first[:, :224].astype(int) - np.asarray(ENV.draw(world_0))).max() <= 1


@pytest.mark.parametrize(("count", "shape"), [(1, (4, 6)), (2, (4, 13)), (5, (9, 20)), (6, (9, 20))])
def test_tiles_are_laid_out_row_by_row(count: int, shape: tuple[int, int]) -> None:
    pictures = np.stack([np.full((4, 6, 3), 10 * b, np.uint8) for b in range(count)])
    canvas = tile(pictures, Film(gutter=1))
    assert canvas.shape == (*shape, 3)
    columns = (shape[1] + 1) // 7
    for b in range(count):
        top, left = b // columns * 5, b % columns * 7
        assert (canvas[top : top + 4, left : left + 6] == 10 * b).all()


def test_a_gif_holds_the_frames_at_their_times(tmp_path: Path) -> None:
    frames = squares(7)
    path = save_animation(frames + [frames[-1]] * 3, tmp_path / "new" / "square.gif", fps=12)
    with Image.open(path) as film:
        durations = []
        for index in range(film.n_frames):
            film.seek(index)
            durations.append(film.info["duration"])
            difference = np.asarray(film.convert("RGB")).astype(int) - frames[index]
            assert np.abs(difference).max() <= 4
    assert film.n_frames == 7  # the held ones are one long frame
    assert sum(durations) == pytest.approx(1000 * 10 / 12, abs=10) and durations[0] in (80, 90)
    assert [file.name for file in path.parent.iterdir()] == ["square.gif"]


def test_small_marks_keep_their_colour_in_a_gif(tmp_path: Path) -> None:
    """A few pixels of one colour among thousands of shades must not lose it to the palette."""
    shades = np.indices((200, 200)).transpose(1, 2, 0) * 255 // 199
    frame = np.concatenate([shades, np.full((200, 200, 1), 128)], axis=-1).astype(np.uint8)
    frame[50:53, 50:53] = (255, 0, 255)
    with Image.open(save_animation([frame], tmp_path / "one.gif")) as film:
        pixel = np.asarray(film.convert("RGB"))[51, 51].astype(int)
    assert np.abs(pixel - (255, 0, 255)).max() <= 40


def test_an_mp4_holds_the_frames(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    frames = squares(9)
    path = save_animation(iter(frames), tmp_path / "square.mp4", fps=10)  # odd sizes, and a one-way iterator
    count, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert count == 9 and seconds == pytest.approx(0.9, abs=0.02)
    decode = [ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(path), "-frames:v", "1", "-f", "rawvideo"]
    raw = subprocess.run([*decode, "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    first = np.frombuffer(raw, np.uint8).reshape(34, 62, 3)
    assert np.abs(first[13:17, 2:6].astype(int) - (0, 158, 115)).mean() < 20
    assert np.abs(first[26:30, 40:].astype(int) - 200).mean() < 6


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_folder_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=r"cannot write .*film.* \(.*\); choose a folder that you may write to"):
        save_animation(squares(2), tmp_path / "file" / f"film{suffix}")


def test_a_failure_leaves_no_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    def broken() -> Any:
        yield squares(1)[0]
        raise RuntimeError("the simulation stopped")

    for suffix in (".gif", ".mp4"):
        old = tmp_path / f"film{suffix}"
        old.write_bytes(b"old")
        with pytest.raises(RuntimeError, match="the simulation stopped"):
            save_animation(broken(), old)
        assert old.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"film\.webm'.*must end in \.gif or \.mp4"):
        save_animation(squares(1), tmp_path / "film.webm")


@pytest.mark.parametrize(("suffix", "module"), [(".gif", "PIL.Image"), (".mp4", "imageio_ffmpeg")])
def test_a_missing_extra_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r'pip install "minicosm\[plot\]"'):
        save_animation(squares(2), tmp_path / f"film{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", [0, -3.0, float("nan"), 51])
def test_a_bad_rate_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(ValueError, match="fps is .*expected a number above 0 and at most 50"):
        save_animation(squares(1), tmp_path / "film.gif", fps)


def test_frames_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no frames"):
        save_animation([], tmp_path / "film.gif")
    with pytest.raises(ValueError, match=r"there are no frames"):
        save_animation([], tmp_path / "film.mp4")
    with pytest.raises(ValueError, match=r"frame 1 has shape \(4, 4, 3\), but those before have \(33, 61, 3\)"):
        save_animation([*squares(1), np.zeros((4, 4, 3), np.uint8)], tmp_path / "film.gif")
    with pytest.raises(ValueError, match=r"frame 0 is float64\[4, 4, 3\]; expected uint8"):
        save_animation([np.zeros((4, 4, 3))], tmp_path / "film.gif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("field", [{"stride": 0}, {"columns": 0}, {"hold": -1}, {"chunk": 1.5}, {"gutter": True}])
def test_a_bad_film_is_refused(field: dict[str, Any]) -> None:
    (name,) = field
    with pytest.raises(ValueError, match=f"Film.{name} is .*; expected a whole number"):
        Film(**field)


def test_a_rollout_of_no_steps_is_refused(levels: Any) -> None:
    with pytest.raises(ValueError, match="num_steps is 0; expected a whole number, at least 1"):
        rollout(ENV, random_policy(ENV), jax.random.key(0), levels, 0)
