"""What the page asks about levels: checks, random ones, mutations, the gallery, and runs as files."""

import io
import json

import numpy as np
import pytest
from studio_server import plain

from minicosm.envs.physics import PhysicsConfig, library, validate
from minicosm.envs.physics import replay as replays
from minicosm.envs.physics.format import LevelFile
from minicosm.studio.recording import runs_of


def problems(server, level):
    answer = server.ask("/api/check", level)
    assert answer.status == 200, answer.json
    return answer.json["problems"]


def with_shapes(*shapes, **more):
    return {"format": "minicosm-physics-level", "version": 1, "shapes": list(shapes), **more}


GREEN = {"id": "ball", "circle": 0.3, "position": [1, 1], "role": "green"}
BLUE = {"id": "pad", "box": [1, 0.4], "position": [4, 0.2], "role": "blue", "static": True}


def test_a_sound_level_has_no_problem_and_a_size(server, lander):
    answer = server.ask("/api/check", lander).json
    assert answer["problems"] == [] and answer["size"] == "m"
    assert answer["counts"]["used"] == {"polygons": 2, "circles": 0, "joints": 0, "thrusters": 2}
    assert answer["counts"]["room"]["l"] == {"polygons": 8, "circles": 4, "joints": 6, "thrusters": 2}


@pytest.mark.parametrize(
    ("level", "text", "shapes"),
    [
        (with_shapes(GREEN, BLUE | {"position": [1, 1]}), "“pad” and “ball” overlap by", {"ball", "pad"}),
        (with_shapes(BLUE), "No shape is green", set()),
        (with_shapes(GREEN | {"position": [1, 0.1]}, BLUE), "“floor” and “ball” overlap by 0.2 m", {"floor", "ball"}),
        (with_shapes(GREEN | {"static": True}, BLUE), "No green and no blue shape can move", set()),
        (
            with_shapes(GREEN, BLUE | {"box": None, "polygon": [[0, 0], [1, 0], [0.5, 0.2], [0.5, 1]]}),
            "“pad” is not convex: drag a corner outwards",
            {"pad"},
        ),
        (
            with_shapes(GREEN, BLUE, *[GREEN | {"id": f"b{i}"} for i in range(5)]),
            "Too many circles for size L: 6",
            {"b3", "b4"},
        ),
    ],
)
def test_problems_are_told_at_the_shapes_concerned(server, level, text, shapes):
    if "polygon" in level["shapes"][-1]:
        level["shapes"][-1].pop("box")
    found = problems(server, level)
    assert any(text in one["text"] and set(one["shapes"]) == shapes for one in found), found


def test_problems_of_joints_name_them(server):
    arm = {"id": "arm", "box": [1, 0.1], "position": [1.5, 2]}
    base = {"id": "base", "box": [0.3, 0.3], "position": [1, 2], "static": True}
    joint = {"a": "base", "b": "arm", "at": [1, 2], "limits": [0.5, 1.0]}
    (found,) = problems(server, with_shapes(GREEN, BLUE, arm, base, joints=[joint]))
    assert found["joints"] == [0] and "outside its limits" in found["text"]
    joint |= {"limits": None, "motor": {"speed": 1, "torque": 1, "binding": 9}}
    (found,) = problems(server, with_shapes(GREEN, BLUE, arm, base, joints=[joint]))
    assert found["joints"] == [0] and "binding is 9" in found["text"] and set(found["shapes"]) == {"arm", "base"}


SUNK = {"catapult_over_the_wall", "mountain_car"}  # with static parts that stand in the ground, or a ball in its cup


def test_library_levels_pass_the_check(server):
    faulty = {name: problems(server, plain(name)) for name in library.names()}
    assert {name for name, found in faulty.items() if found} == SUNK
    assert all("overlap" in one["text"] for name in SUNK for one in faulty[name])


def test_random_and_mutated_levels_are_sound_and_follow_the_seed(server):
    first, again = (server.ask("/api/random", {"size": "s", "seed": 7}).json["level"] for _ in range(2))
    assert first == again != server.ask("/api/random", {"size": "s", "seed": 8}).json["level"]
    mutated = server.ask("/api/mutate", {"level": first, "seed": 3}).json["level"]
    assert mutated != first
    for level in (first, mutated):
        config = PhysicsConfig(size="l")
        assert validate.problems(LevelFile.model_validate(level).to_level(config), config) == []


@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("/api/random", {"size": "xl"}, "expected 's', 'm' or 'l'"),
        ("/api/random", {"size": "s", "kind": "magic"}, "expected one of random"),
        ("/api/random", {"size": "s", "seed": "a"}, "seed is 'a'"),
        ("/api/random", {"size": "s", "kind": "obstacles"}, "obstacles"),
        ("/api/mutate", {"level": {}}, "format"),
        ("/api/mutate", {}, "expected an object"),
        ("/api/export", {"what": "exe", "runs": [[1, [0] * 6]]}, "expected 'gif'"),
        ("/api/export", {"what": "gif", "runs": []}, "expected 1 to"),
        ("/api/export", {"what": "gif", "runs": [[1801, [0] * 6]]}, "a film has at most 60 s"),
        ("/api/export", {"what": "gif", "runs": [[10**9, [0] * 6]]}, "goes beyond"),
        ("/api/export", {"what": "gif", "runs": [[1, [0] * 5]]}, "6 signals"),
    ],
)
def test_questions_that_make_no_sense_are_answered_by_a_sentence(server, lander, path, asked, said):
    if path == "/api/export":
        asked = asked | {"level": lander}
    answer = server.ask(path, asked)
    assert answer.status == 400 and said in answer.json["error"]


def test_the_gallery_plays_the_winning_replays(server):
    listed = server.ask("/api/library").json
    assert [one["name"] for one in listed] == list(library.names())
    best = {one["name"]: one["best"] for one in listed if one["best"]}
    assert best["lift_off"] == {"rate": 1.0, "agent": "specialist, 2 M steps"}
    assert set(best) >= set(library.names("s")) and all(0 <= one["rate"] <= 1 for one in best.values())
    film = server.ask("/api/library/unicycle_right/film").json
    assert len(film["frames"]) > 10 and len(film["frames"][0]) == 3 * len(film["moving"])
    ids = [film["scene"]["shapes"][i]["id"] for i in film["moving"]]
    assert "floor" not in ids and ids
    assert server.ask("/api/library/nothing/film").status == 400
    assert server.ask("/api/library/lunar_lander").json["level"]["name"] == "Lunar lander"


def test_a_run_becomes_a_replay_a_demonstration_and_a_film(server):
    name = "unicycle_right"
    actions = library.replay(name).actions
    asked = {"level": plain(name), "runs": runs_of(list(actions))}
    replay = server.ask("/api/export", asked | {"what": "replay"})
    np.testing.assert_allclose(replays.parse(replay.body, "it").actions, actions, atol=1e-6)
    demonstration = np.load(io.BytesIO(server.ask("/api/export", asked | {"what": "demonstration"}).body))
    steps = len(demonstration["actions"])
    assert demonstration["observations"].shape[0] == steps + 1 and steps <= len(actions)
    assert demonstration["rewards"].sum() == 1.0 and demonstration["rewards"][-1] == 1.0
    assert demonstration["terminated"].tolist() == [False] * (steps - 1) + [True]
    assert not demonstration["truncated"].any()
    assert json.loads(str(demonstration["about"]))["world"] == "physics-s"
    film = server.ask("/api/export", asked | {"what": "gif"})
    assert film.status == 200 and film.body[:6] == b"GIF89a"
