"""Level generators: every map in one pass and, but for "uniform", every level solvable by construction."""

from __future__ import annotations

from collections.abc import Callable

import jax

from minicosm.envs.maze import bits, carve
from minicosm.envs.maze.config import MazeConfig
from minicosm.envs.maze.level import Level

_MAPS: dict[str, Callable[[jax.Array, MazeConfig], jax.Array]] = {
    "uniform": carve.scattered,
    "solvable": carve.scattered,
    "perfect": carve.perfect,
    "rooms": carve.rooms,
    "corridors": carve.corridors,
    "caves": carve.caves,
}
_CUT = ("solvable", "caves")  # kinds whose free cells may fall apart, so that a goal is drawn among those in reach
_MIXED = ("solvable", "perfect", "rooms", "corridors", "caves")


def generate(key: jax.Array, config: MazeConfig) -> Level:
    """Draw a level of `config.level_kind`; "mixed" draws the kind too, from the solvable ones.

    Starts are all different, so are goals, and each goal differs from its agent's start. "uniform" is JaxUED's
    distribution: cells drawn with replacement become walls, start and goal are different free cells, and some levels
    have no solution. "solvable" draws the walls alike, the start from the free cells that have a free neighbour, and
    the goal from the cells in reach of it. In all solvable kinds each agent can reach its goal if no other is in its
    way.

    Raises ValueError when the map is too small for the kind or for the agents.
    """
    check_hosts(config)
    map_key, kind_key, place_key = jax.random.split(key, 3)
    if config.level_kind == "mixed":
        branches = [lambda k, kind=kind: _MAPS[kind](k, config) for kind in _kinds_that_fit(config)]
        kind_index = bits.below(jax.random.bits(kind_key), len(branches))
        walls = jax.lax.switch(kind_index, branches, map_key)
    else:
        walls = _MAPS[config.level_kind](map_key, config)
    in_reach = config.level_kind in (*_CUT, "mixed")
    return _place(jax.random.bits(place_key, (config.num_agents, 3)), walls, in_reach)


def check_hosts(config: MazeConfig) -> None:
    """Raise ValueError, saying what to change, unless every level that `generate` draws can host the agents."""
    kind, agents = config.level_kind, config.num_agents
    if kind == "mixed":
        if not _kinds_that_fit(config):
            raise ValueError(
                f"no kind of maze hosts {agents} agents in {config.width} x {config.height} cells:"
                " enlarge MazeConfig.height and width, or lower num_agents"
            )
        return
    room = _capacity(kind, config)
    if room < agents:
        change = "lower num_walls" if kind in ("uniform", "solvable") else "choose another level_kind"
        raise ValueError(
            f"a {kind!r} maze of {config.width} x {config.height} cells is sure to host {max(0, room)} agents, not"
            f" {agents}: enlarge MazeConfig.height and width, lower num_agents, or {change}"
        )


def _capacity(kind: str, config: MazeConfig) -> int:
    """Agents that every map of the kind can host.

    Where free cells may fall apart, an agent starts beside a free goal. Of pairs of adjacent free cells that share no
    cell, each earlier agent spoils at most one (a start and a goal, each of which spoils half a pair), so as many pairs
    are enough: half the cells less the walls drawn, or half the length of the caves' tunnel. Where all free cells hang
    together one more than the agents is enough.
    """
    cells = config.height * config.width
    if kind == "uniform":
        return cells - config.walls_drawn - 1
    if kind == "solvable":
        return cells // 2 - config.walls_drawn
    if kind == "caves":
        return config.width // 2
    rows, columns = carve.node_counts(config, kind)
    return 2 * rows * columns - 2


def _kinds_that_fit(config: MazeConfig) -> list[str]:
    # the goals of "mixed" are placed as for maps that may fall apart, which needs pairs of cells: see _capacity
    def pairs(kind: str) -> int:
        return _capacity(kind, config) // (1 if kind in _CUT else 2)

    return [kind for kind in _MIXED if pairs(kind) >= config.num_agents]


def _place(words: jax.Array, walls: jax.Array, in_reach: bool) -> Level:
    """Starts and goals at random, one agent after the other; `words` is u32[A, 3]."""
    height = walls.shape[0]
    free = bits.pack(~walls)

    def put(
        carry: tuple[jax.Array, jax.Array], word: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
        starts, goals = carry  # cells that are left for them
        start = bits.pick(starts & bits.beside(goals) if in_reach else starts, word[0])
        here = bits.one(start, height, free.shape[1])
        choices = goals & ~here
        if in_reach:
            choices = choices & bits.flood(free, here)
        goal = bits.pick(choices, word[1])
        return (starts & ~here, goals & ~bits.one(goal, height, free.shape[1])), (start, goal)

    if words.shape[0] == 1:  # a scan of one would cost more than what it does
        _, (start, goal) = put((free, free), words[0])
        start, goal = start[None], goal[None]
    else:
        _, (start, goal) = jax.lax.scan(put, (free, free), words)
    return Level(walls=walls, start=start, direction=bits.below(words[:, 2], 4), goal=goal)
