"""Proximal policy optimisation (Schulman et al. 2017): advantages, loss and one update, all on the device.

Several agents of one world share the net and are separate lanes of experience: independent PPO (de Witt et al. 2020),
or with a central critic that of Yu et al. (2022).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from minicosm.curricula import Curriculum, Outcome, Proposal
from minicosm.curricula.base import fresh, not_in_buffer
from minicosm.envs import struct
from minicosm.training.config import PPOConfig
from minicosm.training.curves import CURRICULUM
from minicosm.training.networks import Agent
from minicosm.training.rollout import Play, Samples, play, start, try_out
from minicosm.training.spread import ALONE, CUT, WHOLE, Spread
from minicosm.training.tally import Tally, add, empty, outcome
from minicosm.wrappers import AutoReplay, EpisodeStats

try:
    import optax
except ImportError as error:
    raise ImportError('training needs optax, which is not installed: run pip install "minicosm[train]"') from error


@struct.dataclass
class Teaching:
    """The curriculum between two updates, and the levels in play."""

    state: Any  # the curriculum's own
    proposal: Proposal
    tally: Tally  # what has happened on the proposal
    key: jax.Array


@struct.dataclass
class TrainState:
    """All that a run is at the boundary of two updates."""

    params: Any
    optimizer: Any
    play: Play
    update: jax.Array  # i32[]  updates done
    teaching: Teaching | None = None  # where a curriculum chooses the levels


def layout(state: TrainState) -> TrainState:
    """Which arrays of `state`, led by the seeds, are whole on every device, and which are cut among them."""

    def cut(tree: Any) -> Any:
        return jax.tree.map(lambda x: CUT if x.ndim > 1 else WHOLE, tree)  # a number or a key is for all worlds

    specs: TrainState = dataclasses.replace(jax.tree.map(lambda _: WHOLE, state), play=cut(state.play))
    if state.teaching is None or specs.teaching is None:
        return specs
    return dataclasses.replace(specs, teaching=dataclasses.replace(specs.teaching, tally=cut(state.teaching.tally)))


@dataclasses.dataclass(frozen=True)
class Learner:
    """One run of PPO as pure functions of its state; `jax.vmap` runs several seeds side by side.

    With a `curriculum` the worlds are of `AutoReplay` and play what it proposes, anew every `updates_per_proposal`
    updates; without one they draw their own levels.

    Over D devices, `spread`, this is the program of each: `worlds` are its own B / D, and what leads with worlds or
    lanes is its own part. All else, the curriculum and the levels it proposes included, is the same on all of them.
    """

    worlds: EpisodeStats
    agent: Agent
    config: PPOConfig
    curriculum: Curriculum | None = None
    spread: Spread = ALONE

    def init(self, key: jax.Array) -> TrainState:
        """Fresh parameters in freshly seeded worlds."""
        net_key, play_key = jax.random.split(key)
        params = self.agent.init(net_key)
        if self.curriculum is None:
            opening, teaching = start(self.worlds, self.agent, play_key, spread=self.spread), None
        else:
            init_key, teach_key = jax.random.split(jax.random.fold_in(key, 1))
            levels = fresh(init_key, self.worlds.env, self.config.num_envs)  # played by nobody
            opening = start(self.worlds, self.agent, play_key, self.spread.own(levels), self.spread)
            proposal = not_in_buffer(levels, self.config.num_envs)
            teaching = Teaching(self.curriculum.init(init_key), proposal, empty(opening.reset.shape[0]), teach_key)
        return TrainState(params, self._optimizer.init(params), opening, jnp.zeros((), jnp.int32), teaching)

    def update(self, state: TrainState, index: jax.Array) -> tuple[TrainState, dict[str, jax.Array]]:
        """Play and learn once. Returns sums over the episodes that ended and over the learning's "minibatches".

        `index` i32[] is the number of updates done, the same for all seeds where several are learnt side by side.
        """
        config = self.config
        if self.curriculum is not None:
            period = config.updates_per_proposal_in(self.worlds.env)
            state = jax.lax.cond(index % period == 0, self._with_new_levels, lambda s, _: s, state, index // period)
        key, later = self.spread.turn(state.play.key)
        opening = dataclasses.replace(state.play, key=key)
        playing, samples, sums = play(self.worlds, self.agent, state.params, opening, config.num_steps)
        sums = self.spread.sum(sums)
        _, _, next_value, _ = self.agent.think(state.params, playing.features, playing.reset, playing.memory)
        advantage = advantages(samples, next_value, config.gamma, config.gae_lambda)
        memory = state.play.memory[None]

        key, shuffle_key = jax.random.split(playing.key)
        playing = dataclasses.replace(playing, key=key if later is None else later)
        teaching = state.teaching
        if self.curriculum is None or teaching is None:
            params, optimizer, learning = self._learned(state, (samples, advantage, memory), shuffle_key)
            return TrainState(params, optimizer, playing, state.update + 1), sums | learning

        tally = add(teaching.tally, samples, advantage)
        learn = jnp.repeat(self.spread.own(teaching.proposal.learn), self.worlds.env.num_agents)
        samples = dataclasses.replace(samples, valid=samples.valid & learn)
        batch = (samples, advantage, memory)

        def stay() -> Any:
            _, _, learning = jax.eval_shape(self._learned, state, batch, shuffle_key)
            return state.params, state.optimizer, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), learning)

        params, optimizer, learning = jax.lax.cond(
            jnp.any(teaching.proposal.learn), lambda: self._learned(state, batch, shuffle_key), stay
        )
        teaching = dataclasses.replace(teaching, tally=tally)
        sums |= learning | {"updates": jnp.ones(())}
        report = self.curriculum.report(teaching.state)
        sums |= {f"{CURRICULUM}{name}": value for name, value in report.items()}
        return TrainState(params, optimizer, playing, state.update + 1, teaching), sums

    def try_out(self, params: Any, key: jax.Array, levels: Any, num_steps: int) -> Outcome:
        """What the policy does on each of `levels`, led by L, in `num_steps` ticks; see `curricula.Player`."""
        config, env, spread = self.config, self.worlds.env, self.spread
        count = jax.tree.leaves(levels)[0].shape[0]
        levels = spread.own_share(levels)
        worlds = EpisodeStats(AutoReplay(env, jax.tree.leaves(levels)[0].shape[0]))
        opening = start(worlds, self.agent, key, levels, spread)
        opening = dataclasses.replace(opening, key=spread.own_key(opening.key))
        samples, next_value = try_out(worlds, self.agent, params, opening, num_steps)
        advantage = advantages(samples, next_value, config.gamma, config.gae_lambda)
        return spread.gather(
            outcome(add(empty(next_value.shape[0]), samples, advantage), levels, env.num_agents), count
        )

    def _with_new_levels(self, state: TrainState, index: jax.Array) -> TrainState:
        """Tell the curriculum what happened on the levels in play, and start the next ones, proposal `index`."""
        curriculum, teaching = self.curriculum, state.teaching
        assert curriculum is not None
        assert teaching is not None
        key, propose_key, play_key = jax.random.split(teaching.key, 3)
        proposal = teaching.proposal

        def told() -> Any:
            levels = self.spread.own(proposal.levels)
            happened = self.spread.gather(outcome(teaching.tally, levels, self.worlds.env.num_agents))
            return curriculum.update(teaching.state, proposal, happened)

        def player(key: jax.Array, levels: Any, num_steps: int) -> Outcome:
            return self.try_out(state.params, key, levels, num_steps)

        then = jax.lax.cond(index > 0, told, lambda: teaching.state)
        then, proposal = curriculum.propose(propose_key, index, then, player)
        opening = start(self.worlds, self.agent, play_key, self.spread.own(proposal.levels), self.spread)
        going_on = Teaching(then, proposal, empty(opening.reset.shape[0]), key)
        return dataclasses.replace(state, play=opening, teaching=going_on)

    def _learned(self, state: TrainState, played: Any, key: jax.Array) -> tuple[Any, Any, dict[str, jax.Array]]:
        """Parameters, optimiser and sums over minibatches after learning from `played`: samples, advantage, memory."""
        samples, advantage, memory = played
        batch = (samples, advantage, advantage + samples.value, memory)

        def epoch(carry: Any, key: jax.Array) -> tuple[Any, dict[str, jax.Array]]:
            return jax.lax.scan(self._learn, carry, self._shuffled(key, batch))

        (params, optimizer), learning = jax.lax.scan(
            epoch, (state.params, state.optimizer), jax.random.split(key, self.config.epochs)
        )
        return params, optimizer, {name: jnp.sum(value) for name, value in learning.items()}

    def loss(self, params: Any, batch: Any, done: float | jax.Array = 0.0) -> tuple[jax.Array, dict[str, jax.Array]]:
        """PPO's loss of one minibatch, and its parts. Only valid samples count; advantages are standardised over them.

        `batch` is (samples, advantage f32[T, N], target f32[T, N], memory f32[1, N, M] before the first tick); `done`
        is the share of the run that is behind, 0 to 1. Over several devices the minibatch is that of all of them, and
        what is returned this device's summand of the loss and its parts: their sums over the devices are meant.
        """
        config, distribution, spread = self.config, self.agent.distribution, self.spread
        samples, advantage, target, memory = batch
        parameters, log_std, value, _ = self.agent.unroll(params, samples.features, samples.reset, memory[0])
        weight = samples.valid / jnp.maximum(spread.sum(jnp.sum(samples.valid)), 1)

        def mean(x: jax.Array) -> jax.Array:
            return jnp.sum(jnp.where(samples.valid, x, 0.0) * weight)

        # nothing that is differentiated goes between devices
        centred = advantage - spread.sum(mean(advantage))
        standard = centred / (jnp.sqrt(spread.sum(mean(centred**2))) + 1e-8)
        log_ratio = distribution.log_prob(parameters, log_std, samples.draw) - samples.log_prob
        ratio = jnp.exp(log_ratio)
        clipped = jnp.clip(ratio, 1 - config.clip, 1 + config.clip)
        parts = {
            "policy_loss": -mean(jnp.minimum(ratio * standard, clipped * standard)),
            "value_loss": mean(self._value_error(value, samples.value, target)),
            "entropy": mean(distribution.entropy(parameters, log_std)),
            "kl": mean(ratio - 1 - log_ratio),  # to the policy that played; Schulman's low-variance estimate
            "clipped": mean(jnp.abs(ratio - 1) > config.clip),
        }
        loss = parts["policy_loss"] + config.value * parts["value_loss"] - self._entropy(done) * parts["entropy"]
        return loss, parts

    def _value_error(self, value: jax.Array, played: jax.Array, target: jax.Array) -> jax.Array:
        """f32[T, N]: squared error of the value, which falls no further once `value_clip` away from the played."""
        error, most = (value - target) ** 2, self.config.value_clip
        if most is None:
            return error
        return jnp.maximum(error, (played + jnp.clip(value - played, -most, most) - target) ** 2)

    def _entropy(self, done: float | jax.Array) -> float | jax.Array:
        """Weight of the entropy bonus after the share `done` of the run."""
        first, last = self.config.entropy, self.config.final_entropy
        return first if last is None else first + (last - first) * done

    @property
    def _optimizer(self) -> Any:
        config = self.config
        rate: Any = config.learning_rate
        if config.anneal:
            rate = optax.linear_schedule(config.learning_rate, 0.0, config.num_optimizer_steps)
        return optax.chain(optax.clip_by_global_norm(config.max_grad_norm), optax.adam(rate, eps=1e-5))

    def _learn(self, carry: Any, batch: Any) -> tuple[Any, dict[str, jax.Array]]:
        params, optimizer = carry
        _, steps = optax.tree_utils.tree_get_all_with_path(optimizer, "count")[0]  # all of its counts are alike
        done = jnp.minimum(steps / self.config.num_optimizer_steps, 1.0)
        gradient, parts = self.spread.sum(jax.grad(self.loss, has_aux=True)(params, batch, done))
        change, optimizer = self._optimizer.update(gradient, optimizer, params)
        return (optax.apply_updates(params, change), optimizer), {**parts, "minibatches": jnp.float32(1)}

    def _shuffled(self, key: jax.Array, batch: Any) -> Any:
        """Whole lanes (axis 1) dealt out to minibatches, in a new leading axis; time stays in order.

        For a central critic, the lanes of a world stay together.
        """
        together = self.agent.num_agents if self.config.network.critic == "central" else 1
        groups = jax.random.permutation(key, batch[1].shape[1] // together)
        lanes = groups[:, None] * together + jnp.arange(together)
        order = lanes.reshape(self.config.minibatches, -1)
        return jax.tree.map(lambda x: jnp.moveaxis(x[:, order], 1, 0), batch)


def advantages(samples: Samples, next_value: jax.Array, gamma: float, gae_lambda: float) -> jax.Array:
    """Generalised advantage estimates f32[T, N] (Schulman et al. 2016); unspecified where not `samples.valid`.

    `next_value` f32[N] is the value after the last tick. An episode cut short by the time limit goes on, for the
    estimate, from `samples.bootstrap`; one that terminated is worth nothing afterwards.
    """

    goes_on = 1.0 - samples.last
    values_after = jnp.concatenate([samples.value[1:], next_value[None]])
    errors = samples.reward + gamma * (goes_on * values_after + samples.bootstrap) - samples.value

    def backwards(advantage: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        error, goes_on = now
        advantage = error + gamma * gae_lambda * goes_on * advantage
        return advantage, advantage

    _, result = jax.lax.scan(backwards, jnp.zeros_like(next_value), (errors, goes_on), reverse=True)
    return result
