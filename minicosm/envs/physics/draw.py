"""Pictures of the 2D universe, made on the device from signed distances, with no graphics library.

Lengths are in pixels, x to the right and y up, from the middle of the picture. What is inside a polygon is the least
of its distances from the lines through its edges, which is exact there, and so are outlines drawn inside.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.physics import flat
from minicosm.envs.physics.canvas import Canvas, Frame, cover, dimmed, plain, smooth
from minicosm.envs.physics.config import ROOM
from minicosm.envs.physics.engine.scene import State
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, RED, Level
from minicosm.envs.physics.palette import LIGHT, Theme

_PIN, _MOTOR, _WELD = 0.065, 0.125, 0.07  # m, radius of a pin and of a motor's ring, half the side of a weld
_NOZZLE = 0.14  # m, length of a nozzle
_FLAME = (0.12, 0.42)  # m, length of a flame that is just lit, and what full power adds
_MARK = 0.11  # m, radius of the marks on what is green and blue
_RIM = 0.62  # brightness of outlines
_SHADOW_WIDTH = 0.16  # m over which a shadow fades
_STRIPE = 0.2  # m, from one stripe on what is red to the next


@dataclasses.dataclass(frozen=True)
class DrawStyle:
    """How a picture looks. Raises ValueError, naming the field, for a value that cannot work."""

    pixels: int = 512  # height of the picture, 8 to 4096; its width follows from the view
    theme: Theme = LIGHT
    view: tuple[float, float, float, float] = (-0.15, -0.15, ROOM + 0.15, ROOM + 0.15)  # m: left, bottom, right, top
    details: bool = True  # False: flat shapes, for pictures that agents see
    num_motor_bindings: int = 4  # how many of the signals drive motors; the others drive thrusters

    def __post_init__(self) -> None:
        def need(ok: bool, name: str, expected: str) -> None:
            if not ok:
                raise ValueError(f"DrawStyle.{name} is {getattr(self, name)!r}; expected {expected}")

        for name, low, high in (("pixels", 8, 4096), ("num_motor_bindings", 0, 32)):
            value = getattr(self, name)
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            need(is_whole and low <= value <= high, name, f"a whole number from {low} to {high}")
        need(isinstance(self.theme, Theme), "theme", "a Theme, such as palette.LIGHT or palette.DARK")
        need(isinstance(self.details, bool), "details", "True or False")
        numbers = "four finite numbers, left, bottom, right and top, with left < right and bottom < top"
        is_tuple = isinstance(self.view, tuple) and len(self.view) == 4
        need(is_tuple and all(isinstance(v, (int, float)) and math.isfinite(v) for v in self.view), "view", numbers)
        left, bottom, right, top = self.view
        need(left < right and bottom < top, "view", numbers)
        need(
            1 <= self.width <= 8192,
            "view",
            f"a view that is 1 to 8192 pixels wide; at {self.pixels} it is {self.width}",
        )

    @property
    def scale(self) -> float:
        """Pixels per metre."""
        return self.pixels / (self.view[3] - self.view[1])

    @property
    def width(self) -> int:
        """Of the picture, in pixels."""
        return round(self.scale * (self.view[2] - self.view[0]))


def draw(level: Level, state: State, signals: jax.Array | None = None, style: DrawStyle = DrawStyle()) -> jax.Array:
    """A picture of one world, u8[style.pixels, style.width, 3], y up.

    Scenery is dark where it is static and light where it moves; what is green bears a dot, what is blue a ring, what is
    red stripes. Circles have a spoke. Pins are small discs, welds crossed squares; motors are rings, and nozzles are,
    of the colour of the action that drives them. `signals`, f32[bindings] as the last action gave them (motors -1 to 1,
    thrusters 0 to 1), light flames and turn the motors' arrows. Pure: `jit` and `vmap` apply.
    """
    shapes = _shapes(level, state, style)
    joints, thrusters = _joints(level, shapes, signals, style), _thrusters(level, shapes, signals, style)
    if not style.details:
        figures = _figures(level, shapes, joints, thrusters, style)
        return flat.picture(figures, (style.pixels, style.width), style.theme.ground)
    num_polygons = level.size.num_polygons
    order = _order(level)
    corner_x, corner_y = _corners(level, shapes, style)
    shown = shapes.shown[:num_polygons, None, None]
    outlines = jnp.where(shown, flat.edges(corner_x, corner_y), jnp.array([0.0, 0.0, -flat.ALWAYS]))[order]
    polygons: _Shape = jax.tree.map(lambda a: a[order], shapes)
    circles: _Shape = jax.tree.map(lambda a: a[num_polygons:], shapes)
    radius = level.scene.radius * style.scale
    still, moving = (circles._replace(shown=circles.shown & (circles.is_static == is_it)) for is_it in (True, False))
    canvas = _draw_grid(plain(style.width, style.pixels, style.theme.ground), style)
    canvas = _draw_each(canvas, lambda c, item: _draw_circle(c, item[0], item[1], style), (still, radius))
    canvas = _draw_each(canvas, lambda c, item: _draw_polygon(c, item[0], item[1], style), (polygons, outlines))
    canvas = _draw_each(canvas, lambda c, item: _draw_circle(c, item[0], item[1], style), (moving, radius))
    canvas = _draw_each(canvas, lambda c, item: _draw_joint(c, item, style), joints)
    canvas = _draw_each(canvas, lambda c, item: _draw_thruster(c, item, style), thrusters)
    return canvas.bytes()


def _draw_each(canvas: Canvas, draw_one: Callable[[Canvas, Any], Canvas], items: Any) -> Canvas:
    """One after the other of `items`, by one small program for all: to unroll them takes XLA many seconds."""

    def step(colours: jax.Array, item: Any) -> tuple[jax.Array, None]:
        return draw_one(canvas.with_stored(colours), item).stored(), None

    return canvas.with_stored(jax.lax.scan(step, canvas.stored(), items)[0])


def _order(level: Level) -> jax.Array:
    """i32[P]: polygons as they are drawn, static ones first."""
    return jnp.argsort(level.scene.inverse_mass[: level.size.num_polygons] > 0, stable=True)


# -- shapes ---------------------------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    """A shape's place and look; arrays lead with S."""

    frame: Frame  # at the centroid
    shown: jax.Array  # bool[S]
    is_static: jax.Array  # bool[S]
    role: jax.Array  # i32[S]
    fill: tuple[jax.Array, jax.Array, jax.Array]  # f32[S] each
    edge: tuple[jax.Array, jax.Array, jax.Array]  # f32[S] each


def _shapes(level: Level, state: State, style: DrawStyle) -> _Shape:
    theme, is_static = style.theme, level.scene.inverse_mass == 0
    left, bottom, right, top = style.view
    position = (state.position - jnp.array([left + right, bottom + top]) / 2) * style.scale
    still = np.array([theme.fixed, theme.green, theme.blue, theme.red], np.float32)
    moving = np.array([theme.loose, theme.green, theme.blue, theme.red], np.float32)
    rims = np.array([theme.loose_edge, *(dimmed(colour, _RIM) for colour in moving[1:])], np.float32)
    fill = jnp.where(is_static[:, None], jnp.asarray(still)[level.role], jnp.asarray(moving)[level.role])
    edge = jnp.where(is_static[:, None], jnp.array(theme.fixed_edge, jnp.float32), jnp.asarray(rims)[level.role])
    frame = Frame(position[:, 0], position[:, 1], jnp.cos(state.rotation), jnp.sin(state.rotation))
    return _Shape(frame, level.present, is_static, level.role, _triple(fill), _triple(edge))


def _corners(level: Level, shapes: _Shape, style: DrawStyle) -> tuple[jax.Array, jax.Array]:
    """f32[P, V] twice: the corners of the polygons, x and y."""
    along, across = (level.scene.vertices[..., axis] * style.scale for axis in (0, 1))
    x, y, cos, sin = (a[: level.size.num_polygons, None] for a in shapes.frame)
    return x + along * cos - across * sin, y + along * sin + across * cos


def _draw_polygon(canvas: Canvas, shape: _Shape, outline: jax.Array, style: DrawStyle) -> Canvas:
    def inside(dx: float, dy: float) -> jax.Array:
        distances = [e[0] * (canvas.x - dx) + (e[1] * (canvas.y - dy) + e[2]) for e in outline]
        depth: jax.Array = functools.reduce(jnp.minimum, distances)
        return depth

    canvas = _draw_shadow(canvas, inside(*_shadow_shift(style)), ~shape.is_static, style)
    depth = inside(0.0, 0.0)
    canvas = _draw_body(canvas, shape, depth, style)
    middle = functools.reduce(jnp.minimum, [e[0] * shape.frame.x + e[1] * shape.frame.y + e[2] for e in outline])
    return _draw_mark(canvas, shape, middle, depth, style)


def _draw_circle(canvas: Canvas, shape: _Shape, radius: jax.Array, style: DrawStyle) -> Canvas:
    radius = jnp.where(shape.shown, radius, -flat.ALWAYS)
    shift = _shadow_shift(style)
    lower = shape.frame._replace(x=shape.frame.x + shift[0], y=shape.frame.y + shift[1])
    canvas = _draw_shadow(canvas, radius - lower.distance(canvas), ~shape.is_static, style)
    depth = radius - shape.frame.distance(canvas)
    canvas = _draw_body(canvas, shape, depth, style)
    along, across = shape.frame.local(canvas)
    spoke = jnp.minimum(_rim(style) * 0.5 - jnp.abs(across), jnp.minimum(along, depth))
    canvas = canvas.over(shape.edge, 0.8 * cover(spoke))
    return _draw_mark(canvas, shape, radius, depth, style)


def _draw_shadow(canvas: Canvas, inside: jax.Array, is_cast: jax.Array, style: DrawStyle) -> Canvas:
    shade = smooth(0.5 + inside / (_SHADOW_WIDTH * style.scale))
    return canvas.over(style.theme.shadow, style.theme.shadow_strength * is_cast * shade)


def _draw_body(canvas: Canvas, shape: _Shape, depth: jax.Array, style: DrawStyle) -> Canvas:
    canvas = canvas.over(shape.edge, cover(depth))
    return canvas.over(shape.fill, cover(depth - _rim(style)))


def _draw_mark(canvas: Canvas, shape: _Shape, room: jax.Array, depth: jax.Array, style: DrawStyle) -> Canvas:
    """What tells roles apart without colours: a dot is to meet a ring, and stripes are a warning.

    `room` is the distance from the centroid to the outline.
    """
    along, across = shape.frame.local(canvas)
    period = _STRIPE * style.scale
    phase = jnp.abs(jnp.mod((along + across) * (0.5**0.5 / period), 1.0) - 0.5)
    stripes = cover((phase - 0.25) * period) * cover(depth - _rim(style)) * (shape.role == RED)
    canvas = canvas.over(style.theme.stripe, 0.35 * stripes)
    radius = jnp.minimum(_MARK * style.scale, 0.45 * room)
    shown = jnp.clip(radius - 3.0, 0.0, 1.0) * shape.shown
    from_middle = jnp.sqrt(along**2 + across**2)
    dot = cover(0.8 * radius - from_middle) * (shape.role == GREEN)
    ring = cover(0.22 * radius - jnp.abs(from_middle - 0.85 * radius)) * (shape.role == BLUE)
    return canvas.over(style.theme.glyph, 0.9 * shown * (dot + ring))


def _rim(style: DrawStyle) -> float:
    """Width of outlines."""
    return max(1.0, 0.022 * style.scale)


def _shadow_shift(style: DrawStyle) -> tuple[float, float]:
    return 0.025 * style.scale, -0.045 * style.scale


def _draw_grid(canvas: Canvas, style: DrawStyle) -> Canvas:
    """A line each metre."""
    left, bottom, right, top = style.view
    half = 0.5 * max(1.0, 0.012 * style.scale)

    def lines(at: jax.Array, middle: float) -> jax.Array:
        metres = at / style.scale + middle
        return cover(half - jnp.abs(metres - jnp.round(metres)) * style.scale)

    across, up = lines(canvas.x, (left + right) / 2), lines(canvas.y, (bottom + top) / 2)
    return canvas.over(style.theme.grid, jnp.maximum(across, up))


# -- joints and thrusters -------------------------------------------------------------------------------------------


class _Joint(NamedTuple):
    """Arrays lead with J."""

    frame: Frame  # upright
    shown: jax.Array  # f32[J]  opacity
    is_weld: jax.Array  # bool[J]
    is_motor: jax.Array  # bool[J]
    radius: jax.Array  # f32[J]  of a motor's ring
    turn: jax.Array  # f32[J]  -1 to 1, how hard it turns shape b anticlockwise
    colour: tuple[jax.Array, jax.Array, jax.Array]  # f32[J] each


def _joints(level: Level, shapes: _Shape, signals: jax.Array | None, style: DrawStyle) -> _Joint:
    joints = level.scene.joints
    ends = [
        _points(shapes, s, a, style) for s, a in ((joints.shape_a, joints.anchor_a), (joints.shape_b, joints.anchor_b))
    ]
    x, y = (0.5 * (a + b) for a, b in zip(*ends, strict=True))
    driven = _signal(level.motor_binding, signals, 0)
    room = jnp.concatenate([jnp.full(level.size.num_polygons, jnp.inf), 0.62 * level.scene.radius])
    radius = jnp.minimum(_MOTOR, jnp.minimum(room[joints.shape_a], room[joints.shape_b])) * style.scale
    is_weld = joints.has_limit & (joints.lower == joints.upper)
    return _Joint(
        frame=Frame(x, y, jnp.ones_like(x), jnp.zeros_like(x)),
        shown=joints.active.astype(jnp.float32),
        is_weld=is_weld,
        is_motor=(level.motor_torque > 0) & ~is_weld,
        radius=radius,
        turn=driven * jnp.sign(level.motor_speed),
        colour=_binding_colour(level.motor_binding, 0, style),
    )


def _draw_joint(canvas: Canvas, joint: _Joint, style: DrawStyle) -> Canvas:
    theme, scale = style.theme, style.scale
    distance = joint.frame.distance(canvas)
    x, y = joint.frame.local(canvas)
    canvas = _draw_motor(canvas, joint, distance, style)
    half = _WELD * scale
    square = half - jnp.maximum(jnp.abs(x), jnp.abs(y))
    pin = jnp.minimum(_PIN * scale, 0.6 * joint.radius)
    base = jnp.where(joint.is_weld, square, pin - distance)
    canvas = canvas.over(theme.metal, joint.shown * cover(base))
    cross = jnp.minimum(0.16 * half - jnp.abs(jnp.abs(x) - jnp.abs(y)) * 0.5**0.5, square - 0.28 * half)
    middle = jnp.where(joint.is_weld, cross, 0.5 * pin - distance)
    return canvas.over(theme.glyph, joint.shown * cover(middle))


def _draw_motor(canvas: Canvas, joint: _Joint, distance: jax.Array, style: DrawStyle) -> Canvas:
    """A ring, which opens to two arrows round the pin as the motor turns."""
    radius, half = joint.radius, 0.19 * joint.radius
    x, y = joint.frame.local(canvas)
    y = jnp.where(joint.turn < 0, -y, y)
    flip = jnp.where(y < 0, -1.0, 1.0)  # both arrows are one, half a turn apart
    x, y = x * flip, y * flip
    ring = half - jnp.abs(distance - radius)
    # the upper arrow starts at the right, and its head, a triangle at the left, points down
    arc = jnp.minimum(ring, y - jnp.where(x > 0, 0.32, 0.55) * radius)
    arrow = jnp.maximum(arc, _triangle(x + 0.92 * radius, y - 0.62 * radius, 2.3 * half, 3.4 * half))
    strength = jnp.minimum(1.0, 4.0 * jnp.abs(joint.turn))
    shown = joint.shown * joint.is_motor
    for colour, wider in ((dimmed(joint.colour, 0.4), 0.45 * half), (joint.colour, 0.0)):
        still, turning = cover(ring + wider), cover(arrow + wider)
        canvas = canvas.over(colour, shown * (still + (turning - still) * strength))
    return canvas


def _triangle(x: jax.Array, y: jax.Array, half_width: jax.Array, height: jax.Array) -> jax.Array:
    """How far (x, y) is inside of the triangle that stands on its tip, its upper side along y = 0."""
    slope = jnp.sqrt(half_width**2 + height**2)
    flank = ((y + height) * half_width - jnp.abs(x) * height) / slope
    return jnp.minimum(flank, -y)


class _Thruster(NamedTuple):
    """Arrays lead with T."""

    frame: Frame  # at the point, x along the force
    shown: jax.Array  # f32[T]  opacity
    power: jax.Array  # f32[T]  0 to 1
    colour: tuple[jax.Array, jax.Array, jax.Array]  # f32[T] each


def _thrusters(level: Level, shapes: _Shape, signals: jax.Array | None, style: DrawStyle) -> _Thruster:
    thrusters = level.scene.thrusters
    x, y = _points(shapes, thrusters.shape, thrusters.point, style)
    cos, sin = shapes.frame.cos[thrusters.shape], shapes.frame.sin[thrusters.shape]
    cos_force, sin_force = jnp.cos(thrusters.angle), jnp.sin(thrusters.angle)
    frame = Frame(x, y, cos * cos_force - sin * sin_force, sin * cos_force + cos * sin_force)
    return _Thruster(
        frame=frame,
        shown=(level.thruster_force > 0).astype(jnp.float32),
        power=jnp.clip(_signal(level.thruster_binding, signals, style.num_motor_bindings), 0.0, 1.0),
        colour=_binding_colour(level.thruster_binding, style.num_motor_bindings, style),
    )


def _draw_thruster(canvas: Canvas, thruster: _Thruster, style: DrawStyle) -> Canvas:
    """A nozzle behind the point where the force acts, and a flame behind that."""
    scale, theme = style.scale, style.theme
    along, across = thruster.frame.local(canvas)
    behind, aside = -along, jnp.abs(across)
    length = _NOZZLE * scale
    power = _flame_length(thruster, style)
    lit = thruster.shown * (thruster.power > 0)
    canvas = canvas.over(theme.flame, lit * cover(_flame(behind - length, aside, power, 0.085 * scale)))
    core = _flame(behind - length, aside, 0.62 * power, 0.05 * scale)
    canvas = canvas.over(theme.flame_core, lit * cover(core))
    nozzle = jnp.minimum(jnp.minimum(behind, length - behind), (0.05 * scale + 0.4 * behind - aside) * 0.93)
    canvas = canvas.over(theme.metal, thruster.shown * cover(nozzle))
    return canvas.over(thruster.colour, thruster.shown * cover(nozzle - _rim(style)))


def _flame_length(thruster: _Thruster, style: DrawStyle) -> jax.Array:
    return jnp.where(thruster.power > 0, _FLAME[0] + _FLAME[1] * thruster.power, 0.0) * style.scale


def _flame(behind: jax.Array, aside: jax.Array, length: jax.Array, half_width: float) -> jax.Array:
    """About how far inside of a flame: a drop with its tip at `length`, its root at 0."""
    share = behind / jnp.maximum(length, 1.0)
    width = half_width * (1.0 - share) * (0.75 + 1.9 * share)
    return jnp.minimum(width - aside, behind)


# -- pictures without details ---------------------------------------------------------------------------------------


def _figures(
    level: Level, shapes: _Shape, joints: _Joint, thrusters: _Thruster, style: DrawStyle
) -> list[flat.Figures]:
    size, num_polygons = level.size, level.size.num_polygons
    num_edges = max(4, size.max_vertices)
    order = _order(level)
    corner_x, corner_y = _corners(level, shapes, style)
    fill, edge = (jnp.stack(colour, axis=-1) for colour in (shapes.fill, shapes.edge))
    shown, is_static, rim = shapes.shown, shapes.is_static[num_polygons:], _rim(style)
    straight = flat.Paint(shown[order], fill[order], edge[order], rim)
    still = flat.Paint(shown[num_polygons:] & is_static, fill[num_polygons:], edge[num_polygons:], rim)
    moving = still._replace(shown=shown[num_polygons:] & ~is_static)
    centres = (shapes.frame.x[num_polygons:], shapes.frame.y[num_polygons:])
    radius = level.scene.radius * style.scale
    return [
        flat.discs(centres, radius, still, num_edges),
        flat.polygons((corner_x[order], corner_y[order]), straight, num_edges),
        flat.discs(centres, radius, moving, num_edges),
        *_joint_figures(joints, style, num_edges),
        *_thruster_figures(thrusters, style, num_edges),
    ]


def _joint_figures(joints: _Joint, style: DrawStyle, num_edges: int) -> list[flat.Figures]:
    x, y, shown = joints.frame.x, joints.frame.y, joints.shown > 0
    metal = jnp.broadcast_to(jnp.array(style.theme.metal, jnp.float32), (len(x), 3))
    colour = jnp.stack(joints.colour, axis=-1)
    ring, pin = jnp.maximum(joints.radius, 2.5), jnp.full(len(x), max(_PIN * style.scale, 1.25))
    right, up = pin[:, None] * np.array([-1, 1, 1, -1]), pin[:, None] * np.array([-1, -1, 1, 1])
    motor = flat.Paint(shown & joints.is_motor, colour, metal, 0.5 * _rim(style))
    return [
        flat.discs((x, y), ring, motor, num_edges),
        flat.discs((x, y), 0.75 * pin, flat.Paint(shown & ~joints.is_weld, metal, metal, 0.0), num_edges),
        flat.polygons(
            (x[:, None] + right, y[:, None] + up), flat.Paint(shown & joints.is_weld, metal, metal, 0.0), num_edges
        ),
    ]


def _thruster_figures(thrusters: _Thruster, style: DrawStyle, num_edges: int) -> list[flat.Figures]:
    frame, theme = thrusters.frame, style.theme
    shown, scale = thrusters.shown > 0, style.scale

    def corners(behind: list[float | jax.Array], right: list[float]) -> flat.Corners:
        along = -jnp.stack([jnp.broadcast_to(jnp.asarray(b), frame.x.shape) for b in behind], axis=-1)
        across = -jnp.array(right) * scale
        x, y, cos, sin = (a[:, None] for a in frame)
        return x + along * cos - across * sin, y + along * sin + across * cos

    root, flame = _NOZZLE * scale, _flame_length(thrusters, style)
    kite = corners([root, root + 0.3 * flame, root + flame, root + 0.3 * flame], [0.0, -0.09, 0.0, 0.09])
    nozzle = corners([0.0, root, root, 0.0], [-0.05, -0.106, 0.106, 0.05])
    burning, metal = (jnp.broadcast_to(jnp.array(c, jnp.float32), (len(flame), 3)) for c in (theme.flame, theme.metal))
    colour = jnp.stack(thrusters.colour, axis=-1)
    return [
        flat.polygons(kite, flat.Paint(shown & (thrusters.power > 0), burning, burning, 0.0), num_edges),
        flat.polygons(nozzle, flat.Paint(shown, colour, metal, 0.5 * _rim(style)), num_edges),
    ]


# -- small things ---------------------------------------------------------------------------------------------------


def _points(shapes: _Shape, index: jax.Array, point: jax.Array, style: DrawStyle) -> tuple[jax.Array, jax.Array]:
    """Where points f32[N, 2] (m, body frames) of the shapes `index` i32[N] are in the picture."""
    x, y, cos, sin = (a[index] for a in shapes.frame)
    along, across = point[:, 0] * style.scale, point[:, 1] * style.scale
    return x + along * cos - across * sin, y + along * sin + across * cos


def _signal(binding: jax.Array, signals: jax.Array | None, first: int) -> jax.Array:
    """f32[N]: what drives each motor or thruster, whose actions begin at signal `first`."""
    automatic = (binding == AUTOMATIC).astype(jnp.float32)
    if signals is None or signals.shape[0] <= first:
        return automatic
    return jnp.where(binding == AUTOMATIC, 1.0, signals[jnp.clip(first + binding, 0, signals.shape[0] - 1)])


def _binding_colour(binding: jax.Array, first: int, style: DrawStyle) -> tuple[jax.Array, jax.Array, jax.Array]:
    colours = jnp.array(style.theme.bindings, jnp.float32)
    chosen = colours[(first + binding) % len(style.theme.bindings)]
    return _triple(jnp.where((binding == AUTOMATIC)[:, None], jnp.array(style.theme.automatic, jnp.float32), chosen))


def _triple(colours: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    return colours[:, 0], colours[:, 1], colours[:, 2]
