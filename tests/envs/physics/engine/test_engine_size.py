"""How many of everything, which pairs meet in which order, and the solver's settings."""

import itertools

import numpy as np
import pytest

from minicosm.envs.physics.engine.config import EngineConfig
from minicosm.envs.physics.engine.size import LARGE, MEDIUM, SMALL, Size, num_seats, pair_index, pairs

SIZES = [SMALL, MEDIUM, LARGE, Size(1, 0, 0, 0, num_walls=0), Size(2, 3, 0, 0, num_walls=2), Size(4, 1, 0, 0)]


@pytest.mark.parametrize("size", SIZES)
def test_each_pair_that_can_collide_is_listed_once(size):
    walls = range(size.num_walls)
    wanted = {p for p in itertools.combinations(range(size.num_shapes), 2) if not (p[0] in walls and p[1] in walls)}
    listed = [tuple(pair) for pair in pairs(size).tolist()]
    assert len(listed) == len(set(listed)) == size.num_pairs
    assert set(listed) == wanted


@pytest.mark.parametrize(("size", "count"), [(SMALL, 15), (MEDIUM, 30), (LARGE, 114)])
def test_the_named_sizes_have_the_pairs_of_the_field(size, count):
    assert size.num_pairs == count


@pytest.mark.parametrize("size", SIZES)
def test_no_shape_meets_two_others_in_one_round(size):
    free = [tuple(pair) for pair in pairs(size).tolist() if min(pair) >= size.num_walls]
    seats = num_seats(size)
    per_round = (seats // 2) if size.num_free == seats else (seats // 2 - 1)
    assert len(free) == per_round * (seats - 1)
    for first in range(0, len(free), max(per_round, 1)):
        shapes = list(itertools.chain(*free[first : first + per_round]))
        assert len(shapes) == len(set(shapes))


@pytest.mark.parametrize("size", SIZES)
def test_pair_index_finds_each_pair(size):
    index = pair_index(size)
    assert (index == index.T).all() and (np.diag(index) == -1).all()
    for k, (a, b) in enumerate(pairs(size)):
        assert index[a, b] == k
    assert (index >= 0).sum() == 2 * size.num_pairs


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_polygons": -1}, "num_polygons is -1"),
        ({"num_circles": 1.5}, "num_circles is 1.5"),
        ({"num_walls": 7}, "num_walls is 7 of num_polygons 5"),
        ({"num_polygons": 4, "num_circles": 0}, "at least one shape beside the walls"),
        ({"max_vertices": 2}, "max_vertices is 2"),
        ({"max_vertices": 17}, "max_vertices is 17"),
    ],
)
def test_impossible_sizes_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Size(**({"num_polygons": 5, "num_circles": 2, "num_joints": 1, "num_thrusters": 1} | fields))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_substeps", 0),
        ("num_joint_sweeps", 1.0),
        ("dt", 0.0),
        ("dt", float("nan")),
        ("margin", -0.1),
        ("max_speed", float("inf")),
        ("contact_stiffness", 0.6),
        ("joint_stiffness", 2.0),
    ],
)
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        EngineConfig(**{field: value})


def test_a_substep_is_its_share_of_a_tick():
    assert EngineConfig(dt=0.02, num_substeps=5).substep == pytest.approx(0.004)
