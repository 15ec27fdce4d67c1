"""Where shapes touch, on random pairs, against brute force in float64 that shares no code with the engine."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from minicosm.envs.physics.engine.collide import circle_circle, polygon_circle, polygon_polygon, with_normals

PAIRS = 100_000
TOLERANCE = 1e-5
PREFERENCE = 1e-3  # m: the second polygon's edges are chosen where they are better by this much
SIDES = 5


def cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def dot(a, b):
    return (a * b).sum(-1)


def random_polygons(rng, count):
    """[count, 5, 2] float32-exact: 3 to 5 corners on turned ellipses, anticlockwise, the last one repeated."""
    corners = rng.integers(3, SIDES + 1, count)
    steps = rng.uniform(0.6, 1.4, (count, SIDES)) * (np.arange(SIDES) < corners[:, None])
    angle = 2 * np.pi * np.cumsum(steps, 1) / steps.sum(1, keepdims=True)
    points = np.stack([np.cos(angle), np.sin(angle)], -1) * rng.uniform(0.15, 1.2, (count, 1, 2))
    turn = rng.uniform(0, 2 * np.pi, count)
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    points = np.stack([cos * points[..., 0] - sin * points[..., 1], sin * points[..., 0] + cos * points[..., 1]], -1)
    return (points + rng.uniform(-1, 1, (count, 1, 2))).astype(np.float32)


def edges_of(polygons):
    """Start, end, outward unit normal and whether it is one, of each edge; float64."""
    start = polygons.astype(float)
    end = np.roll(start, -1, axis=1)
    along = end - start
    length = np.linalg.norm(along, axis=-1)
    real = length > 0
    tangent = along / np.where(real, length, 1)[..., None]
    return start, end, np.stack([tangent[..., 1], -tangent[..., 0]], -1), real


def separations(a, b):
    """f64[n, edges of a]: how far all of `b` lies beyond each edge of `a`; -inf for padding."""
    start, _, normal, real = edges_of(a)
    beyond = dot(b.astype(float)[:, None] - start[:, :, None], normal[:, :, None]).min(-1)
    return np.where(real, beyond, -np.inf)


def clipped(reference, edge, other):
    """Two points, f64[n, 2, 2], and their separations, of the edge of `other` that faces reference edge number `edge`.

    The interval of that edge inside the strip over the reference edge, or its end nearest to the strip. Also how
    clear it was which edge faces: the gap to the second best.
    """
    rows = np.arange(len(edge))
    start, end, normal, _ = (field[rows, edge] for field in edges_of(reference))
    other_start, other_end, other_normal, real = edges_of(other)
    facing = np.where(real, dot(other_normal, normal[:, None]), np.inf)
    order = np.sort(facing, 1)
    chosen = facing.argmin(1)
    p, q = other_start[rows, chosen], other_end[rows, chosen]
    tangent = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
    at_p, at_q, length = dot(p - start, tangent), dot(q - start, tangent), dot(end - start, tangent)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = [np.clip((place - at_p) / (at_q - at_p), 0, 1) for place in (0 * length, length)]
    shares = np.sort(np.stack(crossing, -1), -1)
    points = p[:, None] + shares[..., None] * (q - p)[:, None]
    return points, dot(points - start[:, None], normal[:, None]), normal, order[:, 1] - order[:, 0]


def batch_last(polygons):
    return with_normals(*(jnp.asarray(np.moveaxis(polygons, 1, 0)[..., i, None]) for i in (0, 1)))


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    a, b = random_polygons(rng, PAIRS), random_polygons(rng, PAIRS)
    found = jax.jit(polygon_polygon)(batch_last(a), batch_last(b))
    return a, b, jax.tree.map(lambda x: np.asarray(x, float)[..., 0], found)


def test_polygons_face_along_the_best_edge(pairs):
    a, b, found = pairs
    of_a, of_b = separations(a, b), separations(b, a)
    best_a, best_b = of_a.max(1), of_b.max(1)
    from_b = best_b > best_a + PREFERENCE
    normal = np.stack([found.normal_x, found.normal_y], -1)
    np.testing.assert_allclose(np.linalg.norm(normal, axis=-1), 1, atol=TOLERANCE)
    # The normal found must be that of an edge as good as the best one, to rounding.
    matches = np.zeros(PAIRS, bool)
    for polygons, values, best, sign, allowed in (
        (a, of_a, best_a, 1, ~from_b | (best_b < best_a + PREFERENCE + TOLERANCE)),
        (b, of_b, best_b, -1, from_b | (best_b > best_a + PREFERENCE - TOLERANCE)),
    ):
        _, _, normals, _ = edges_of(polygons)
        is_it = np.linalg.norm(sign * normals - normal[:, None], axis=-1) < 1e-4
        matches |= (is_it & (values > best[:, None] - TOLERANCE)).any(1) & allowed
    assert matches.all()
    assert 0.2 < from_b.mean() < 0.8 and 0.2 < (np.maximum(best_a, best_b) < 0).mean() < 0.8


def test_polygons_touch_where_clipping_says(pairs):
    a, b, found = pairs
    of_a, of_b = separations(a, b), separations(b, a)
    lead = np.sort(of_a, 1)[:, -1] - np.sort(of_a, 1)[:, -2], np.sort(of_b, 1)[:, -1] - np.sort(of_b, 1)[:, -2]
    margin = of_b.max(1) - of_a.max(1) - PREFERENCE
    normal = np.stack([found.normal_x, found.normal_y], -1)
    middle = np.stack([found.x, found.y], -1)  # [2, n, 2]
    checked = 0
    for first, second, values, chosen, edge_lead, sign in (
        (a, b, of_a, margin < -TOLERANCE, lead[0], 1),
        (b, a, of_b, margin > TOLERANCE, lead[1], -1),
    ):
        points, depth, normals, facing_lead = clipped(first, values.argmax(1), second)
        clear = chosen & (edge_lead > TOLERANCE) & (facing_lead > TOLERANCE)  # else two answers are right
        np.testing.assert_allclose(normal[clear], sign * normals[clear], atol=2 * TOLERANCE)
        # Each point lies half-way between the surfaces; `clipped` gives those on the second one.
        expected = points - 0.5 * depth[..., None] * normals[:, None]
        for number in (0, 1):
            away = np.linalg.norm(expected[clear] - middle[number, clear][:, None], axis=-1)
            off = np.abs(depth[clear] - found.separation[number, clear][:, None])
            assert np.maximum(away, off).min(1).max() < TOLERANCE
        both = np.abs(np.sort(depth[clear], 1) - np.sort(found.separation[:, clear].T, 1))
        assert both.max() < TOLERANCE
        checked += clear.sum()
    assert checked > 0.99 * PAIRS


def test_points_keep_their_order_along_the_tangent(pairs):
    *_, found = pairs
    tangent = np.stack([-found.normal_y, found.normal_x], -1)
    place = [dot(np.stack([found.x[i], found.y[i]], -1), tangent) for i in (0, 1)]
    assert (place[1] - place[0] > -TOLERANCE).all() or (place[1] - place[0] < TOLERANCE).all()


def test_depth_is_that_of_the_shallowest_direction(pairs):
    """No direction at all, of 720 tried, parts two overlapping polygons by a shorter way than the one found."""
    a, b, _ = (x[:4000] if isinstance(x, np.ndarray) else x for x in pairs)
    angle = np.arange(720) * np.pi / 360
    directions = np.stack([np.cos(angle), np.sin(angle)])
    sampled = ((b.astype(float) @ directions).min(1) - (a.astype(float) @ directions).max(1)).max(1)
    best = np.maximum(separations(a, b).max(1), separations(b, a).max(1))
    overlap = best < 0
    assert (sampled[overlap] <= best[overlap] + 1e-9).all()
    assert np.abs(sampled[overlap] - best[overlap]).max() < 0.02


def signed_distance(polygons, point):
    """Of f64 `point` [n, 2] from the outline, negative inside; and the outline's nearest point."""
    start, end, normal, real = edges_of(polygons)
    along = end - start
    share = np.clip(dot(point[:, None] - start, along) / np.maximum(dot(along, along), 1e-300), 0, 1)
    nearest = start + share[..., None] * along
    distance = np.where(real, np.linalg.norm(point[:, None] - nearest, axis=-1), np.inf)
    rows, best = np.arange(len(point)), distance.argmin(1)
    inside = np.where(real, dot(point[:, None] - start, normal), -np.inf).max(1) < 0
    return np.where(inside, -1, 1) * distance[rows, best], nearest[rows, best]


def test_polygon_and_circle():
    rng = np.random.default_rng(1)
    polygons = random_polygons(rng, PAIRS)
    centre = rng.uniform(-2, 2, (PAIRS, 2)).astype(np.float32)
    radius = rng.uniform(0.05, 1, PAIRS).astype(np.float32)
    found = jax.jit(polygon_circle)(batch_last(polygons), *(jnp.asarray(x)[:, None] for x in (*centre.T, radius)))
    found = jax.tree.map(lambda x: np.asarray(x, float)[..., 0], found)
    distance, nearest = signed_distance(polygons, centre.astype(float))
    np.testing.assert_allclose(found.separation[0], distance - radius, atol=TOLERANCE)
    assert (found.separation[1] > 1e8).all()  # there is no second point
    clear = np.abs(distance) > 1e-2  # the normal of a centre on the outline is anyone's
    normal = np.stack([found.normal_x, found.normal_y], -1)[clear]
    expected = ((centre - nearest) / distance[:, None])[clear]
    skew = np.linalg.norm(normal - expected, axis=-1)
    assert (skew < 1e-3).mean() > 0.999  # inside, two edges may be equally near
    middle = centre[clear] - normal * (radius + 0.5 * found.separation[0])[clear, None]
    np.testing.assert_allclose(np.stack([found.x[0], found.y[0]], -1)[clear], middle, atol=TOLERANCE)
    assert 0.05 < (distance < 0).mean() < 0.9


def test_two_circles():
    rng = np.random.default_rng(2)
    centres = rng.uniform(-2, 2, (2, PAIRS, 2)).astype(np.float32)
    radii = rng.uniform(0.05, 1, (2, PAIRS)).astype(np.float32)
    sides = [tuple(jnp.asarray(x)[:, None] for x in (*centres[i].T, radii[i])) for i in (0, 1)]
    found = jax.tree.map(lambda x: np.asarray(x, float)[..., 0], jax.jit(circle_circle)(*sides))
    between = centres[1].astype(float) - centres[0]
    distance = np.linalg.norm(between, axis=-1)
    np.testing.assert_allclose(found.separation[0], distance - radii.astype(float).sum(0), atol=TOLERANCE)
    normal = between / distance[:, None]
    clear = distance > 0.05
    np.testing.assert_allclose(np.stack([found.normal_x, found.normal_y], -1)[clear], normal[clear], atol=TOLERANCE)
    middle = centres[0] + normal * (radii[0] + 0.5 * found.separation[0])[:, None]
    np.testing.assert_allclose(np.stack([found.x[0], found.y[0]], -1)[clear], middle[clear], atol=2 * TOLERANCE)


def test_circles_on_each_other_part_upwards():
    one = jnp.ones((1, 1))
    found = circle_circle((one, one, one), (one, one, one))
    assert (found.normal_x.item(), found.normal_y.item()) == (0.0, 1.0)
    assert found.separation[0].item() == pytest.approx(-2.0, abs=1e-5)
