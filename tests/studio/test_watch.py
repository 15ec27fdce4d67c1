"""A run at work on the level that is drawn: its policy acts, and its success is measured."""

import dataclasses

import jax
import numpy as np
import pytest
from browser import Page
from studio_server import plain, running

import minicosm
from minicosm.envs.nav import Nav
from minicosm.envs.physics.format import LevelFile
from minicosm.studio import maps
from minicosm.studio.episode import Episode
from minicosm.studio.studio import Opening
from minicosm.studio.watching import ROLLOUTS, Run
from minicosm.training import NetworkConfig, default_config


@pytest.fixture(scope="module")
def run():
    """A net that was never trained: what it does is of no matter here."""
    from minicosm.training.networks import Agent

    env = minicosm.make("physics-s", max_steps=40)
    config = dataclasses.replace(default_config(env), network=NetworkConfig(hidden=(8,)))
    return Run("fresh", env, Agent.of(env, config.network).init(jax.random.key(0)), config)


def test_a_policy_acts_once_in_a_step(run):
    episode = Episode(run.stage, LevelFile.model_validate(plain("unicycle_right")), run.driver())
    for _ in range(10):
        episode.tick()
    assert len(episode.actions) == 5
    assert np.ptp([action[0] for action in episode.actions]) > 0  # drawn, not always the same
    assert all(np.abs(action).max() <= 1 for action in episode.actions)


def test_the_page_sees_the_agent_and_its_rate(run, tmp_path):
    level = plain("unicycle_right")
    with running(tmp_path / "levels", Opening("watch", None, run)) as server:
        about = server.ask("/api/hello").json
        assert about["mode"] == "watch" and about["run"] == {
            "name": "fresh",
            "world": "physics",
            "hz": pytest.approx(30),
            "size": "s",
        }
        with server.socket("/socket/watch") as link:
            link.hear("ready")
            link.say(type="load", level=level, playing=True)
            link.hear("scene")
            rate = link.hear("rate")
            assert rate["rollouts"] == ROLLOUTS and 0 <= rate["won"] <= 1 and rate["seconds"] <= 40 / 30 + 1e-6
            first = np.frombuffer(link.frame(), "<f4")
            assert np.frombuffer(link.frame(), "<f4")[0] in (first[0] + 1, 1)  # the latter where it began again
            link.say(type="load", level=plain("lunar_lander"), playing=True)  # of size M
            assert "has room for 1" in link.hear("error")["text"]
            link.say(type="load", level=level, playing=True)
            link.hear("restarted")  # an episode whose time is up begins again


MAPS = {
    "nav": {"num_beams": 12, "height": 7, "width": 7, "num_robots": 2, "max_steps": 40},
    "maze": {"height": 5, "width": 5, "view_kind": "flat", "max_steps": 20},
}
OPEN = {
    "nav": (7, [{"start": [1, 5], "goal": [5, 5], "heading": 0.0}, {"start": [1, 1], "goal": [3, 1]}]),
    "maze": (5, [{"start": [0, 4], "goal": [4, 4], "heading": 0.0}]),
}


def walled(size, robots):
    rows = ["#" * size, *["#" + "." * (size - 2) + "#"] * (size - 2), "#" * size] if size == 7 else ["." * size] * size
    return {"rows": rows, "robots": robots}


@pytest.fixture(scope="module", params=MAPS)
def map_run(request):
    from minicosm.training.networks import Agent

    env = minicosm.make(request.param, **MAPS[request.param])
    config = dataclasses.replace(default_config(env), network=NetworkConfig(hidden=(8,)))
    return Run("fresh", env, Agent.of(env, config.network).init(jax.random.key(0)), config)


def test_robots_run_on_drawn_maps_and_a_person_may_drive_one(map_run, tmp_path):
    world = type(map_run.env).__name__.lower()
    size, robots = OPEN[world]
    level = walled(size, robots)
    count = map_run.env.num_agents
    with running(tmp_path / "levels", Opening("watch", None, map_run)) as server:
        random = server.ask("/api/map", {"seed": 1}).json["level"]
        assert len(random["rows"]) == size and len(random["robots"]) == count
        assert "four_rooms" not in server.ask("/api/maps").json
        for name in ("four_rooms", "nowhere", "..%2Fmine.txt", "%2Fetc%2Fpasswd"):  # none fits, or is of the library
            assert server.ask(f"/api/maps/{name}").status in (400, 404)
        with server.socket("/socket/watch") as link:
            link.hear("ready")
            for fault, said in (
                ({"rows": ["..."], "robots": robots}, "the map has 3 x 1 cells"),
                (level | {"robots": []}, "there is no robot"),
                (level | {"robots": robots * 5}, "remove some"),
                (level | {"rows": ["x"]}, "the map: rows[0]"),
                (level | {"robots": [{"start": [0, 0], "goal": [0, 0]}] * count}, "the map"),
                ({}, "rows is missing"),
            ):
                link.say(type="load", level=fault)
                assert said in link.hear("error")["text"]
            link.say(type="drive", robot=9)
            assert "robot is 9" in link.hear("error")["text"]
            link.say(type="drive", robot=0)
            link.say(type="act", signals=[1, 0])  # straight ahead, to the goal
            link.say(type="load", level=level)
            assert link.hear("scene")["num_robots"] == count
            first = np.frombuffer(link.frame(), "<f4")
            assert (first[2], first[2 + count]) == (robots[0]["start"][0] + 0.5, size - robots[0]["start"][1] - 0.5)
            for _ in range(3):
                link.say(type="step")
            *_, last = (np.frombuffer(link.frame(), "<f4") for _ in range(3))
            assert last[2] > first[2] and last[2 + count] == pytest.approx(first[2 + count])
            link.say(type="run", playing=True)
            rate = link.hear("rate")
            assert rate["rollouts"] == ROLLOUTS and 0 <= rate["won"] <= 1


def test_maps_come_back_as_they_were_drawn(map_run):
    level = maps.random_map(map_run.env, 3)
    again = maps.from_level(maps.to_level(maps.read(level), map_run.env), map_run.env)
    assert again["rows"] == level["rows"]
    for one, other in zip(again["robots"], level["robots"], strict=True):
        assert (one["start"], one["goal"]) == (other["start"], other["goal"])
        assert one["heading"] == pytest.approx(other["heading"])


def test_hand_made_maps_open_by_name_if_they_fit(map_run):
    nav = isinstance(map_run.env, Nav)
    fitting = minicosm.make("nav") if nav else minicosm.make("maze")
    level = maps.load_map("four_rooms", fitting)
    assert len(level["rows"]) == fitting.config.height and level["robots"]
    assert "four_rooms" in maps.fitting(fitting) and maps.library_map("four_rooms", fitting) == level
    with pytest.raises(ValueError, match="more than the config's|the robots were trained on 5 x 5"):
        maps.load_map("four_rooms", map_run.env)
    with pytest.raises(ValueError, match="no library level|no maze|there is no"):
        maps.load_map("nowhere", map_run.env)
    with pytest.raises(ValueError, match="no library level|no maze"):
        maps.library_map(__file__, fitting)


def test_the_page_draws_maps_and_drives_with_the_keyboard_alone(map_run, tmp_path, chromium):
    world = type(map_run.env).__name__.lower()
    size, robots = OPEN[world]
    opening = Opening("watch", None, map_run, walled(size, robots))
    with running(tmp_path / "levels", opening) as server:
        context = chromium.new_context(viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
        page = Page(context, server.address).open()
        page.wait(".maps .side p:has-text('of 256 episodes')")
        page.page.focus(".maps canvas")
        page.press("Enter")  # a wall in the middle
        wall = "#" + "." * (size - 2) + "#" if size == 7 else "." * size
        kept = "() => JSON.parse(localStorage.getItem(Object.keys(localStorage).find((k) => k.includes('.map.'))))"
        middle = size // 2
        assert page.page.evaluate(kept)["rows"][middle] == wall[:middle] + "#" + wall[middle + 1 :]
        page.press("Control+z")
        assert page.page.evaluate(kept)["rows"][middle] == wall
        page.press("Control+Shift+Z", "Control+z")
        page.page.click("[data-tool=robot]")
        page.page.focus(".maps canvas")
        page.press("ArrowUp", "Enter", "ArrowRight", "Enter")
        robot = page.page.evaluate(kept)["robots"][-1]
        assert (robot["start"], robot["goal"]) == ([middle, middle - 1], [middle + 1, middle - 1])
        page.page.click("[data-tool=drive]")
        page.press("1")
        page.wait(".maps .side p:has-text('Robot 1 is yours')")
        assert page.mistakes == []
        context.close()


def test_a_level_that_is_too_large_for_the_agent_is_told_of_and_shown(run, tmp_path, chromium):
    opening = Opening("watch", LevelFile.model_validate(plain("car_up_the_ramp")), run)
    with running(tmp_path / "levels", opening) as server:
        context = chromium.new_context(viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
        page = Page(context, server.address).open()
        page.wait(".agent p:has-text('trained at size S. Remove 1 of 2 polygons and 1 of 3 circles and 1 of 2 joints')")
        assert page.page.locator(".agent .rate").inner_text() == "–"
        page.press("Control+a", "Delete", "b", "Enter", "c", "Enter")  # one green, one blue: that fits
        page.wait(".agent p:has-text('won of 256 tries')")
        assert page.mistakes == []
        context.close()
