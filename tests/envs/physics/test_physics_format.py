"""Level files: what they say arrives, what is wrong with one is told in a sentence, and nothing worse ever happens."""

import copy
import json
import pathlib
import random

import jax
import numpy as np
import pytest

from minicosm.envs.physics import PhysicsConfig, describe, fit, library
from minicosm.envs.physics.format import schema, smallest_size
from minicosm.envs.physics.level import AUTOMATIC, BLUE, GREEN, RED
from minicosm.envs.physics.level_text import LARGEST_FILE, parse, read, text, write

SCHEMA = pathlib.Path(__file__).parents[3] / "docs" / "physics-level.schema.json"
CONFIG = PhysicsConfig(size="m")
CART = {
    "format": "minicosm-physics-level",
    "version": 1,
    "name": "Cart",
    "difficulty": "easy",
    "room": {"floor": "red"},
    "shapes": [
        {"id": "body", "box": [0.8, 0.2], "position": [1, 0.4], "role": "green", "density": 2},
        {"id": "wheel", "circle": 0.2, "position": [1, 0.25], "rotation": 0.5, "friction": 1.5},
        {"id": "target", "circle": 0.3, "position": [4, 0.5], "role": "blue", "static": True},
        {"id": "roof", "polygon": [[-0.3, 0], [0.3, 0], [0, 0.3]], "position": [1, 0.5], "velocity": [1, -2]},
    ],
    "joints": [
        {"a": "body", "b": "wheel", "at": [1, 0.25], "motor": {"speed": -6, "torque": 2, "binding": 3}},
        {"a": "body", "b": "roof", "at": [1, 0.5], "weld": True},
    ],
    "thrusters": [{"shape": "roof", "point": [0, 0.1], "angle": 1.5, "force": 4, "binding": "automatic"}],
    "no_collision": [["wheel", "roof"]],
}


def changed(path, value):
    """CART with one field of it changed, or dropped where `value` is ...; `path` as in "shapes.1.circle"."""
    data = copy.deepcopy(CART)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    inner = data
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(data)


def test_what_the_file_says_arrives():
    level = parse(json.dumps(CART), "cart").to_level(CONFIG)
    polygons, circles = CONFIG.slots.num_walls, CONFIG.slots.num_polygons
    assert level.present.tolist() == [True] * 8 + [False]
    assert level.role.tolist() == [RED, 0, 0, 0, GREEN, 0, 0, BLUE, 0]
    np.testing.assert_allclose(level.position[circles], [1, 0.25])
    np.testing.assert_allclose(level.position[polygons + 1], [1, 0.6], atol=1e-6)  # a triangle's centroid
    np.testing.assert_allclose(level.velocity[polygons + 1], [1, -2])
    assert float(level.scene.inverse_mass[polygons]) == pytest.approx(1 / (0.8 * 0.2 * 2))
    assert level.motor_speed.tolist() == [-6, 0] and level.motor_torque.tolist() == [2, 0]
    assert level.motor_binding.tolist()[0] == 3 and level.scene.joints.has_limit.tolist() == [False, True]
    assert level.thruster_force.tolist() == [4, 0] and level.thruster_binding.tolist()[0] == AUTOMATIC
    assert level.scene.thrusters.shape.tolist()[0] == polygons + 1
    assert float(level.scene.friction[circles]) == 1.5


def test_files_written_and_read_again_are_the_same(tmp_path):
    file = parse(json.dumps(CART), "cart")
    write(file, tmp_path / "cart.json")
    assert read(tmp_path / "cart.json") == file
    assert text(read(tmp_path / "cart.json")) == (tmp_path / "cart.json").read_text()
    assert not [f for f in tmp_path.iterdir() if f.name != "cart.json"]
    assert parse(b"\xef\xbb\xbf" + (tmp_path / "cart.json").read_bytes(), "with a byte order mark") == file


def test_a_link_stays_a_link_and_what_cannot_be_written_loses_nothing(tmp_path, monkeypatch):
    file = parse(json.dumps(CART), "cart")
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    write(file, link)
    assert link.is_symlink() and read(real) == file and real.stat().st_mode & 0o777 == 0o640
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write(parse(changed("name", "Another"), "cart"), real)
    assert read(real) == file and sorted(f.name for f in tmp_path.iterdir()) == ["link.json", "real.json"]


@pytest.mark.parametrize("name", library.names())
def test_the_library_is_written_as_it_would_be_written(name):
    file = library.file(name)
    path = pathlib.Path(library.__file__).parent / library.size_of(name) / f"{name}.json"
    assert text(file) == path.read_text()
    assert smallest_size(file) == library.size_of(name)
    assert file.name and file.description and file.difficulty


@pytest.mark.parametrize("name", library.names()[::5])
def test_a_level_described_and_loaded_again_is_the_same(name):
    config = PhysicsConfig(size=library.size_of(name))
    level = library.load(name, config)
    again = describe.from_level(level, name="again").to_level(config)
    for (path, one), other in zip(jax.tree_util.tree_leaves_with_path(level), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(other, one, rtol=3e-6, atol=1e-6, err_msg=jax.tree_util.keystr(path))


def test_a_level_fits_a_larger_size_and_says_what_does_not_fit_a_smaller_one():
    level = parse(json.dumps(CART), "cart").to_level(CONFIG)
    large = PhysicsConfig(size="l")
    there = fit(level, large.slots)
    direct = parse(json.dumps(CART), "cart").to_level(large)
    for (path, one), other in zip(jax.tree_util.tree_leaves_with_path(direct), jax.tree.leaves(there), strict=True):
        np.testing.assert_array_equal(other, one, err_msg=jax.tree_util.keystr(path))
    back = fit(there, CONFIG.slots)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), back, level))
    with pytest.raises(ValueError, match="the level needs num_polygons 6, but the size has room for 5"):
        fit(level, PhysicsConfig(size="s").slots)
    with pytest.raises(ValueError, match="^cart: 2 polygons beside the walls do not fit this size"):
        parse(json.dumps(CART), "cart").to_level(PhysicsConfig(size="s"), "cart")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("shapes.1.circle", -1, "shapes[1].circle is -1: input should be greater than 0"),
        ("shapes.1.circle", True, "shapes[1].circle is true: input should be a valid number"),
        ("shapes.1.circle", ..., "shapes[1]: a shape needs one of circle, box and polygon, and this has none"),
        ("shapes.1.box", [1, 1], "this has circle and box"),
        (
            "shapes.1.role",
            "purple",
            "shapes[1].role is \"purple\": input should be 'scenery', 'green', 'blue' or 'red'",
        ),
        ("shapes.1.colour", 1, "shapes[1].colour is no field of a level"),
        ("shapes.1.Friction", 1, "shapes[1].Friction is no field of a level"),
        ("shapes.1.2nd\nrole", 1, "shapes[1].'2nd\\nrole' is no field of a level"),
        ("shapes.1.id", "body", "shapes[1].id is 'body', which is taken"),
        ("shapes.1.id", "floor", "shapes[1].id is 'floor', which is taken"),
        ("shapes.1.id", ..., "shapes[1].id is missing"),
        ("shapes.1.position", [1], "shapes[1].position is [1]: list should have at least 2 items"),
        ("joints.0.a", "chassis", "joints[0].a is 'chassis', which no shape is called"),
        ("joints.0.at", ..., "joints[0]: a joint needs either `at` or both anchors"),
        ("joints.0.limits", [1, -1], "the first must not exceed the second"),
        ("joints.0.motor.binding", -1, "joints[0].motor.binding is -1"),
        ("joints.0.motor.binding", "auto", 'expected a whole number from 0 to 31 or "automatic"'),
        ("walls", [], "room is given as well as walls"),
        ("joints.1.motor", {"speed": 1, "torque": 1}, "joints[1]: a weld has no limits, spring or motor"),
        ("thrusters.0.force", 0, "thrusters[0].force is 0: input should be greater than 0"),
        ("thrusters.0.shape", "x", "thrusters[0].shape is 'x', which no shape is called"),
        ("no_collision.0", ["body"], 'no_collision[0] is ["body"]'),
        ("gravity", "down", 'gravity is "down": input should be a valid list'),
        ("version", 2, "version is 2; this minicosm reads version 1"),
        ("version", True, "version is true; this minicosm reads version 1"),
        ("version", ..., "version is missing; this minicosm reads version 1"),
        ("format", "x", 'format is "x"; expected "minicosm-physics-level"'),
        ("env_state", {}, "a level of Kinetix; turn it into one of ours by `minicosm import kinetix`"),
    ],
)
def test_mistakes_are_told_with_their_place(path, value, says):
    with pytest.raises(ValueError, match="^level.json: ") as error:
        parse(changed(path, value), "level.json")
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("shapes.3.polygon", [[0, 0], [1, 0], [2, 0]], "shape 'roof'"),
        ("shapes.3.polygon", [[0, 0], [1, 0], [0.2, 0.2], [0, 1]], "shape 'roof' is not convex"),
        ("shapes.0.density", 0.0, "both static"),
        ("joints.0.motor.binding", 9, "joints[0].motor.binding is 9: the config has bindings 0 to 3"),
        ("joints.0.b", "body", "joints[0] joins shape 'body' to itself"),
    ],
)
def test_what_cannot_be_simulated_is_told_by_the_shapes_names(path, value, says):
    content = changed(path, value)
    if says == "both static":
        content = changed(path, value).replace('"friction": 1.5', '"static": true')
    with pytest.raises(ValueError, match="^level.json: ") as error:
        parse(content, "level.json").to_level(CONFIG, "level.json")
    assert says in str(error.value)


def test_files_that_are_no_level_at_all(tmp_path):
    cases = {
        b"": "line 1, column 1: not JSON",
        b"[1, 2]": "[1, 2]; expected an object",
        b"\xff\xfe{}": "not text in UTF-8",
        b'{"a": NaN}': "NaN is no number of JSON",
        b'{"a": 1, "a": 2}': "'a' stands twice",
        b"[" * 100_000: "nested too deeply",
        json.dumps(CART).replace("0.8", "1e999").encode(): "shapes[0].box[0]",
        json.dumps(CART).replace("0.8", "9" * 400).encode(): "shapes[0].box[0]",
        json.dumps(CART).replace("0.8", "9" * 5000).encode(): "shapes[0].box[0]",
    }
    for content, says in cases.items():
        with pytest.raises(ValueError, match="^x.json: ") as error:
            parse(content, "x.json")
        assert says in str(error.value)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nowhere.json")
    with pytest.raises(ValueError, match="a folder; expected a level file"):
        read(tmp_path)
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (LARGEST_FILE + 1))
    with pytest.raises(ValueError, match="a level file has at most"):
        read(large)


def test_the_published_schema_is_that_of_the_model():
    assert json.loads(SCHEMA.read_text()) == schema(), "write it again: python docs/write_schema.py"


WORDS = [
    None,
    True,
    -1,
    0,
    1e-9,
    1e9,
    1e308,
    "",
    "floor",
    "body",
    "green",
    [],
    [0],
    [[0, 0]],
    {},
    {"x": 1},
    "\u0000",
    2**70,
]


def _places(data, way=()):
    if isinstance(data, dict | list):
        for key, inner in data.items() if isinstance(data, dict) else enumerate(data):
            yield (*way, key)
            yield from _places(inner, (*way, key))


def _mutated(rng):
    """CART with some of it replaced, dropped, doubled or moved, or its text damaged."""
    data = copy.deepcopy(CART)
    for _ in range(rng.randint(1, 4)):
        *way, last = rng.choice(list(_places(data)))
        inner = data
        for step in way:
            inner = inner[step]
        kind = rng.random()
        if kind < 0.5:
            inner[last] = copy.deepcopy(rng.choice(WORDS)) if rng.random() < 0.7 else rng.uniform(-3, 3)
        elif kind < 0.7:
            del inner[last]
        elif isinstance(inner, list):
            inner.insert(0, copy.deepcopy(inner[last]))
        else:
            inner[rng.choice(["id", "box", "at", "motor", "weld", "walls", "zz"])] = copy.deepcopy(inner[last])
        if not list(_places(data)):
            break
    written = bytearray(json.dumps(data).encode())
    if rng.random() < 0.2 and written:
        for _ in range(rng.randint(1, 3)):
            written[rng.randrange(len(written))] = rng.randrange(256)
    return bytes(written)


def test_no_damaged_file_does_worse_than_a_clear_error():
    rng = random.Random(0)
    loaded = refused = 0
    for _ in range(10_000):
        content = _mutated(rng)
        try:
            file = parse(content, "fuzz.json")
            if rng.random() < 0.3:
                file.to_level(CONFIG, "fuzz.json")
            loaded += 1
        except ValueError as error:
            assert str(error).startswith("fuzz.json: ") and "\n" not in str(error), error
            refused += 1
    assert loaded > 300 and refused > 3000
