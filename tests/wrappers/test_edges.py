"""Seeds, modes, masks and actions, checked before they reach compiled code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from minicosm.envs.spaces import Box, Dict, Discrete, MultiDiscrete
from minicosm.wrappers import edges

EVEN = edges.ActionEdge(Box(-1.0, 1.0, (2,)), (3,), "numpy")
UNEVEN = edges.ActionEdge(Box((-1.0, -2.0), (1.0, 2.0), (2,)), (), "numpy")
CHOICE = edges.ActionEdge(Discrete(5), (3,), "numpy")
CHOICES = edges.ActionEdge(MultiDiscrete((2, 4)), (), "numpy")


def key_of(seed):
    return tuple(np.asarray(jax.random.key_data(edges.keys_from_seeds([seed]))[0]).tolist())


def test_every_bit_of_a_seed_counts():  # Gymnasium 10
    seeds = [0, 1, 2**31, 2**32, 2**32 + 1, 2**63, 2**64, 2**64 + 1, 2**200]
    assert len({key_of(seed) for seed in seeds}) == len(seeds)
    assert key_of(2**32) == key_of(2**32)
    keys = edges.keys_from_seeds(seeds)
    assert keys.shape == (len(seeds),)
    assert tuple(np.asarray(jax.random.key_data(keys))[3].tolist()) == key_of(2**32)


def test_seeds_spread_over_worlds():
    assert edges.spread_seeds(None, 2) == [None, None]
    assert edges.spread_seeds(np.int64(7), 3) == [7, 8, 9]
    assert edges.spread_seeds([5, None, 2**40], 3) == [5, None, 2**40]
    assert all(type(s) is int for s in edges.spread_seeds(np.array([1, 2]), 2))


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (-1, ValueError, "seed is -1; expected a whole number from 0, or None"),
        (1.5, TypeError, r"seed is 1.5 \(float\); expected a whole number"),
        ("7", TypeError, r"seed is '7' \(str\)"),
        (True, TypeError, r"seed is True \(bool\)"),
        ([1, 2, 3], ValueError, "seed lists 3 seeds; expected one for each of the 2 worlds"),
        ([1, -2], ValueError, "seed is -2"),
        ([1, 0.5], TypeError, "seed is 0.5"),
    ],
)
def test_bad_seeds_are_refused(seed, error, message):
    with pytest.raises(error, match=message):
        edges.spread_seeds(seed, 2)


def test_modes_by_any_of_their_names():
    for mode in ("same_step", "SameStep", "SAME_STEP", AutoresetMode.SAME_STEP):
        assert edges.require_mode(mode) == "same_step"
    assert edges.require_mode(AutoresetMode.NEXT_STEP) == "next_step"
    assert edges.require_mode(AutoresetMode.DISABLED) == "disabled"


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: edges.require_mode("sometimes"), "autoreset_mode is 'sometimes'; expected 'next_step'"),
        (lambda: edges.require_mode(None), "autoreset_mode is None"),
        (lambda: edges.require_output("cupy"), "output is 'cupy'; expected 'numpy', 'jax' or 'torch'"),
        (lambda: edges.require_output(None), "output is None"),
        (
            lambda: edges.require_render_mode("ansi", ("rgb_array",)),
            "render_mode is 'ansi'; expected None or 'rgb_array'",
        ),
        (
            lambda: edges.require_one_agent(4, "gymnasium.Env"),
            "4 agents and gymnasium.Env addresses one; use .*PettingZoo",
        ),
        (lambda: edges.reset_mask({"reset_mask": [1, 0]}, 2), r"is int64\[2\]; expected bool\[2\]"),
        (lambda: edges.reset_mask({"reset_mask": np.ones(3, bool)}, 2), r"is bool\[3\]; expected bool\[2\]"),
        (lambda: edges.reset_mask({"reset_mask": np.zeros(2, bool)}, 2), "chooses no world"),
        (lambda: edges.ActionEdge(Dict.of({"a": Discrete(2)}), (), "numpy"), "adapters take Box, Discrete and Multi"),
        (lambda: edges.require_agents({}, ["a_0"], ["a_0"]), "actions lacks a_0"),
        (
            lambda: edges.require_agents({"b_0": 1}, [], ["a_0"]),
            "actions names 'b_0', which is no agent; agents are a_0",
        ),
    ],
)
def test_bad_options_are_refused(check, message):
    with pytest.raises(ValueError, match=message):
        check()


def test_missing_torch_is_told(monkeypatch):
    monkeypatch.setattr(edges.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "minicosm\[torch\]"'):
        edges.require_output("torch")


def test_the_mask_is_left_in_the_options():  # Gymnasium 6
    for mask in (np.array([True, False]), jnp.array([True, False])):
        options = {"reset_mask": mask, "other": 1}
        np.testing.assert_array_equal(edges.reset_mask(options, 2), [True, False])
        assert options["reset_mask"] is mask
    assert edges.reset_mask({}, 2) is None and edges.reset_mask(None, 2) is None
    with pytest.raises(TypeError, match="options is 3; expected a dict or None"):
        edges.reset_mask(3, 2)


def test_good_actions_pass():
    for action in (np.zeros((3, 2)), np.zeros((3, 2), np.float16), [[0, 1], [1, 0], [-1, 1]], jnp.ones((3, 2))):
        checked = EVEN(action)
        assert checked.dtype == np.float32 and checked.shape == (3, 2)
        np.testing.assert_array_equal(checked, np.asarray(action))
    assert EVEN(np.full((3, 2), 1.0 + 1e-12)).max() == 1.0  # beyond the bound by float64's rounding alone
    assert CHOICE(np.array([0, 4, 2])).dtype == np.int32
    assert CHOICE([0, 4, 2]).tolist() == [0, 4, 2]
    assert UNEVEN([1.0, -2.0]).tolist() == [1.0, -2.0]
    assert CHOICES((1, 3)).tolist() == [1, 3]
    assert edges.ActionEdge(Discrete(5), (), "numpy")(np.int64(4)).shape == ()


def test_torch_actions_pass_detached_and_in_any_precision():  # dlpack: a requires_grad tensor raises
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        action = torch.full((3, 2), 0.5, dtype=dtype, requires_grad=True)
        assert (EVEN(action) == 0.5).all() and EVEN(action).dtype == np.float32
    assert CHOICE(torch.tensor([0, 4, 2])).dtype == np.int32


@pytest.mark.parametrize(
    ("edge", "action", "error", "message"),
    [
        (
            EVEN,
            np.zeros((2, 2)),
            ValueError,
            r"action has shape \(2, 2\); expected float32\[3, 2\] with values in \[-1, 1\]",
        ),
        (EVEN, np.zeros(2), ValueError, r"has shape \(2,\)"),
        (EVEN, [[0.0], [0.0, 0.0], [0.0]], ValueError, "is no array"),
        (EVEN, np.full((3, 2), np.nan), ValueError, r"action is nan at index \(0, 0\); expected float32\[3, 2\]"),
        (EVEN, [[0, 0], [0, 1.5], [0, 0]], ValueError, r"action is 1.5 at index \(1, 1\); .*clip it"),
        (EVEN, np.full((3, 2), 1e300), ValueError, "action is 1e[+]300"),
        (EVEN, np.zeros((3, 2), bool), TypeError, "action has dtype bool; expected float32"),
        (EVEN, np.zeros((3, 2), complex), TypeError, "action has dtype complex128"),
        (EVEN, [["a", "b"]] * 3, TypeError, "action has dtype <U1"),
        (EVEN, None, TypeError, "action has dtype object"),
        (UNEVEN, [0.0, 2.5], ValueError, r"is 2.5 at index \(1,\); expected .* in \[\[-1.0, -2.0\], \[1.0, 2.0\]\]"),
        (CHOICE, [0, 5, 0], ValueError, r"action is 5 at index \(1,\); expected int32\[3\] with values in \[0, 4\]$"),
        (CHOICE, [0, -1, 0], ValueError, "action is -1"),
        (CHOICE, np.zeros(3), TypeError, "action has dtype float64; expected int32"),
        (CHOICE, np.array([2**40, 0, 0]), ValueError, "action is 1099511627776"),
        (CHOICES, [2, 0], ValueError, r"action is 2 at index \(0,\)"),
    ],
)
def test_bad_actions_are_refused(edge, action, error, message):
    with pytest.raises(error, match=message) as raised:
        edge(action)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 250


def test_jax_actions_keep_their_place_and_are_checked_for_form_only():
    edge = edges.ActionEdge(Box(-1.0, 1.0, (2,)), (3,), "jax")
    action = jnp.asarray(np.zeros((3, 2), np.float32))
    assert edge(action) is action
    weak = jnp.full((3, 2), 0.5)
    assert weak.weak_type and not edge(weak).weak_type
    assert edge(jnp.zeros((3, 2), jnp.float16)).dtype == jnp.float32
    assert bool(jnp.isnan(edge(jnp.full((3, 2), jnp.nan))).all())  # as documented: its values are not looked at
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        edge(jnp.zeros(2))
    with pytest.raises(TypeError, match="dtype bool"):
        edge(jnp.zeros((3, 2), bool))
    host = np.zeros((3, 2), np.float32)
    assert not np.shares_memory(edge(host), host)  # the caller may write to it while the device still reads


def test_an_action_is_not_copied_when_the_step_is_awaited():
    host = np.zeros((3, 2), np.float32)
    assert EVEN(host) is host
