"""Settings of the trainer."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal, get_args

from minicosm.envs.environment import Environment

NetworkKind = Literal["mlp", "set", "transformer", "cnn"]
_Cell = Literal["gru", "lstm"]
_Critic = Literal["own", "central"]


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _need(config: Any, name: str, ok: bool, expected: str) -> None:
    if not ok:
        raise ValueError(f"{type(config).__name__}.{name} is {getattr(config, name)!r}; expected {expected}")


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """The policy's and the value function's net, docs/training.md.

    Raises ValueError, naming the field, for a value that cannot work.
    """

    kind: NetworkKind = "mlp"  # what reads the observation: layers alone, or an encoder of entities or pictures first
    hidden: tuple[int, ...] = (64, 64)  # widths of the layers before the heads, or before the memory
    activation: Literal["tanh", "relu"] = "tanh"
    width: int = 32  # "set", "transformer": columns of an entity's encoding
    queries: int = 8  # "set": nodes that attention picks out and tells all others of; 0 for none
    controls: bool = True  # "set", "transformer": a head for each control, told of the links that it drives
    heads: int = 4  # "transformer": attention heads, which share the columns
    layers: int = 1  # "transformer": blocks
    channels: tuple[int, ...] = (16, 32, 32)  # "cnn": of each convolution
    recurrent: bool = False  # a memory between the layers and the heads
    cell: _Cell = "gru"  # kind of the memory
    memory: int = 64  # width of the memory
    critic: _Critic = "own"  # the value is of what the agent sees, or of what all of its world see
    scan: int = 0  # so many of the first observed numbers are a range scan, thinned out for the first layer
    pool: int = 5  # neighbouring beams of the scan of which only the shortest is kept
    near: float = 0.05  # share of the scan's range; the net is also shown exp(1 - range / near), steep where it matters
    log_std: float = -0.5  # continuous actions: logarithm of the initial standard deviation, in half ranges

    def __post_init__(self) -> None:
        for name, known in (("kind", NetworkKind), ("cell", _Cell), ("critic", _Critic)):
            choices = get_args(known)
            _need(self, name, getattr(self, name) in choices, f"one of {choices}")
        for name in ("hidden", "channels"):
            widths = getattr(self, name)
            _need(self, name, all(_is_whole(w, 1) for w in widths) and len(widths) > 0, "widths from 1")
        for name in ("width", "heads", "layers"):
            _need(self, name, _is_whole(getattr(self, name), 1), "a whole number from 1")
        _need(self, "queries", _is_whole(self.queries, 0), "a whole number from 0")
        _need(self, "controls", isinstance(self.controls, bool), "True or False")
        _need(self, "width", self.width % self.heads == 0, f"a multiple of heads, {self.heads}")
        _need(self, "activation", self.activation in ("tanh", "relu"), "'tanh' or 'relu'")
        _need(self, "memory", _is_whole(self.memory, 1), "a whole number from 1")
        _need(self, "scan", _is_whole(self.scan, 0), "a whole number from 0")
        _need(self, "pool", _is_whole(self.pool, 1), "a whole number from 1")
        _need(self, "scan", self.scan % self.pool == 0, f"a multiple of pool, {self.pool}")
        _need(self, "scan", self.scan == 0 or self.kind == "mlp", f"0, as the net is of kind {self.kind!r}")
        _need(self, "near", 0 < self.near <= 1, "above 0, at most 1")
        _need(self, "log_std", math.isfinite(self.log_std), "a finite number")


@dataclasses.dataclass(frozen=True)
class PPOConfig:
    """Settings of proximal policy optimisation (Schulman et al. 2017), `minicosm.training.train`.

    One update plays `num_steps` ticks in `num_envs` worlds, then learns from them in `epochs` passes of `minibatches`
    steps each. Raises ValueError, naming the field, for a value that cannot work.
    """

    total_steps: int = 10_000_000  # env-steps (ticks of one world) per seed, rounded up to whole updates
    num_envs: int = 64  # B, worlds side by side
    num_steps: int = 64  # T, ticks of each world per update
    seed: int = 0
    num_seeds: int = 1  # independent runs side by side, of seeds `seed`, `seed` + 1, …

    learning_rate: float = 7e-4
    anneal: bool = True  # let the learning rate fall linearly to 0 at `total_steps`
    epochs: int = 2
    minibatches: int = 8
    gamma: float = 0.997  # discount per tick
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.005  # weight of the entropy bonus
    final_entropy: float | None = None  # to which that weight goes, linearly, by the end of the run; None: it stays
    value: float = 0.5  # weight of the value function's squared error
    value_clip: float | None = None  # reward by which the value may move in one update before it stops being taught
    max_grad_norm: float = 0.5
    network: NetworkConfig = NetworkConfig()

    updates_per_proposal: int | None = None  # that a curriculum's levels stay; None: as an episode may take
    updates_per_chunk: int = 10  # updates between progress reports, i.e. per line of the learning curve
    chunks_per_checkpoint: int = 10

    def __post_init__(self) -> None:
        for name in ("total_steps", "num_envs", "num_steps", "num_seeds", "epochs", "minibatches"):
            _need(self, name, _is_whole(getattr(self, name), 1), "a whole number from 1")
        for name in ("updates_per_chunk", "chunks_per_checkpoint"):
            _need(self, name, _is_whole(getattr(self, name), 1), "a whole number from 1")
        per_proposal = self.updates_per_proposal
        _need(self, "updates_per_proposal", per_proposal is None or _is_whole(per_proposal, 1), "a whole number from 1")
        _need(self, "seed", _is_whole(self.seed, 0), "a whole number from 0")
        for name in ("learning_rate", "clip", "max_grad_norm"):
            value = getattr(self, name)
            _need(self, name, math.isfinite(value) and value > 0, "a finite number above 0")
        for name in ("entropy", "value"):
            value = getattr(self, name)
            _need(self, name, math.isfinite(value) and value >= 0, "a finite number from 0")
        if self.final_entropy is not None:
            ok = math.isfinite(self.final_entropy) and self.final_entropy >= 0
            _need(self, "final_entropy", ok, "None or a finite number from 0")
        if self.value_clip is not None:
            ok = math.isfinite(self.value_clip) and self.value_clip > 0
            _need(self, "value_clip", ok, "None or a finite number above 0")
        for name in ("gamma", "gae_lambda"):
            _need(self, name, 0 <= getattr(self, name) <= 1, "0 to 1")

    @property
    def steps_per_update(self) -> int:
        """Env-steps of one update, per seed."""
        return self.num_envs * self.num_steps

    @property
    def num_updates(self) -> int:
        """Updates of the whole run."""
        return -(-self.total_steps // self.steps_per_update)

    def updates_per_proposal_in(self, env: Environment[Any, Any]) -> int:
        """Updates for which the worlds of `env` keep the levels that a curriculum proposed."""
        return self.updates_per_proposal or -(-env.max_episode_steps // self.num_steps)

    @property
    def num_optimizer_steps(self) -> int:
        """Steps of the optimiser in the whole run."""
        return self.num_updates * self.epochs * self.minibatches

    def for_agents(self, num_agents: int, num_devices: int = 1) -> PPOConfig:
        """This config, found to fit `num_agents` agents in each world, and `num_devices`; else ValueError."""
        _need(self, "num_envs", self.num_envs % num_devices == 0, f"a multiple of the {num_devices} devices")
        num_envs = self.num_envs // num_devices
        worlds = "num_envs" if num_devices == 1 else "num_envs / devices"
        lanes = num_envs * num_agents
        _need(
            self,
            "minibatches",
            lanes % self.minibatches == 0,
            f"a divisor of {worlds} x agents = {num_envs} x {num_agents} = {lanes}",
        )
        if self.network.critic == "central":
            whole = num_envs % self.minibatches == 0
            _need(self, "minibatches", whole, f"a divisor of {worlds}, {num_envs}, as a central critic needs")
        return self


# a strong entropy bonus: a policy that commits itself early goes round in circles in labyrinths
_MAZE: dict[str, Any] = {
    "total_steps": 8_000_000,
    "learning_rate": 1e-3,
    "epochs": 3,
    "minibatches": 4,
    "gamma": 0.995,
    "entropy": 0.03,
    "updates_per_chunk": 20,
}

# a first choice, which solves 9 of the 13 levels of size S in 2 M steps: benchmarks/train_physics.py
_PHYSICS: dict[str, Any] = {"total_steps": 5_000_000, "num_steps": 32, "gamma": 0.99, "entropy": 0.01}

_PHYSICS_NETS = {
    "flat": NetworkConfig(hidden=(128, 128)),
    "entities": NetworkConfig(kind="set", hidden=(128,)),
    "pixels": NetworkConfig(kind="cnn", hidden=(128,)),
}


def default_config(env: Environment[Any, Any], **settings: Any) -> PPOConfig:
    """The config tuned for `env`'s family, with `settings` over its fields.

    Mazes get a net with a memory. Several agents fill more lanes with fewer worlds. Raises ValueError for an unknown
    setting or a value that cannot work.
    """
    from minicosm.envs.maze import Maze
    from minicosm.envs.nav import Nav
    from minicosm.envs.physics import Physics

    network = NetworkConfig()
    if isinstance(env, Physics):
        network = _PHYSICS_NETS[env.config.observation_kind]
    elif isinstance(env, Maze):
        network = NetworkConfig(hidden=(64,), recurrent=True, memory=96)
    elif isinstance(env, Nav):
        beams = env.config.num_beams
        pool = max(p for p in range(1, max(1, beams // 32) + 1) if beams % p == 0)
        network = NetworkConfig(scan=beams, pool=pool, near=min(1.0, env.config.radius / env.config.lidar_range))
    known = {field.name for field in dataclasses.fields(PPOConfig)}
    for name in settings:
        if name not in known:
            raise ValueError(f"PPOConfig has no setting {name!r} (settings: {', '.join(sorted(known))})")
    tuned: dict[str, Any] = {"network": network}
    if env.num_agents > 1:
        num_envs = max(16, 128 // env.num_agents // 16 * 16)
        tuned |= {"num_envs": num_envs, "minibatches": 16, "total_steps": 4_000_000}
    if isinstance(env, Physics):
        tuned |= _PHYSICS
    if isinstance(env, Maze):
        tuned |= _MAZE | {"num_envs": 256 // env.num_agents // 4 * 4}
    return PPOConfig(**{**tuned, **settings})
