"""The net of policy and value function, feed-forward or recurrent."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from minicosm.training.config import NetworkConfig
from minicosm.training.networks.dense import Dense
from minicosm.training.networks.memory import CELLS

try:
    import flax.linen as nn
except ImportError as error:
    raise ImportError('the nets need flax, which is not installed: run pip install "minicosm[train]"') from error

_orthogonal = nn.initializers.orthogonal


class ActorCritic(nn.Module):
    """Parameters of the action distribution and the value of each observation, over time.

    Both see what `encoder` makes of the features. Then, feed-forward, policy and value are two separate stacks;
    recurrent, they share the layers and the memory, and each has one more layer of its own. A central critic (Yu et
    al. 2022) sees what all agents of the world see, and which of them it judges, and has its own layers and memory.
    """

    config: NetworkConfig
    elements: tuple[int, ...]  # parameters of each element of the action, K together
    num_scales: int
    num_agents: int = 1  # A of each world; agents of one world are adjacent lanes
    encoder: nn.Module | None = None  # from f32[T, N, F] to `Encoded`

    @nn.compact
    def __call__(
        self, features: jax.Array, reset: jax.Array, memory: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """(parameters f32[T, N, K], log_std f32[num_scales], values f32[T, N], memory f32[N, M]).

        `features` f32[T, N, F], see `Agent.features`; `reset` bool[T, N], the tick is an episode's first; `memory`
        f32[N, M] from before the first tick, M = 0 when feed-forward. With a central critic N is a multiple of A.
        """
        config = self.config
        log_std = jnp.zeros((0,))
        if self.num_scales > 0:
            log_std = self.param("log_std", nn.initializers.constant(config.log_std), (self.num_scales,))
        own, controls = (features, None) if self.encoder is None else self.encoder(features)
        seen = self._of_all_agents(own) if config.critic == "central" else own
        if config.recurrent:
            actor, critic, memory = self._remember(own, seen, reset, memory)
            actor = self._layers(actor, config.hidden[-1:], "actor")
            critic = self._layers(critic, config.hidden[-1:], "critic")
        else:
            actor = self._layers(own, config.hidden, "actor")
            critic = self._layers(seen, config.hidden, "critic")
        if controls is None:
            parameters = Dense(sum(self.elements), kernel_init=_orthogonal(0.01), name="policy")(actor)
        else:
            parameters = self._by_controls(actor, controls)
        values = Dense(1, kernel_init=_orthogonal(1.0), name="value")(critic)
        return parameters, log_std, values[..., 0], memory

    def _by_controls(self, actor: jax.Array, controls: jax.Array) -> jax.Array:
        """f32[T, N, K]: each element's parameters, of what it drives f32[T, N, E, W]; alike ones share a layer."""
        inner = Dense(controls.shape[-1], kernel_init=_orthogonal(2**0.5), name="control")(controls)
        told = Dense(controls.shape[-1], use_bias=False, kernel_init=_orthogonal(1.0), name="control_told")(actor)
        inner = self._activate(inner + told[..., None, :])
        heads = {
            count: Dense(count, kernel_init=_orthogonal(0.01), name=f"policy_{count}") for count in set(self.elements)
        }
        parts = [heads[count](inner[..., i, :]) for i, count in enumerate(self.elements)]
        return jnp.concatenate(parts, axis=-1)

    def _remember(
        self, own: jax.Array, seen: jax.Array, reset: jax.Array, memory: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """What policy and critic remember f32[T, N, width] each, of what they see, and the memory f32[N, M]."""
        config = self.config
        cell = CELLS[config.cell]
        if config.critic == "own":
            shared = self._layers(own, config.hidden, "layer")
            shared, memory = cell(config.memory, name="memory")(shared, reset, memory)
            return shared, shared, memory
        of_actor, of_critic = jnp.split(memory, 2, axis=-1)
        actor = self._layers(own, config.hidden, "layer")
        actor, of_actor = cell(config.memory, name="memory")(actor, reset, of_actor)
        critic = self._layers(seen, config.hidden, "critic_layer")
        critic, of_critic = cell(config.memory, name="critic_memory")(critic, reset, of_critic)
        return actor, critic, jnp.concatenate([of_actor, of_critic], axis=-1)

    def _of_all_agents(self, own: jax.Array) -> jax.Array:
        """f32[T, N, A D + A]: of each lane, what each agent of its world sees, and a one for the lane's own agent."""
        agents = self.num_agents
        ticks, lanes, _ = own.shape
        worlds = (ticks, lanes // agents, agents)
        everyone = jnp.broadcast_to(own.reshape(*worlds[:2], 1, -1), (*worlds, agents * own.shape[-1]))
        which = jnp.broadcast_to(jnp.eye(agents), (*worlds, agents))
        return jnp.concatenate([everyone, which], axis=-1).reshape(ticks, lanes, -1)

    def _layers(self, x: jax.Array, widths: tuple[int, ...], name: str) -> jax.Array:
        for i, width in enumerate(widths):
            x = self._activate(Dense(width, kernel_init=_orthogonal(2**0.5), name=f"{name}_{i}")(x))
        return x

    def _activate(self, x: jax.Array) -> jax.Array:
        return jnp.tanh(x) if self.config.activation == "tanh" else nn.relu(x)
