"""The folder of levels: what is saved comes back, and no name leads out of it."""

import json
import os

import pytest
from studio_server import plain

from minicosm.envs.physics import level_text
from minicosm.envs.physics.format import LevelFile
from minicosm.studio.folder import LevelFolder


@pytest.fixture
def folder(tmp_path):
    return LevelFolder(tmp_path / "levels", 3)


@pytest.fixture
def level():
    return LevelFile.model_validate(plain("lunar_lander"))


def test_what_is_saved_comes_back_and_is_listed(server, lander):
    name = "My lander-2"
    assert server.ask(f"/api/levels/{name.replace(' ', '%20')}", {"level": lander}, "PUT").status == 200
    again = server.ask(f"/api/levels/{name.replace(' ', '%20')}", {"level": lander}, "PUT")
    assert again.status == 409 and "already" in again.json["error"]
    changed = lander | {"gravity": [0, -1]}
    assert server.ask("/api/levels/My%20lander-2", {"level": changed, "overwrite": True}, "PUT").status == 200
    assert name in [one["name"] for one in server.ask("/api/levels").json]
    assert server.ask("/api/levels/My%20lander-2").json["level"]["gravity"] == [0, -1]
    assert level_text.read(server.folder / f"{name}.json").gravity == [0.0, -1.0]


ESCAPES = [
    "../x",
    "..%2f..%2fetc%2fpasswd",
    "%2fetc%2fpasswd",
    "a%2fb",
    "..",
    ".hidden",
    "a%00b",
    "a%5cb",
    "x" * 65,
    "%20",
    "a.json",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_name_leads_out_of_the_folder(server, lander, name):
    before = sorted(server.folder.parent.rglob("*"))
    for answer in (server.ask(f"/api/levels/{name}"), server.ask(f"/api/levels/{name}", {"level": lander}, "PUT")):
        assert answer.status in (400, 404, 405)
        assert b"root:" not in answer.body
    assert sorted(server.folder.parent.rglob("*")) == before


def test_links_are_not_followed(folder, level, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text(level_text.text(level))
    (tmp_path / "levels").mkdir()
    link = tmp_path / "levels" / "link.json"
    link.symlink_to(secret)
    assert folder.names() == []
    with pytest.raises(ValueError, match="plain file"):
        folder.read("link")
    folder.write("link", level, overwrite=True)  # takes the link's place
    assert not link.is_symlink() and secret.read_text() == level_text.text(level)
    with pytest.raises(FileExistsError, match="already"):
        folder.write("link", level, overwrite=False)


def test_what_is_no_plain_file_is_refused(folder, tmp_path):
    (tmp_path / "levels").mkdir()
    os.mkfifo(tmp_path / "levels" / "pipe.json")
    (tmp_path / "levels" / "folder.json").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ValueError, match="plain file"):
            folder.read(name)
    with pytest.raises(ValueError, match="there is no level 'nothing'"):
        folder.read("nothing")


def test_bad_files_are_told_of_by_name(folder, tmp_path):
    (tmp_path / "levels").mkdir()
    (tmp_path / "levels" / "broken.json").write_text("{")
    (tmp_path / "levels" / "huge.json").write_bytes(b" " * (level_text.LARGEST_FILE + 1))
    (tmp_path / "levels" / "deep.json").write_text("[" * 100_000)
    for name, said in (("broken", "not JSON"), ("huge", "too large"), ("deep", "nested too deeply")):
        with pytest.raises(ValueError, match=f"{name}.json.*{said}"):
            folder.read(name)


def test_a_full_folder_takes_no_more(folder, level):
    for i in range(3):
        folder.write(f"level {i}", level, overwrite=False)
    with pytest.raises(ValueError, match="holds 3 levels, the most"):
        folder.write("one more", level, overwrite=False)
    folder.write("level 1", level, overwrite=True)


def test_nothing_half_written_stays(folder, level, tmp_path, monkeypatch):
    folder.write("kept", level, overwrite=False)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write("kept", level, overwrite=True)
    assert [path.name for path in (tmp_path / "levels").iterdir()] == ["kept.json"]
    assert folder.read("kept") == level


def test_huge_and_deep_requests_are_refused(server):
    huge = server.ask("/api/check", body=b" " * (server.studio.config.limits.body_bytes + 1))
    assert huge.status == 413 and "too large" in huge.json["error"]
    for body in (b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"", b"[1]", b'{"format": 1e400}', b"1" * 10_000):
        answer = server.ask("/api/check", body=body)
        assert answer.status == 400 and answer.json["error"], body[:20]
    assert server.ask("/api/hello").status == 200


def test_imports_ours_and_kinetix(server, lander):
    ours = server.ask("/api/import?name=mine.json", body=json.dumps(lander).encode())
    assert ours.json["level"]["name"] == "Lunar lander"
    bad = server.ask("/api/import?name=mine.json", body=b'{"env_state": {}}')
    assert bad.status == 400 and bad.json["error"].startswith("mine.json")


def of_kinetix():
    """Four walls, a green box and a blue disc, as Kinetix writes them."""

    def point(x, y):
        return {"0": float(x), "1": float(y)}

    def body(x, y, half=(0.2, 0.2), **fields):
        corners = [(half[0] * a, half[1] * b) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
        zeros = dict.fromkeys(("rotation", "angular_velocity", "restitution", "radius"), 0.0)
        ones = dict.fromkeys(("inverse_mass", "inverse_inertia", "friction", "density"), 1.0)
        usual = {
            "position": point(x, y),
            "velocity": point(0, 0),
            "vertices": {str(i): point(*c) for i, c in enumerate(corners)},
        }
        counts = {"collision_mode": 1, "active": True, "n_vertices": 4, "role": 0, "highlighted": False}
        return {**zeros, **ones, **usual, **counts, **fields}

    fixed = {"inverse_mass": 0.0, "inverse_inertia": 0.0, "collision_mode": 2}
    walls = [
        body(2.5, -4.8, (2.5, 5.2), **fixed),
        body(-2.5, 2.5, (2.5, 2.5), **fixed),
        body(7.5, 2.5, (2.5, 2.5), **fixed),
        body(2.5, 10.2, (2.5, 5.2), **fixed),
    ]
    state = {
        "polygon": [*walls, body(1, 1, role=1)],
        "circle": [body(4, 3, role=2, radius=0.3)],
        "joint": [],
        "thruster": [],
    }
    return {"env_state": state | {"gravity": point(0, -5)}, "static_env_params": {"num_static_fixated_polys": 4}}


def test_kinetix_levels_become_ours_and_can_be_saved(server):
    level = server.ask("/api/import?name=theirs.json", body=json.dumps(of_kinetix()).encode()).json["level"]
    assert level["name"] == "theirs" and level["gravity"] == [0, -5]
    assert [shape["role"] for shape in level["shapes"]] == ["green", "blue"] and len(level["walls"]) == 4
    assert server.ask("/api/check", level).json["problems"] == []
    assert server.ask("/api/levels/theirs", {"level": level}, "PUT").status == 200
