"""The policy and value nets, feed-forward or recurrent, shared by all agents."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment
from minicosm.envs.spaces import Box, Dict, Discrete, MultiDiscrete, Space
from minicosm.training.actions import ActionDistribution, distribution_for, flatten_observation
from minicosm.training.config import NetworkConfig

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError('the nets need flax, which is not installed: run pip install "minicosm[train]"') from error

_orthogonal = nn.initializers.orthogonal


class Memory(nn.Module):
    """A gated recurrent unit (Cho et al. 2014) over time, forgetting at resets.

    The input's share of the gates is one product for all of time; only the memory's own share is a loop.
    """

    width: int

    @nn.compact
    def __call__(self, x: jax.Array, reset: jax.Array, memory: jax.Array) -> tuple[jax.Array, jax.Array]:
        """f32[T, N, width], the memory after each tick, and f32[N, width], the last one.

        `x` f32[T, N, F]; `reset` bool[T, N], the tick is an episode's first; `memory` f32[N, width].
        """
        inputs = nn.Dense(3 * self.width, kernel_init=_orthogonal(1.0), name="inputs")(x)
        weights = self.param("weights", _orthogonal(1.0), (self.width, 3 * self.width))
        bias = self.param("bias", nn.initializers.zeros, (self.width,))

        def tick(memory: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            given, reset = now
            memory = jnp.where(reset[:, None], 0.0, memory)
            given_read, given_keep, given_new = jnp.split(given, 3, axis=-1)
            own_read, own_keep, own_new = jnp.split(memory @ weights, 3, axis=-1)
            read, keep = nn.sigmoid(given_read + own_read), nn.sigmoid(given_keep + own_keep)
            new = jnp.tanh(given_new + read * (own_new + bias))
            memory = keep * memory + (1 - keep) * new
            return memory, memory

        last, all_of_them = jax.lax.scan(tick, memory, (inputs, reset))
        return all_of_them, last


class ActorCritic(nn.Module):
    """Parameters of the action distribution and the value of each observation, over time.

    Feed-forward, policy and value are two separate stacks; recurrent, they share the layers and the memory, and each
    has one more layer of its own.
    """

    config: NetworkConfig
    num_parameters: int
    num_scales: int

    @nn.compact
    def __call__(
        self, features: jax.Array, reset: jax.Array, memory: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """(parameters f32[T, N, K], log_std f32[num_scales], values f32[T, N], memory f32[N, M]).

        `features` f32[T, N, F], see `Agent.features`; `reset` bool[T, N], the tick is an episode's first; `memory`
        f32[N, M] from before the first tick, M = 0 when feed-forward.
        """
        config = self.config
        log_std = jnp.zeros((0,))
        if self.num_scales > 0:
            log_std = self.param("log_std", nn.initializers.constant(config.log_std), (self.num_scales,))
        actor = critic = features
        if config.recurrent:
            shared = self._layers(features, config.hidden, "layer")
            shared, memory = Memory(config.memory, name="memory")(shared, reset, memory)
            actor = self._layers(shared, config.hidden[-1:], "actor")
            critic = self._layers(shared, config.hidden[-1:], "critic")
        else:
            actor = self._layers(features, config.hidden, "actor")
            critic = self._layers(features, config.hidden, "critic")
        parameters = nn.Dense(self.num_parameters, kernel_init=_orthogonal(0.01), name="policy")(actor)
        values = nn.Dense(1, kernel_init=_orthogonal(1.0), name="value")(critic)
        return parameters, log_std, values[..., 0], memory

    def _layers(self, x: jax.Array, widths: tuple[int, ...], name: str) -> jax.Array:
        activate = {"tanh": jnp.tanh, "relu": nn.relu}[self.config.activation]
        for i, width in enumerate(widths):
            x = activate(nn.Dense(width, kernel_init=_orthogonal(2**0.5), name=f"{name}_{i}")(x))
        return x


@dataclasses.dataclass(frozen=True)
class Agent:
    """How one agent of a world perceives, thinks and acts; holds no parameters. N lanes are worlds x agents."""

    config: NetworkConfig
    observation_space: Space
    distribution: ActionDistribution

    @staticmethod
    def of(env: Environment[Any, Any], config: NetworkConfig) -> Agent:
        """The agent for `env`'s spaces. Raises ValueError when they do not fit the trainer or `config`."""
        size = _size(env.observation_space)
        if config.scan > size:
            raise ValueError(f"NetworkConfig.scan is {config.scan}; an observation has {size} numbers")
        agent = Agent(config, env.observation_space, distribution_for(env.action_space))
        if config.scan > 0:
            agent._scan_bounds  # noqa: B018  tells of bounds that do not fit
        return agent

    @property
    def num_features(self) -> int:
        """F, numbers that the net sees."""
        scan = self.config.scan
        return _size(self.observation_space) - scan + 2 * (scan // self.config.pool)

    @property
    def net(self) -> ActorCritic:
        """The net; see `ActorCritic.__call__`."""
        return ActorCritic(self.config, self.distribution.num_parameters, self.distribution.num_scales)

    def features(self, observation: Any, num_leading: int) -> jax.Array:
        """f32[..., F]: the observation as the net sees it, behind `num_leading` leading axes."""
        flat = flatten_observation(observation, num_leading)
        scan, pool, near = self.config.scan, self.config.pool, self.config.near
        if scan == 0:
            return flat
        low, high = self._scan_bounds
        ranges = jnp.min(flat[..., :scan].reshape(*flat.shape[:-1], scan // pool, pool), axis=-1)
        share = (ranges - low) / (high - low)
        return jnp.concatenate([share - 0.5, jnp.exp(1 - share / near), flat[..., scan:]], axis=-1)

    @property
    def _scan_bounds(self) -> tuple[float, float]:
        """Least and greatest range. Raises ValueError unless the scan has the same two finite bounds throughout."""
        space, scan = self.observation_space, self.config.scan
        if isinstance(space, Box):
            low, high = (set(bound.ravel()[:scan].tolist()) for bound in space.bounds)
            if len(low) == len(high) == 1 and np.isfinite([*low, *high]).all():
                return low.pop(), high.pop()
        raise ValueError(
            f"NetworkConfig.scan is {scan}, but the first {scan} numbers of an observation have no bounds in common; "
            "use 0 where observations hold no range scan"
        )

    def init(self, key: jax.Array) -> Any:
        """Fresh parameters."""
        features = jnp.zeros((1, 1, self.num_features))
        return self.net.init(key, features, jnp.zeros((1, 1), bool), self.initial_memory(1))

    def initial_memory(self, num_lanes: int) -> jax.Array:
        """f32[N, M] of zeros; M = 0 when feed-forward."""
        return jnp.zeros((num_lanes, self.config.memory if self.config.recurrent else 0))

    def unroll(
        self, params: Any, features: jax.Array, reset: jax.Array, memory: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """T ticks of the net, see `ActorCritic.__call__`."""
        result: Any = self.net.apply(params, features, reset, memory)
        return result  # type: ignore[no-any-return]

    def think(
        self, params: Any, features: jax.Array, reset: jax.Array, memory: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """One tick of the net: (parameters f32[N, K], log_std, values f32[N], memory f32[N, M])."""
        parameters, log_std, values, memory = self.unroll(params, features[None], reset[None], memory)
        return parameters[0], log_std, values[0], memory


def _size(space: Space) -> int:
    if isinstance(space, Box):
        return space.size
    if isinstance(space, Dict):
        return sum(_size(part) for _, part in space.items)
    if isinstance(space, Discrete):
        return 1
    if isinstance(space, MultiDiscrete):
        return len(space.n)
    raise ValueError(f"the trainer cannot read observations from {space}")
