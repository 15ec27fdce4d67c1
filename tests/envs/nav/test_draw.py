import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.nav import Level, Nav, NavConfig, State
from minicosm.envs.nav.draw import DrawStyle, Trail, draw, draw_history
from minicosm.envs.nav.palette import DARK, LIGHT, palette

CONFIG = NavConfig(num_robots=2, height=7, width=9, num_beams=16)
ENV = Nav(CONFIG)
STYLE = DrawStyle(pixels_per_cell=16)
LARGE = DrawStyle(starts=False)
BEAMS = DrawStyle(pixels_per_cell=16, beams=True)
draw_plain = jax.jit(lambda state: draw(state, CONFIG, STYLE))
draw_large = jax.jit(lambda state: draw(state, CONFIG, LARGE))
draw_beams = jax.jit(lambda state: draw(state, CONFIG, BEAMS))


def place(start: list[list[float]], goals: list[list[float]], walls: list[tuple[int, int]] = []) -> State:  # noqa: B006
    occupied = np.ones((7, 9), bool)
    occupied[1:-1, 1:-1] = False
    for row, column in walls:
        occupied[row, column] = True
    level = Level(
        walls=jnp.asarray(occupied),
        start=jnp.array(start),
        start_heading=jnp.zeros(2),
        goals=jnp.array(goals)[:, None],
        active=jnp.ones(2, bool),
        sharing=jnp.zeros(2),
    )
    return ENV.reset(jax.random.key(0), level)[0]


@pytest.fixture(scope="module")
def state() -> State:
    return place([[2.5, 2.5], [6.5, 2.5]], [[2.5, 4.5], [6.5, 4.5]], walls=[(3, 4)])


def moved(state: State, position: list[list[float]]) -> State:
    return dataclasses.replace(state, robots=dataclasses.replace(state.robots, position=jnp.array(position)))


def centroid(picture: jax.Array, robot: int) -> np.ndarray:
    """Mean position (x, y), in cells, of the pixels in the robot's colour."""
    rgb = np.round(palette(2)[robot] * 255)
    rows, columns = np.nonzero(np.abs(np.asarray(picture).astype(int) - rgb).max(-1) <= 3)
    assert len(rows) > 20
    return np.array([columns.mean() + 0.5, picture.shape[0] - rows.mean() - 0.5]) / LARGE.pixels_per_cell


def cell(picture: jax.Array, row: int, column: int, aside: int = 0) -> np.ndarray:
    """Colour `aside` pixels above the middle of a cell, of which row 0 is the lowest."""
    p = picture.shape[0] // 7
    return np.asarray(picture)[::-1][row * p + p // 2 + aside, column * p + p // 2].astype(int)


def test_picture_has_the_size_of_the_map_in_pixels(state: State) -> None:
    picture = draw_plain(state)
    assert picture.shape == (7 * 16, 9 * 16, 3) and picture.dtype == jnp.uint8
    assert ENV.draw(state).shape == (7 * 32, 9 * 32, 3)
    np.testing.assert_array_equal(ENV.draw(state, STYLE), picture)


def test_walls_are_where_the_map_has_them_and_the_floor_elsewhere(state: State) -> None:
    picture = draw_plain(moved(state, [[1.5, 1.5], [1.5, 1.5]]))
    marked = {(1, 1), (2, 2), (2, 6), (4, 2), (4, 6)}  # robots, starts, goals
    for row, column in itertools.product(range(7), range(9)):
        if (row, column) in marked:
            continue
        colour = cell(picture, row, column)
        expected = LIGHT.wall if state.level.walls[row, column] else LIGHT.floor
        assert np.abs(colour - expected).max() <= 40, (row, column)  # a shadow may darken the floor
    assert np.abs(np.subtract(LIGHT.wall, LIGHT.floor)).min() > 80


def test_row_zero_is_at_the_bottom() -> None:
    low = place([[2.5, 2.5], [6.5, 2.5]], [[2.5, 4.5], [6.5, 4.5]], walls=[(1, 4)])
    picture = draw_plain(low)
    np.testing.assert_array_equal(cell(picture, 1, 4), LIGHT.wall)
    assert cell(picture, 5, 4).min() > 200


@pytest.mark.parametrize("robot", [0, 1])
def test_a_moved_robot_moves_its_coloured_pixels(state: State, robot: int) -> None:
    goals_away = dataclasses.replace(state.level, goals=jnp.full((2, 1, 2), -5.0))  # off the map: not in the picture
    state = dataclasses.replace(state, level=goals_away)
    for target in ([1.6, 4.3], [5.2, 3.7]):
        position = [target, target]
        position[1 - robot] = [7.4, 5.4]
        np.testing.assert_allclose(centroid(draw_large(moved(state, position)), robot), target, atol=0.1)


def test_the_arrow_turns_with_the_heading(state: State) -> None:
    for heading, (x, y) in ((0.0, (1, 0)), (np.pi / 2, (0, 1)), (np.pi, (-1, 0)), (-np.pi / 2, (0, -1))):
        robots = dataclasses.replace(state.robots, heading=jnp.full(2, heading))
        picture = np.asarray(draw_large(dataclasses.replace(state, robots=robots)))[::-1]
        middle = 80  # of the robot at 2.5, pixels
        ahead, behind = picture[middle + 4 * y, middle + 4 * x], picture[middle - 5 * y, middle - 5 * x]
        assert ahead.min() > 200 and behind.min() < 120, heading


def test_drawing_a_batch_equals_drawing_each_world() -> None:
    levels = jax.jit(jax.vmap(ENV.sample_level))(jax.random.split(jax.random.key(1), 3))
    states, _ = jax.jit(jax.vmap(ENV.reset))(jax.random.split(jax.random.key(2), 3), levels)
    pictures = jax.jit(jax.vmap(lambda state: draw(state, CONFIG, BEAMS)))(states)
    assert pictures.shape == (3, 112, 144, 3)
    for world in range(3):
        alone = draw_beams(jax.tree.map(lambda x: x[world], states))  # noqa: B023
        assert np.abs(pictures[world].astype(int) - alone.astype(int)).max() <= 1  # float32 rounding


def test_an_inactive_robot_leaves_no_trace(state: State) -> None:
    level = dataclasses.replace(state.level, active=jnp.array([True, False]))
    without = dataclasses.replace(state, level=level, ended=jnp.array([False, True]))
    elsewhere = dataclasses.replace(without, level=dataclasses.replace(level, goals=level.goals.at[1].set(5.5)))
    here, there = draw_beams(without), draw_beams(moved(elsewhere, [[2.5, 2.5], [5.5, 5.5]]))
    np.testing.assert_array_equal(here, there)
    assert (np.asarray(here) != np.asarray(draw_beams(state))).any()


def test_ended_robots_tell_how_they_fared(state: State) -> None:
    yes = jnp.ones(2, bool)
    collided = draw_plain(dataclasses.replace(state, collided=yes, ended=yes))
    arrived = draw_plain(dataclasses.replace(state, success=yes, ended=yes))

    def alarms(picture: jax.Array) -> int:
        return int((np.abs(np.asarray(picture).astype(int) - LIGHT.alarm).max(-1) <= 8).sum())

    assert alarms(collided) > 20 and alarms(arrived) == alarms(draw_plain(state)) == 0
    assert (np.asarray(arrived) != np.asarray(draw_plain(state))).any()


def test_vanished_robots_are_faint(state: State) -> None:
    vanish = dataclasses.replace(CONFIG, robots_vanish=True)
    ended = dataclasses.replace(state, ended=jnp.ones(2, bool))
    floor, solid, faint = LIGHT.floor, cell(draw_large(ended), 2, 2, 7), cell(draw(ended, vanish, LARGE), 2, 2, 7)
    np.testing.assert_allclose((floor - faint) / (floor - solid), 0.35, atol=0.02)


def test_beams_tint_what_the_lidar_sees_and_stop_at_walls(state: State) -> None:
    single = dataclasses.replace(CONFIG, num_robots=1, num_beams=64)
    env = Nav(single)
    level = jax.tree.map(lambda x: x[:1] if x.shape[:1] == (2,) else x, state.level)
    level = dataclasses.replace(level, start=jnp.array([[2.5, 3.5]]))  # level with the wall in row 3, column 4
    alone, _ = env.reset(jax.random.key(0), level)
    plain, beams = draw(alone, single, STYLE).astype(int), draw(alone, single, BEAMS).astype(int)
    for row, column in ((3, 3), (1, 1), (5, 2)):  # in sight
        assert np.abs(cell(beams, row, column) - cell(plain, row, column)).max() > 10, (row, column)
    for row, column in ((3, 4), (3, 6), (3, 7)):  # the wall, and behind it
        np.testing.assert_array_equal(cell(beams, row, column), cell(plain, row, column))


def test_a_trail_joins_valid_positions_only(state: State) -> None:
    step = CONFIG.max_speed * CONFIG.dt
    x = 1.5 + step * np.arange(40)
    path = np.stack([np.stack([x, np.full(40, 5.3)], -1), np.stack([x, np.full(40, 1.3)], -1)], axis=1)
    valid = np.ones((40, 2), bool)
    valid[:, 1] = False
    valid[20:, 0] = False
    paint = jax.jit(lambda state, trail: draw(state, CONFIG, STYLE, trail))
    trail = Trail(jnp.asarray(path, jnp.float32), jnp.asarray(valid))
    changed = (np.asarray(paint(state, trail)) != np.asarray(draw_plain(state))).any(-1)[::-1]
    rows, columns = np.nonzero(changed)
    assert abs(rows.mean() / 16 - 5.3) < 0.1 and np.ptp(rows) < 4
    assert columns.min() / 16 == pytest.approx(1.5, abs=0.15)
    assert columns.max() / 16 == pytest.approx(x[19], abs=0.15)
    jump = Trail(trail.position.at[10:, 0, 0].add(2.0), trail.valid.at[:20, 0].set(True))  # a new episode's start
    changed = (np.asarray(paint(state, jump)) != np.asarray(draw_plain(state))).any(-1)[::-1]
    assert not changed[:, int(16 * (x[10] + 0.5)) : int(16 * (x[10] + 1.5))].any()


def test_history_draws_the_trail_so_far(state: State) -> None:
    x = 2.5 + 0.1 * jnp.arange(20)
    history = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (20, *leaf.shape)), state)
    position = history.robots.position.at[:, 0, 0].set(x)
    history = dataclasses.replace(history, robots=dataclasses.replace(history.robots, position=position))
    paint = jax.jit(lambda history, index: draw_history(history, index, CONFIG, STYLE))
    first, last = paint(history, 0), paint(history, 19)
    at = (2 * 16 + 8, 3 * 16 + 2)  # on the way, where the robot is at neither time
    assert np.abs(np.asarray(first)[::-1][at].astype(int) - np.asarray(last)[::-1][at]).max() > 20
    np.testing.assert_array_equal(first, paint(jax.tree.map(lambda leaf: leaf[:1], history), 0))


def test_lengths_follow_the_cell_size(state: State) -> None:
    config = dataclasses.replace(CONFIG, cell_size=0.5, radius=0.2)
    level = dataclasses.replace(state.level, start=state.level.start / 2, goals=jnp.full((2, 1, 2), -5.0))
    small, _ = Nav(config).reset(jax.random.key(0), level)
    picture = draw(dataclasses.replace(small, collided=jnp.ones(2, bool)), config, LARGE)
    np.testing.assert_array_equal(cell(picture, 3, 4), LIGHT.wall)
    patch = np.asarray(picture)[::-1][64:96, 64:96].astype(int)  # of the robot at (2.5, 2.5) cells
    ring = np.abs(patch - LIGHT.alarm).max(-1) <= 8
    rows, columns = np.nonzero(ring)
    distance = np.hypot(rows - 15.5, columns - 15.5)
    assert distance.min() == pytest.approx(0.4 * 32, abs=2.0) and distance.max() < 18


def test_robots_have_distinct_colours() -> None:
    for count in (8, 32):
        colours = palette(count)
        assert colours.shape == (count, 3) and colours.min() >= 0 and colours.max() <= 1
        gaps = [np.linalg.norm(a - b) for a, b in itertools.combinations(colours, 2)]
        assert min(gaps) > (0.25 if count == 8 else 0.06)
    np.testing.assert_array_equal(palette(32)[:5], palette(5))


def test_the_theme_changes_floor_and_walls(state: State) -> None:
    picture = draw(state, CONFIG, DrawStyle(pixels_per_cell=16, theme=DARK))
    np.testing.assert_array_equal(cell(picture, 3, 4), DARK.wall)
    assert cell(picture, 5, 4).max() < 60


def test_32_robots_and_a_goal_for_each() -> None:
    config = NavConfig(num_robots=32, height=11, width=11, max_fill=0.0, num_beams=4)
    env = Nav(config)
    inner = np.array([[column + 0.5, row + 0.5] for row in range(1, 10) for column in range(1, 10)], np.float32)
    level = Level(
        walls=jnp.pad(jnp.zeros((9, 9), bool), 1, constant_values=True),
        start=jnp.asarray(inner[:32]),
        start_heading=jnp.zeros(32),
        goals=jnp.asarray(inner[32:64, None]),
        active=jnp.ones(32, bool),
        sharing=jnp.zeros(32),
    )
    state, _ = jax.jit(env.reset)(jax.random.key(0), level)
    picture = jax.jit(lambda state: draw(state, config, LARGE))(state).astype(int)
    for robot in range(32):
        near = np.abs(np.asarray(picture) - np.round(palette(32)[robot] * 255)).max(-1) <= 3
        rows, columns = np.nonzero(near)
        where = np.stack([columns + 0.5, picture.shape[0] - rows - 0.5], axis=-1) / 32
        for place in (state.robots.position[robot], state.level.goals[robot, 0]):
            assert (np.linalg.norm(where - place, axis=-1) < 0.31).sum() > 8, robot


@pytest.mark.parametrize("pixels", [3, 257, 8.0, True, "32"])
def test_a_bad_scale_is_refused(pixels: object) -> None:
    with pytest.raises(ValueError, match="pixels_per_cell is .*expected a whole number from 4 to 256"):
        DrawStyle(pixels_per_cell=pixels)  # type: ignore[arg-type]
