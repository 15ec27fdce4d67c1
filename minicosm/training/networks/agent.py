"""How agents perceive, think and act."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minicosm.envs.environment import Environment
from minicosm.envs.spaces import ACTION_MASK, Box, Space
from minicosm.training.actions import ActionDistribution, Categorical, distribution_for, flatten_observation
from minicosm.training.config import NetworkConfig
from minicosm.training.networks.actor_critic import ActorCritic
from minicosm.training.networks.encoders import encoder_for
from minicosm.training.networks.layout import Part, parts_of, space_size
from minicosm.training.networks.memory import memory_size

_NEVER = -1e9  # a logit


@dataclasses.dataclass(frozen=True)
class Agent:
    """How one agent of a world perceives, thinks and acts; holds no parameters. N lanes are worlds x agents."""

    config: NetworkConfig
    observation_space: Space
    distribution: ActionDistribution
    num_agents: int = 1  # A of each world; agents of one world are adjacent lanes

    @staticmethod
    def of(env: Environment[Any, Any], config: NetworkConfig) -> Agent:
        """The agent for `env`'s spaces. Raises ValueError when they do not fit the trainer or `config`."""
        size = space_size(env.observation_space)
        if config.scan > size:
            raise ValueError(f"NetworkConfig.scan is {config.scan}; an observation has {size} numbers")
        agent = Agent(config, env.observation_space, distribution_for(env.action_space), env.num_agents)
        encoder_for(config, env.observation_space)  # tells of observations that the kind of net cannot read
        if config.scan > 0:
            agent._scan_bounds  # noqa: B018  tells of bounds that do not fit
        return agent

    @property
    def num_features(self) -> int:
        """F, numbers that the net sees."""
        scan = self.config.scan
        return space_size(self.observation_space) - scan + 2 * (scan // self.config.pool)

    @property
    def net(self) -> ActorCritic:
        """The net; see `ActorCritic.__call__`."""
        distribution = self.distribution
        elements = distribution.elements
        encoder = encoder_for(self.config, self.observation_space, len(elements))
        return ActorCritic(self.config, elements, distribution.num_scales, self.num_agents, encoder)

    def features(self, observation: Any, num_leading: int) -> jax.Array:
        """f32[..., F]: the observation as the net sees it, behind `num_leading` leading axes.

        Pictures for a "cnn" stay u8, which takes a quarter of the memory.
        """
        if self._dtype == jnp.uint8:
            return observation.reshape(*observation.shape[:num_leading], -1)  # type: ignore[no-any-return]
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

    @property
    def _dtype(self) -> Any:
        """Of the features."""
        space = self.observation_space
        is_picture = self.config.kind == "cnn" and isinstance(space, Box) and space.dtype == "uint8"
        return jnp.uint8 if is_picture else jnp.float32

    @functools.cached_property
    def _action_mask(self) -> Part | None:
        """Which options may be chosen, where observations say so: the others get no probability and no gradient."""
        parts = parts_of(self.observation_space) if isinstance(self.distribution, Categorical) else ()
        found = [part for part in parts if part.name == ACTION_MASK]
        return next((part for part in found if part.size == self.distribution.num_parameters), None)

    def init(self, key: jax.Array) -> Any:
        """Fresh parameters."""
        lanes = self.num_agents
        features = jnp.zeros((1, lanes, self.num_features), self._dtype)
        return self.net.init(key, features, jnp.zeros((1, lanes), bool), self.initial_memory(lanes))

    def initial_memory(self, num_lanes: int) -> jax.Array:
        """f32[N, M] of zeros; M = 0 when feed-forward."""
        return jnp.zeros((num_lanes, memory_size(self.config)))

    def unroll(
        self, params: Any, features: jax.Array, reset: jax.Array, memory: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """T ticks of the net, see `ActorCritic.__call__`."""
        parameters, log_std, values, memory = self.net.apply(params, features, reset, memory)  # type: ignore[misc]
        mask = self._action_mask
        if mask is not None:
            parameters = jnp.where(mask.read(features) > 0, parameters, _NEVER)
        return parameters, log_std, values, memory

    def think(
        self, params: Any, features: jax.Array, reset: jax.Array, memory: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """One tick of the net: (parameters f32[N, K], log_std, values f32[N], memory f32[N, M])."""
        parameters, log_std, values, memory = self.unroll(params, features[None], reset[None], memory)
        return parameters[0], log_std, values[0], memory
