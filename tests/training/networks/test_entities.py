import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minicosm
from minicosm.envs.spaces import Box, Dict, Discrete
from minicosm.training.config import NetworkConfig, default_config
from minicosm.training.networks import Agent
from minicosm.training.networks.entities import entity_layout

CONFIGS = {
    "set": NetworkConfig(kind="set", width=8, hidden=(16,)),
    "pools": NetworkConfig(kind="set", width=8, queries=0, hidden=(16,)),
    "transformer": NetworkConfig(kind="transformer", width=8, heads=2, layers=2, hidden=(16,)),
    "one head": NetworkConfig(kind="set", width=8, hidden=(16,), controls=False),
}
SETS = {
    "shape": ["shapes"],
    "joint": ["joints", "joint_ends", "joint_control"],
    "thruster": ["thrusters", "thruster_shape", "thruster_control"],
}


@functools.cache
def agent_of(kind, size="m"):
    return Agent.of(minicosm.make(f"physics-{size}", observation_kind="entities"), CONFIGS[kind])


@functools.cache
def params_of(kind):
    """Parameters made for size S, with every bias and scale away from where it begins."""
    params = agent_of(kind, "s").init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [x + 0.2 * jax.random.normal(key, x.shape) for x, key in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


@functools.cache
def judge(kind, size="m"):
    agent, params = agent_of(kind, size), params_of(kind)

    @jax.jit
    def judged(observation):
        features = agent.features(observation, 1)
        lanes = features.shape[0]
        parameters, _, values, _ = agent.think(params, features, jnp.zeros((lanes,), bool), agent.initial_memory(lanes))
        return parameters, values

    return judged


def observation_like(space, random, lanes=3):
    """A made-up observation of entities: some of each kind there, joints and thrusters on shapes that are there."""
    made = {name: random.normal(size=(lanes, *part.shape)).astype(np.float32) for name, part in space.items}
    for one, (rows, *ends) in SETS.items():
        mask = (random.random(made[f"{one}_mask"].shape) < 0.6).astype(np.float32)
        mask[:, 0] = 1.0
        made[f"{one}_mask"] = mask
        made[rows] *= mask[..., None]
        for name in ends:
            if name.endswith("_control"):
                made[name] = random.integers(0, space[name].high + 1, made[name].shape, np.int32)
                continue
            there = [np.flatnonzero(m) for m in made["shape_mask"]]
            made[name] = np.stack([random.choice(t, made[name].shape[1:]) for t in there]).astype(np.int32)
    return made


@pytest.mark.parametrize("kind", CONFIGS)
@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=10)
def test_the_order_of_slots_does_not_matter(kind, seed):
    random = np.random.default_rng(seed)
    seen = observation_like(agent_of(kind).observation_space, random)
    shuffled = dict(seen)
    for one, parts in SETS.items():
        order = random.permutation(seen[f"{one}_mask"].shape[1])
        for name in (*parts, f"{one}_mask"):
            shuffled[name] = shuffled[name][:, order]
        if one == "shape":
            for name in ("joint_ends", "thruster_shape"):
                shuffled[name] = np.argsort(order)[seen[name]].astype(np.int32)
    for found, wanted in zip(judge(kind)(shuffled), judge(kind)(seen), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", CONFIGS)
@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=10)
def test_empty_slots_have_no_influence(kind, seed):
    random = np.random.default_rng(seed)
    seen = observation_like(agent_of(kind).observation_space, random)
    spoilt = dict(seen)
    for one, parts in SETS.items():
        for name in parts:
            empty = (seen[f"{one}_mask"] == 0).reshape(*seen[f"{one}_mask"].shape, *[1] * (seen[name].ndim - 2))
            spoilt[name] = np.where(empty, random.integers(0, 5, seen[name].shape).astype(seen[name].dtype), seen[name])
    for found, wanted in zip(judge(kind)(spoilt), judge(kind)(seen), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_part_of_the_observation_counts(kind):
    """What is there, and on which shapes joints and thrusters hang."""
    random = np.random.default_rng(5)
    seen = observation_like(agent_of(kind).observation_space, random)
    seen["shape_mask"][:] = 1.0
    seen["shapes"] = random.normal(size=seen["shapes"].shape).astype(np.float32)
    wanted = judge(kind)(seen)
    for name, part in seen.items():
        changed = dict(seen)
        if name.endswith("_mask"):
            changed[name] = part * (np.arange(part.shape[1]) > 0)
        elif name.endswith("_control"):
            if kind == "one head":
                continue  # it does not read them
            changed[name] = (part + 1) % 6
        elif part.dtype == np.int32:
            changed[name] = (part + 1) % seen["shapes"].shape[1]
        else:
            changed[name] = part * 1.5
        found = judge(kind)(changed)
        told = 0 if name.endswith("_control") else 1  # the policy, or the value
        assert np.max(np.abs(found[told] - wanted[told])) > 1e-3, name
        assert np.max(np.abs(found[0] - wanted[0])) > 1e-5, name


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("size", ["m", "l"])
def test_a_scene_means_the_same_in_a_larger_size(kind, size):
    """Parameters made at size S serve M and L, and see the same there when the further slots are empty."""
    small = observation_like(agent_of(kind, "s").observation_space, np.random.default_rng(3))
    large = {}
    for name, part in agent_of(kind, size).observation_space.items:
        large[name] = np.zeros((3, *part.shape), small[name].dtype)
        large[name][tuple(slice(n) for n in small[name].shape)] = small[name]
    for found, wanted in zip(judge(kind, size)(large), judge(kind, "s")(small), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", CONFIGS)
def test_scenes_without_anything_are_finite_and_so_are_their_gradients(kind):
    agent = agent_of(kind)
    features = jnp.zeros((2, agent.num_features))

    def value(params):
        parameters, _, values, _ = agent.think(params, features, jnp.zeros((2,), bool), agent.initial_memory(2))
        return jnp.sum(values) + jnp.sum(parameters)

    found = jax.value_and_grad(value)(params_of(kind))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(found))


@pytest.mark.parametrize("kind", CONFIGS)
def test_masked_options_are_never_chosen_and_nothing_is_learnt_about_them(kind):
    env = minicosm.make("physics-s", observation_kind="entities", action_kind="multi_discrete")
    agent = Agent.of(env, CONFIGS[kind])
    params = agent.init(jax.random.key(0))
    observation = observation_like(env.observation_space, np.random.default_rng(0), 64)
    mask = np.tile(np.repeat([1, 0, 1, 0, 0, 1], [3, 3, 3, 3, 2, 2]), (64, 1)).astype(np.int8)
    mask[:, [3, 9, 12]] = 1  # off
    features = agent.features(observation | {"action_mask": mask}, 1)
    still = (jnp.zeros((64,), bool), agent.initial_memory(64))

    def told(params):
        parameters, log_std, _, _ = agent.think(params, features, *still)
        draw = agent.distribution.sample(jax.random.key(1), parameters, log_std)
        log_prob, entropy = (
            agent.distribution.log_prob(parameters, log_std, draw), agent.distribution.entropy(parameters, log_std),
        )  # fmt: skip
        return jnp.sum(log_prob) + jnp.sum(entropy), (draw, entropy)

    (draw, entropy), gradient = _with_gradient(told, params)
    assert (draw[:, [1, 3, 4]] == 0).all() and (np.ptp(draw[:, [0, 2, 5]], axis=0) > 0).all()
    assert (entropy <= 2 * np.log(3) + np.log(2) + 1e-5).all() and (entropy > 2).all()
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))


def _with_gradient(function, params):
    (_, told), gradient = jax.value_and_grad(function, has_aux=True)(params)
    return told, gradient


@pytest.mark.parametrize("kind", ["set", "transformer"])
def test_a_control_does_what_its_links_call_for_whichever_binding_it_has(kind):
    """Bindings renumbered, in the indices and in the columns that name them: the same motors are told the same."""
    env = minicosm.make("physics-m", observation_kind="entities", action_kind="multi_discrete")
    agent = Agent.of(env, CONFIGS[kind])
    params = agent.init(jax.random.key(0))
    observation = observation_like(env.observation_space, np.random.default_rng(1), 8)
    order = np.array([2, 0, 3, 1, 5, 4, 6])
    control = np.random.default_rng(2).integers(0, 7, (8, 4))
    seen = observation | {"action_mask": np.ones((8, 16), np.int8)}

    def told(control):
        shown = dict(seen, joint_control=control[:, :2] % 4, thruster_control=4 + control[:, 2:] % 2)
        return shown

    def head(shown):
        features = agent.features(shown, 1)
        parameters, _, _, _ = agent.think(params, features, jnp.zeros((8,), bool), agent.initial_memory(8))
        return np.asarray(parameters[:, :12]).reshape(8, 4, 3), np.asarray(parameters[:, 12:]).reshape(8, 2, 2)

    plain, renamed = told(control), told(control)
    renamed |= {name: order[renamed[name]] for name in ("joint_control", "thruster_control")}
    (motors, thrusters), (motors_then, thrusters_then) = head(plain), head(renamed)
    np.testing.assert_allclose(motors_then[:, order[:4]], motors, atol=1e-5)
    np.testing.assert_allclose(thrusters_then[:, order[4:6] - 4], thrusters, atol=1e-5)
    assert np.ptp(motors, axis=1).max() > 1e-4  # they do differ


@pytest.mark.parametrize("kind", ["set", "transformer"])
def test_one_choice_among_all_controls_has_one_head_and_no_parameters_for_more(kind):
    names = {}
    for action_kind in ("discrete", "continuous"):
        env = minicosm.make("physics-s", observation_kind="entities", action_kind=action_kind)
        params = jax.eval_shape(Agent.of(env, CONFIGS[kind]).init, jax.random.key(0))["params"]
        names[action_kind] = {name for whole in (params, params["encoder"]) for name in whole}
    assert "policy" in names["discrete"] and "policy_1" in names["continuous"]
    assert not [name for name in names["discrete"] if "control" in name or "_last" in name]


def test_sets_are_found_by_their_names():
    layout = entity_layout(
        minicosm.make("physics-m-2agents", observation_kind="entities", action_kind="multi_discrete").observation_space
    )
    assert layout.nodes.rows.name == "shapes" and layout.nodes.mask.name == "shape_mask"
    assert [(link.rows.name, link.ends.name) for link in layout.links] == [
        ("joints", "joint_ends"), ("thrusters", "thruster_shape"),
    ]  # fmt: skip
    assert [part.name for part in layout.others] == ["agent", "gravity"]


ROWS, MASK, ENDS = Box(-1.0, 1.0, (3, 2)), Box(0.0, 1.0, (3,)), Box(0, 2, (3,), "int32")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (Box(-1.0, 1.0, (4,)), "it is not a Dict"),
        (Dict.of({"a": Discrete(3)}), "just one set whose rows do not name rows of another, and has none"),
        (Dict.of({"things": ROWS}), r"its set 'things' has no mask thing_mask of shape \(3,\)"),
        (Dict.of({"things": ROWS, "thing_mask": Box(0.0, 1.0, (4,))}), "has no mask"),
        (
            Dict.of({"as": ROWS, "a_mask": MASK, "bs": ROWS, "b_mask": MASK}),
            "just one set whose rows do not name rows of another, and has 'as', 'bs'",
        ),
        (
            Dict.of({"as": ROWS, "a_mask": MASK, "bs": ROWS, "b_mask": MASK, "b_end": ENDS, "b_start": ENDS}),
            "its set 'bs' has more than one array of row numbers",
        ),
    ],
)
def test_observations_without_entities_are_told(space, said):
    with pytest.raises(ValueError, match=said):
        entity_layout(space)


@pytest.mark.parametrize("kind", CONFIGS)
def test_worlds_that_do_not_fit_are_told(kind):
    with pytest.raises(
        ValueError, match=r"expects observations of entities, .* as it is not a Dict; use 'mlp'"
    ) as told:
        Agent.of(minicosm.make("physics-s"), CONFIGS[kind])
    assert str(told.value).startswith(f"NetworkConfig.kind is {CONFIGS[kind].kind!r}")


def test_physics_gets_the_net_that_reads_it():
    for kind, net in (("entities", "set"), ("pixels", "cnn"), ("flat", "mlp")):
        env = minicosm.make("physics-s", observation_kind=kind)
        network = default_config(env).network
        assert network.kind == net
        Agent.of(env, network)
