"""The socket: what it plays is the engine, and nothing that is said to it takes it down."""

import contextlib
import json
import time

import jax
import numpy as np
import pytest
from studio_server import plain, running
from websockets.exceptions import ConnectionClosed

from minicosm.envs.physics import Physics, PhysicsConfig, library
from minicosm.studio.config import Limits


def numbers(frame):
    return np.frombuffer(frame, "<f4")


def test_what_is_played_is_what_an_agent_would_play(server):
    """The library's own replay wins by the page's route too, in the tick in which the world says so."""
    name = "unicycle_right"
    replay = library.replay(name)
    config = replay.config(PhysicsConfig(size=library.size_of(name)))
    env = Physics(config)
    step = jax.jit(env.step)
    state, _ = jax.jit(env.reset)(jax.random.key(0), library.load(name, config))
    for steps, action in enumerate(replay.actions, 1):  # noqa: B007
        state, timestep = step(jax.random.key(0), state, action[None])
        if timestep.terminated[0]:
            break
    assert timestep.info["success"][0]
    with server.socket() as link:
        link.hear("ready")
        link.say(type="load", level=plain(name))
        assert link.hear("scene")["frame_skip"] == 2
        for action in replay.actions[:steps]:
            link.say(type="act", signals=action.astype(float).tolist())
            link.say(type="step")
        ended = link.hear("ended")
    assert ended["outcome"] == "won"
    assert steps - 1 < ended["tick"] / 2 <= steps
    assert sorted(ended["pairs"][0]) != [] and len(ended["pairs"][0]) == 2


def test_a_run_can_be_taken_back_exactly(server, lander):
    with server.socket() as link:
        link.hear("ready")
        link.say(type="load", level=lander)
        link.hear("scene")
        link.frame()
        seen = []
        for i in range(45):
            link.say(type="act", signals=[0, 0, 0, 0, i % 3 == 0, i % 5 == 0])
            link.say(type="step")
            link.frame()
            seen.append(link.frame())
        link.say(type="seek", step=40)
        assert link.hear("sought")["step"] == 40
        back = numbers(link.frame())
        np.testing.assert_array_equal(back[8:], numbers(seen[39])[8:])
        for i in range(40, 45):
            link.say(type="act", signals=[0, 0, 0, 0, i % 3 == 0, i % 5 == 0])
            link.say(type="step")
            link.frame()
            assert link.frame() == seen[i]
        link.say(type="recording")
        assert sum(steps for steps, _ in link.hear("recording")["runs"]) == 45


def test_time_runs_at_sixty_hertz_and_slows_down(server, lander):
    with server.socket() as link:
        link.hear("ready")
        link.say(type="speed", value=0.1)
        link.say(type="load", level=lander | {"gravity": [0, 0]}, playing=True)
        link.hear("scene")
        link.frame()
        began = time.monotonic()
        for _ in range(7):
            link.frame()
        assert time.monotonic() - began > 0.9  # 6 pauses of a sixth of a second


HOSTILE = [
    ("", "not JSON"),
    ("hello", "not JSON"),
    ("[]", "expected a JSON object"),
    ("{}", "type"),
    ('{"type": "explode"}', "explode"),
    ('{"type": "load"}', "level is missing"),
    ('{"type": "load", "level": 3}', "level is 3"),
    ('{"type": "load", "level": {"format": "other"}}', "format"),
    ('{"type": "load", "level": {}, "extra": 1}', "extra"),
    ('{"type": "step"}', "no level is loaded"),
    ('{"type": "act", "signals": [1]}', "expected 6"),
    ('{"type": "act", "signals": [9, 0, 0, 0, 0, 0]}', "signals"),
    ('{"type": "act", "signals": ["a", 0, 0, 0, 0, 0]}', "signals"),
    ('{"type": "act", "signals": [NaN, 0, 0, 0, 0, 0]}', "NaN"),
    ('{"type": "speed", "value": 0}', "value"),
    ('{"type": "seek", "step": -1}', "step"),
    ('{"type": "run", "playing": 1e999}', "playing"),
    ('{"type": "step", "type": "step"}', "twice"),
    ("[" * 50_000, "nested too deeply"),
    ('{"type": "load", "level": ' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}", "nested too deeply"),
]


@pytest.mark.parametrize(("text", "said"), HOSTILE, ids=range(len(HOSTILE)))
def test_what_makes_no_sense_is_answered_by_a_sentence(server, text, said):
    with server.socket() as link:
        link.hear("ready")
        link.raw.send(text)
        assert said in link.hear("error")["text"]
        link.say(type="load", level=plain("lunar_lander"))  # and the session lives on
        assert link.hear("scene")["shapes"]


def test_levels_are_judged_as_files_are(server, lander):
    faults = {
        "circle": ({"shapes": [{"id": "a", "circle": -1}]}, "shapes[0].circle is -1"),
        "binding": ({**lander, "thrusters": [{"shape": "lander", "force": 1, "binding": 7}]}, "binding is 7"),
        "field": ({**lander, "colour": "pink"}, "colour is no field"),
        "many": ({**lander, "shapes": [{"id": str(i), "circle": 0.1} for i in range(9)], "thrusters": []}, "9 circles"),
    }
    head = {"format": "minicosm-physics-level", "version": 1}
    with server.socket() as link:
        link.hear("ready")
        for level, said in faults.values():
            link.say(type="load", level=head | level)
            assert said in link.hear("error")["text"]


def test_bytes_are_refused_and_the_session_goes_on(server, lander):
    with server.socket() as link:
        link.hear("ready")
        link.raw.send(b"\x00\xff\xfe")
        assert "binary" in link.hear("error")["text"]
        link.say(type="load", level=lander)
        link.hear("scene")


def test_one_session_does_not_feel_another_ones_mistakes(server, lander):
    with server.socket() as good, server.socket() as bad:
        good.hear("ready"), bad.hear("ready")
        good.say(type="load", level=lander, playing=True)
        good.hear("scene")
        with pytest.raises(ConnectionClosed):
            bad.raw.send("x" * (Limits().message_bytes + 10))
            bad.hear("closed")
            bad.hear("closed")
        first = numbers(good.frame())[0]
        assert numbers(good.frame())[0] == first + 1


def test_floods_idlers_and_crowds_are_sent_away(tmp_path, lander):
    limits = Limits(messages_per_second=5, burst=12, sessions=2, idle_seconds=1.5, recording_ticks=20)
    with running(tmp_path / "levels", limits=limits) as server:
        with server.socket() as flood:
            flood.hear("ready")
            with contextlib.suppress(ConnectionClosed):  # it may be sent away before its last word
                for _ in range(30):
                    flood.raw.send('{"type": "recording"}')
            assert "messages a second" in flood.hear("closed")["text"]
        with server.socket() as one, server.socket() as two:
            one.hear("ready"), two.hear("ready")
            with server.socket() as three:
                assert "2 pages" in three.hear("closed")["text"]
            one.say(type="load", level=lander, playing=True)
            assert "start again" in one.hear("running")["why"]
            assert "long time" in two.hear("closed")["text"]
        with server.socket() as again:  # those that left made room
            again.hear("ready")
            again.raw.send(json.dumps({"type": "load", "level": lander}))
            again.hear("scene")


def test_watching_without_a_run_says_so(server):
    with server.socket("/socket/watch") as link:
        assert "minicosm watch RUN" in link.hear("closed")["text"]


def test_a_mistake_of_the_servers_own_ends_one_session_alone(server, lander, monkeypatch):
    with server.socket() as good, server.socket() as bad:
        for link in (good, bad):
            link.hear("ready")
            link.say(type="load", level=lander)
            link.hear("scene")

        def broken(*_):
            monkeypatch.undo()
            raise ZeroDivisionError

        monkeypatch.setattr(server.studio.stage, "tick", broken)
        bad.say(type="run", playing=True)
        assert "mistake of its own" in bad.hear("closed")["text"]
        good.say(type="run", playing=True)
        good.hear("running")
        first = numbers(good.frame())[0]
        assert numbers(good.frame())[0] == first + 1
