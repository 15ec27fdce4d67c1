import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.physics.contact_sheet import contact_sheet
from minicosm.envs.physics.draw import DrawStyle, draw
from minicosm.envs.physics.engine import Size, State
from minicosm.envs.physics.engine.build import build, slots
from minicosm.envs.physics.engine.definitions import Circle, Pin, Polygon, Shape, Thruster, Weld, box, box_walls
from minicosm.envs.physics.level import BLUE, GREEN, RED, SCENERY, Level, blank
from minicosm.envs.physics.palette import DARK, LIGHT

SIZE = Size(num_polygons=6, num_circles=2, num_joints=2, num_thrusters=1, max_vertices=5)
FINE = DrawStyle(pixels=212)  # 40 pixels a metre
FLAT = DrawStyle(pixels=106, details=False)
STYLES = {"fine": FINE, "flat": FLAT}
World = tuple[Level, State]
OFF, ON = jnp.zeros(6), jnp.array([1.0, 0, 0, 0, 1.0, 0])


@functools.cache
def drawn(style: DrawStyle):
    """`draw`, compiled once a style."""
    return jax.jit(lambda level, state, signals: draw(level, state, signals, style))


def world(shapes: list[Shape], roles: list[int], joints=(), thrusters=(), walls=box_walls(5, 5)) -> World:  # noqa: B008
    scene, state = build(SIZE, shapes, joints, thrusters, walls=walls)
    held = np.array(slots(SIZE, shapes, walls), int)
    level = blank(SIZE)
    torque = jnp.zeros(SIZE.num_joints).at[: len(joints)].set(1.0)
    level = dataclasses.replace(
        level,
        scene=scene,
        position=state.position,
        rotation=state.rotation,
        present=level.present.at[held].set(True),
        role=level.role.at[held[: len(roles)]].set(jnp.array(roles, jnp.int32)),
        motor_torque=jnp.where(scene.joints.has_limit, 0.0, torque),
        motor_speed=jnp.ones(SIZE.num_joints),
        thruster_force=jnp.zeros(SIZE.num_thrusters).at[: len(thrusters)].set(1.0),
    )
    return level, state


def picture(scene: World, style: DrawStyle = FINE, signals: jax.Array = OFF) -> np.ndarray:
    return np.asarray(drawn(style)(*scene, signals)).astype(int)


def at(image: np.ndarray, x: float, y: float, style: DrawStyle = FINE) -> tuple[int, ...]:
    """Colour of the pixel that holds the point (x, y) of the world."""
    left, _, _, top = style.view
    return tuple(image[int((top - y) * style.scale), int((x - left) * style.scale)].tolist())


def covered(image: np.ndarray, colour: tuple[int, ...], style: DrawStyle) -> float:
    """Area in square metres that is not the ground, by how far each pixel is from it towards `colour`."""
    ground, ink = np.array(LIGHT.ground), np.array(colour)
    share = ((image - ground) @ (ink - ground)) / ((ink - ground) @ (ink - ground))
    return float(share.sum()) / style.scale**2


@pytest.fixture(scope="module")
def still_life() -> World:
    return world(
        [
            box(1.0, 1.0, position=(1.0, 1.0)),
            box(1.0, 1.0, position=(3.0, 1.0), static=True),
            Circle(0.5, position=(1.0, 3.0)),
            Circle(0.5, position=(3.0, 3.0), static=True),
        ],
        [SCENERY, BLUE, GREEN, RED],
    )


@pytest.mark.parametrize("name", STYLES)
def test_shapes_have_the_colours_of_their_roles(still_life: World, name: str) -> None:
    style = STYLES[name]
    image = picture(still_life, style)
    assert image.shape == (style.pixels, style.pixels, 3)
    assert at(image, 0.7, 1.2, style) == LIGHT.loose
    assert at(image, 2.7, 1.3, style) == LIGHT.blue
    assert at(image, 0.85, 3.25, style) == LIGHT.green
    assert at(image, 4.4, 4.4, style) == LIGHT.ground
    for x, y in ((-0.1, 2.5), (5.1, 2.5), (2.5, -0.1), (2.5, 5.1)):
        assert at(image, x, y, style) == LIGHT.fixed
    red = at(image, 2.85, 3.25, style)
    assert red[0] > 2 * max(red[1:])


def test_details_tell_roles_apart_without_colours(still_life: World) -> None:
    image = picture(still_life)
    assert min(at(image, 1.0, 3.0)) > 220, "a dot on what is green"
    assert at(image, 3.0, 1.0) == LIGHT.blue, "the middle of a ring on what is blue"
    assert len(np.unique(image[60:100, 125:135].reshape(-1, 3), axis=0)) > 4, "stripes on what is red"
    assert at(picture(still_life, FLAT), 1.0, 3.0, FLAT) == LIGHT.green


@pytest.mark.parametrize("name", STYLES)
def test_themes_change_every_colour(still_life: World, name: str) -> None:
    style = dataclasses.replace(STYLES[name], theme=DARK)
    image = picture(still_life, style)
    assert at(image, 4.4, 4.4, style) == DARK.ground
    assert at(image, -0.1, 2.5, style) == DARK.fixed


PLAIN = dataclasses.replace(LIGHT, fixed=(30, 40, 60), fixed_edge=(30, 40, 60), grid=LIGHT.ground)
PENTAGON = [(0.62 * math.cos(0.4 + a), 0.5 * math.sin(0.4 + a)) for a in np.arange(5) * 0.4 * math.pi]
SILHOUETTES = {
    "triangle": Polygon([(0, 0), (1.3, 0.2), (0.3, 1.1)], position=(1.9, 2.1), rotation=0.3, static=True),
    "box": box(1.21, 0.73, position=(2.52, 2.47), rotation=0.7, static=True),
    "pentagon": Polygon(PENTAGON, position=(2.5, 2.5), rotation=1.0, static=True),
    "disc": Circle(0.61, position=(2.513, 2.507), static=True),
}


def area(shape: Shape) -> float:
    if isinstance(shape, Circle):
        return math.pi * shape.radius**2
    x, y = np.array(shape.vertices).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


@pytest.mark.parametrize("shape", SILHOUETTES)
@pytest.mark.parametrize("name", STYLES)
def test_coverage_sums_to_the_area(shape: str, name: str) -> None:
    """In one colour without outline, so that each pixel's share can be read off it."""
    style = dataclasses.replace(STYLES[name], theme=PLAIN)
    image = picture(world([SILHOUETTES[shape]], [SCENERY], walls=()), style)
    assert covered(image, PLAIN.fixed, style) == pytest.approx(area(SILHOUETTES[shape]), rel=0.01)


@pytest.mark.parametrize("name", STYLES)
def test_pictures_move_with_the_shapes(name: str) -> None:
    """By 20 pixels to the right and 10 up; and a quarter turn of everything about the middle turns the picture."""
    style = STYLES[name]

    def scene(x: float, y: float, rotation: float) -> World:
        return world([box(1.0, 0.4, position=(x, y), rotation=rotation, static=True)], [BLUE], walls=())

    step = 20 / style.scale
    plain = dataclasses.replace(style, theme=PLAIN)
    before, after = (picture(scene(*where, 0.3), plain) for where in ((2.0, 2.0), (2.0 + step, 2.0 + step / 2)))
    assert np.abs(np.roll(before, (-10, 20), (0, 1)) - after).max() <= 1
    turned = picture(scene(3.0, 2.0, 0.3 + math.pi / 2), plain)
    assert np.abs(np.rot90(before) - turned).max() <= 1


@pytest.mark.parametrize("name", STYLES)
def test_what_moves_is_drawn_over_what_does_not(name: str) -> None:
    style = STYLES[name]
    moving, still = Circle(0.4, position=(1.0, 1.0)), Circle(0.4, position=(3.0, 1.0), static=True)
    post = box(1.5, 0.3, position=(1.0, 1.2), static=True)
    rod = box(1.5, 0.3, position=(3.0, 1.2))
    image = picture(world([moving, still, rod, post], [SCENERY] * 4), style)
    assert at(image, 0.9, 1.2, style) == LIGHT.loose
    assert at(image, 2.9, 1.2, style) == LIGHT.loose
    crossed = [box(0.4, 2, position=(2, 2)), box(2, 0.4, position=(2, 2), static=True)]
    assert at(picture(world(crossed, [SCENERY] * 2), style), 2.05, 2.1, style) == LIGHT.loose


@pytest.mark.parametrize("name", STYLES)
def test_nothing_is_drawn_for_empty_slots(name: str) -> None:
    level = blank(SIZE)
    state = world([], [], walls=())[1]
    image = picture((level, state), STYLES[name])
    grid = {tuple(c) for c in np.unique(image.reshape(-1, 3), axis=0).tolist()}
    assert LIGHT.ground in grid
    assert all(min(c) >= min(LIGHT.grid) for c in grid)
    if name == "flat":
        assert grid == {LIGHT.ground}


@pytest.fixture(scope="module")
def machine() -> World:
    shapes = [
        box(1.0, 0.5, position=(2.5, 2.5)),
        Circle(0.4, position=(3.0, 2.5), rotation=0.4),
        Circle(0.3, position=(1.8, 2.5)),
    ]
    joints = [Pin(0, 1, at=(3.0, 2.5)), Weld(0, 2, at=(2.0, 2.5))]
    return world(shapes, [GREEN, SCENERY, BLUE], joints, [Thruster(0, (0.0, -0.25), math.pi / 2)])


def distance(colour: tuple[int, ...], other: tuple[int, ...]) -> int:
    return max(abs(a - b) for a, b in zip(colour, other, strict=True))


@pytest.mark.parametrize("name", STYLES)
def test_thrusters_burn_as_hard_as_they_are_driven(machine: World, name: str) -> None:
    style = STYLES[name]
    nozzle, root, tip = (2.5, 2.17), (2.52, 2.02), (2.5, 1.72)
    off, half, full = (picture(machine, style, ON * power) for power in (0.0, 0.4, 1.0))
    for image in (off, half, full):
        assert distance(at(image, *nozzle, style), LIGHT.bindings[4]) < 60
    assert distance(at(off, *root, style), LIGHT.ground) < 30  # but for the shadow
    assert distance(at(half, *tip, style), LIGHT.ground) < 30
    for image, place in ((half, root), (full, root), (full, tip)):
        red, green, blue = at(image, *place, style)
        assert red > 200 and red > green > blue
    # without signals, only what no action drives is at work
    level, state = machine
    assert (np.asarray(drawn(style)(level, state, None)) == off).all()
    automatic = dataclasses.replace(level, thruster_binding=jnp.full(1, -1))
    assert at(np.asarray(drawn(style)(automatic, state, None)), *tip, style)[2] < 140


def test_motors_show_which_way_they_turn(machine: World) -> None:
    off, forward, backward = (picture(machine, FINE, ON * power) for power in (0.0, 1.0, -1.0))
    ring = distance(at(off, 3.0, 2.62), LIGHT.bindings[0])
    assert ring < 60
    window = (slice(100, 115), slice(118, 135))  # about the pin
    assert (forward[window] != off[window]).any() and (backward[window] != off[window]).any()
    assert (forward[window] != backward[window]).any()
    level, state = machine
    reversed_ = dataclasses.replace(level, motor_speed=-level.motor_speed)
    assert (picture((reversed_, state), FINE, ON)[window] == backward[window]).all()


@pytest.mark.parametrize("name", STYLES)
def test_circles_turn_and_batches_agree(machine: World, still_life: World, name: str) -> None:
    style = STYLES[name]
    batch = jax.tree.map(lambda *leaves: jnp.stack(leaves), machine, still_life)
    signals = jnp.stack([ON, OFF])
    together = np.asarray(jax.jit(jax.vmap(lambda s, g: draw(*s, g, style)))(batch, signals)).astype(int)
    for i, scene in enumerate((machine, still_life)):
        assert np.abs(together[i] - picture(scene, style, signals[i])).max() <= 1
    if style.details:
        level, state = still_life
        turned = dataclasses.replace(state, rotation=state.rotation + 1.0)
        assert (picture((level, turned)) != picture(still_life)).any()


@pytest.mark.parametrize("name", STYLES)
def test_odd_states_give_pictures(machine: World, name: str) -> None:
    """Far away, a whole picture away, or of any rotation: the background is whole and nothing is undefined."""
    level, state = machine
    style = STYLES[name]
    empty = picture(world([], []), style)
    away = dataclasses.replace(
        state, position=state.position + jnp.where(level.scene.inverse_mass > 0, 1e4, 0.0)[:, None]
    )
    assert np.abs(picture((level, away), style, ON) - empty).max() <= 1
    spun = picture((level, dataclasses.replace(state, rotation=state.rotation + 2e3 * math.pi)), style, ON)
    assert np.abs(spun - picture(machine, style, ON)).max() <= 8


def test_views_of_any_shape() -> None:
    style = DrawStyle(pixels=20, view=(0.0, 0.0, 10.0, 5.0), details=False)
    image = picture(world([box(1, 1, position=(7.5, 2.5))], [BLUE], walls=()), style)
    assert image.shape == (20, 40, 3)
    assert tuple(image[10, 30].tolist()) == LIGHT.blue
    assert tuple(image[10, 10].tolist()) == LIGHT.ground


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pixels", 7),
        ("pixels", 1.5),
        ("pixels", True),
        ("theme", "light"),
        ("details", 1),
        ("num_motor_bindings", -1),
        ("view", (0.0, 0.0, 0.0, 5.0)),
        ("view", (0.0, 5.0, 5.0, 0.0)),
        ("view", (0.0, 0.0, math.inf, 5.0)),
        ("view", (0.0, 0.0, 5.0)),
        ("view", (0.0, 0.0, 1e9, 5.0)),
    ],
)
def test_styles_refuse_what_cannot_work(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"DrawStyle.{field}"):
        DrawStyle(**{field: value})  # type: ignore[arg-type]


def test_contact_sheets_hold_every_level(machine: World, still_life: World) -> None:
    style = dataclasses.replace(FLAT, pixels=48)
    levels = [machine[0], still_life[0], machine[0]]
    sheet = contact_sheet(levels, columns=2, style=style)
    assert sheet.shape == (2 * 50 + 2, 2 * 50 + 2, 3) and sheet.dtype == np.uint8
    first, third = sheet[2:50, 2:50], sheet[52:100, 2:50]
    assert (first == third).all() and (first != sheet[2:50, 52:100]).any()
    assert (sheet[52:100, 52:100] == LIGHT.ground).all()
    pytest.importorskip("PIL")
    named = contact_sheet(
        levels, ["cart", "a name that is far too long to stand below it", "x"], columns=2, style=style
    )
    assert (named[2:50, 2:50] == first).all()
    assert (named[50:64, 2:50] != LIGHT.ground).any()
    assert (named[50:64, 102:] == LIGHT.ground).all()
    with pytest.raises(ValueError, match="2 names for 3 levels"):
        contact_sheet(levels, ["a", "b"])
    with pytest.raises(ValueError, match="no levels"):
        contact_sheet([])
    with pytest.raises(ValueError, match="columns"):
        contact_sheet(levels, columns=0)
